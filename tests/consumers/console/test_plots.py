"""The lines of the overview, and the marks in them."""

from typing import Any

from consumers.console.ground import Sample
from consumers.console.pages.overview import marks, plotted
from consumers.ledger.versions import Version


def sample(at: int, **more: Any) -> Sample:
    told: dict[str, Any] = {"waiting": 0, "behind": 0, "oldest_ms": 0, "judged": {}, "calls": {}, **more}
    return Sample(at_ms=at * 1000, **told)


def test_every_line_has_a_value_for_each_moment() -> None:
    samples = [
        sample(10, judged={"salesforce": 5}),
        sample(15, judged={"salesforce": 15, "marketo": 5}, p50_ms=500, p99_ms=2_500, waiting=3),
        sample(20, judged={"salesforce": 15, "marketo": 5}, calls={"marketo": 7}),
    ]
    told = plotted(samples)
    assert (told["at"], told["throughput"]) == ([15, 20], [3.0, 0])
    assert (told["p50"], told["p99"]) == ([0.5, 0], [2.5, 0])
    assert (told["waiting"], told["calls_marketo"]) == ([3, 0], [0, 7])
    assert {len(line) for line in told.values()} == {2}


def test_what_people_changed_is_marked_where_it_was() -> None:
    samples = [sample(10, workers=("one",)), sample(15, workers=("one", "two")), sample(20, workers=("two",))]
    versions = [
        Version(number=2, digest="b", since_ms=17_000, changed=("lead.title: newest",)),
        Version(number=1, digest="a", since_ms=9_000, changed=()),
    ]
    told = [(each.at_ms, each.words) for each in marks(samples, versions)]
    assert told == [(15_000, "worker two came"), (17_000, "configuration 2: lead.title: newest"), (20_000, "worker one went")]
    assert marks([], versions) == []
