"""What came out: the content of `demo.json`, and a table for people."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.demo.checker.comparison import Compared, Pair
from infra.demo.checker.history import Mirror
from infra.demo.checker.judgement import Judged
from infra.demo.checker.latency import DIRECTIONS, Arrival, by_direction
from infra.demo.checker.naming import Unnamed
from infra.demo.checker.table import ACTIVITY_OF, MARKETO, PEOPLE, SALESFORCE, TABLE

CONFLICTS_LEAST = 30
"""Of leads, and of contacts: fewer would show nothing."""
DEGRADED = "degraded"
"""The word of `tandem status` for what does not flow."""
_WRITTEN = "written to "
_LISTED = 50
_SHOWN = 10


@dataclass(slots=True, kw_only=True)
class Phase:
    """A phase, by the systems' clock. `normal`: everything was running, so that its latencies are those of daily work."""

    title: str
    normal: bool
    begun_ms: int
    ended_ms: int = 0
    edits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that was found."""

    seed: int
    seconds: float
    phases: Sequence[Phase]
    compared: Compared
    judged: Judged
    arrivals: Sequence[Arrival]
    repaired_by_poll: int
    meters: Mapping[str, Any]
    tandem: Mapping[str, str]
    status: Mapping[str, Any]
    unnamed: Sequence[Unnamed]
    stream: str = "on"
    """Whether Salesforce's change events reached Tandem, or the poll alone told it."""
    trouble: str = ""
    """What kept the demo from its end; nothing when it got there."""

    def counts(self) -> dict[str, int]:
        """What has to be 0."""
        return {
            "differences": len(self.compared.differences), "lost_edits": len(self.judged.lost), "duplicates": len(self.compared.duplicates),
            "unnamed_edits": len(self.unnamed),
        }  # fmt: skip

    def conflicts(self) -> dict[str, dict[str, int]]:
        """By object: values that differed when the systems met; edits out of each other's sight, how many of them were left to the rule in
        the end, and whose value stood then.
        """
        told = {name: {"first_meeting": 0, "edits_out_of_sight": 0, "decided_by_rule": 0, SALESFORCE: 0, MARKETO: 0} for name in PEOPLE}
        for clash in self.judged.clashes:
            here = told.get(clash.pair.object)
            if here is None:
                continue
            here["first_meeting" if clash.met else "edits_out_of_sight"] += 1
            if clash.last and not clash.met:
                here["decided_by_rule"] += 1
                if clash.stood is not None:
                    here[clash.stood] += 1
        return told

    def too_few_conflicts(self) -> list[str]:
        told = self.conflicts()
        return [
            f"only {told[name]['decided_by_rule']} conflicts of {name}s"
            for name in PEOPLE
            if told[name]["decided_by_rule"] < CONFLICTS_LEAST
        ]

    def failures(self) -> list[str]:
        """Why the demo failed; empty when it passed."""
        wrong = [f"{count} {name.replace('_', ' ')}" for name, count in self.counts().items() if count]
        found_nothing = [] if self.repaired_by_poll else ["the poll had nothing to find"]
        return [
            *filter(None, [self.trouble]),
            *wrong,
            *self.too_few_conflicts(),
            *kinds_not_seen(self),
            *found_nothing,
            *degraded(self.status),
        ]


def degraded(status: Mapping[str, Any]) -> list[str]:
    """What Tandem itself says that does not flow, though everything is whole again."""
    if status.get("state") != DEGRADED:
        return []
    worst: Mapping[str, str] = next(iter(status.get("troubles", ())), {"where": "status", "what": "it doesn't say why"})
    return [f"Tandem calls itself degraded: {worst['where']}: {worst['what']}"]


def calls_by_tandem(meters: Mapping[str, Any], tandem: Mapping[str, str]) -> dict[str, int]:
    """API calls that Tandem spent, by system, as the systems counted them."""
    return {
        system: sum(row["calls"] for row in meters[system]["rows"] if row["actor"] == user and "identity" not in row["endpoint"])
        for system, user in tandem.items()
    }


def calls_by_endpoint(meters: Mapping[str, Any], tandem: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The same, by what was called."""
    return {
        system: {row["endpoint"]: row["calls"] for row in meters[system]["rows"] if row["actor"] == user} for system, user in tandem.items()
    }


def edits_in(mirror: Mirror, phase: Phase, tandem: Mapping[str, str]) -> dict[str, int]:
    """Changes of records in a phase, by who made them: people on either side, or Tandem."""
    counted: Counter[str] = Counter()
    for item in mirror.lines:
        if phase.begun_ms <= item.at_ms < phase.ended_ms:
            counted["tandem" if item.actor == tandem[item.system] else item.system] += 1
    return dict(counted)


def latencies(outcome: Outcome) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, dict[str, int]]]]:
    """By direction over the phases of daily work, and by phase and direction."""
    by_phase: dict[str, list[Arrival]] = defaultdict(list)
    daily: list[Arrival] = []
    for each in outcome.arrivals:
        for phase in outcome.phases:
            if phase.begun_ms <= each.at_ms < phase.ended_ms:
                by_phase[phase.title].append(each)
                if phase.normal:
                    daily.append(each)
    return by_direction(daily), {title: by_direction(found) for title, found in by_phase.items()}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The content of `demo.json`."""
    daily, by_phase = latencies(outcome)
    calls = calls_by_tandem(outcome.meters, outcome.tandem)
    recent = dict(outcome.status.get("recent", {}))
    writes = {name: count for name, count in recent.items() if name.startswith(_WRITTEN)}
    verdicts = {name: count for name, count in recent.items() if name not in writes}
    return {
        "passed": not outcome.failures(), "failures": outcome.failures(), "seed": outcome.seed, "seconds": round(outcome.seconds, 1),
        "stream": outcome.stream, "objects": objects(outcome),
        "pairs": len(outcome.compared.pairs), "fields_compared": outcome.compared.fields_compared.total(), "edits": outcome.judged.edits,
        **outcome.counts(), "conflicts": outcome.conflicts(), "latency_ms": daily, "latency_ms_by_phase": by_phase, "calls": calls,
        "calls_by_endpoint": calls_by_endpoint(outcome.meters, outcome.tandem), "most_at_once": outcome.meters[MARKETO]["high"],
        "repaired_by_poll": outcome.repaired_by_poll, "echoes": verdicts.get("echo", 0), "verdicts": verdicts,
        "writes": writes, "phases": [asdict(phase) for phase in outcome.phases],
        "found": {
            "differences": [asdict(each) for each in outcome.compared.differences[:_LISTED]],
            "lost_edits": [asdict(each) for each in outcome.judged.lost[:_LISTED]],
            "duplicates": [asdict(each) for each in outcome.compared.duplicates[:_LISTED]],
            "unnamed_edits": [asdict(each) for each in outcome.unnamed[:_LISTED]],
        },
    }  # fmt: skip


def objects(outcome: Outcome) -> dict[str, dict[str, int]]:
    """By kind of record: what was compared, and what has to be 0."""
    counted: dict[str, Counter[str]] = {
        "pairs": Counter(pair.object for pair in (*outcome.compared.pairs, *outcome.compared.activities)),
        "fields_compared": outcome.compared.fields_compared,
        "differences": Counter(each.object for each in outcome.compared.differences),
        "lost_edits": Counter(each.pair.object for each in outcome.judged.lost),
        "duplicates": Counter(each.object for each in outcome.compared.duplicates),
    }
    names = {each.salesforce: each.name for each in TABLE} | dict.fromkeys(ACTIVITY_OF, "activity")
    return {
        told: {what: sum(count[each] for each, name in names.items() if name == told) for what, count in counted.items()}
        for told in dict.fromkeys(names.values())
    }


def kinds_not_seen(outcome: Outcome) -> list[str]:
    """Kinds of which nothing was compared: of them nothing is proved."""
    return [f"no {name} was compared" for name, told in objects(outcome).items() if not told["pairs"]]


def a_conflict(outcome: Outcome) -> tuple[Pair, str] | None:
    """A pair and the field of its that the rule had to decide, to be explained."""
    chosen = [clash for clash in outcome.judged.clashes if clash.last and not clash.met and clash.stood == clash.winner]
    return (chosen[0].pair, chosen[0].field) if chosen else None


def show(console: Console, outcome: Outcome) -> None:
    """The tables at the end."""
    told = as_json(outcome)
    console.print(_latency_table(told))
    console.print(_facts_table(told))
    for name, found in told["found"].items():
        for each in found[:_SHOWN]:
            console.print(f"[red]{name.replace('_', ' ')}:[/] {escape(_plain(each))}")
        if told[name] > _SHOWN:
            console.print(f"[red]… {told[name] - _SHOWN} more {name.replace('_', ' ')} ({'.run/demo.json'} lists {_LISTED})[/]")


def verdict(outcome: Outcome) -> str:
    """The last line."""
    if failures := outcome.failures():
        return f"[bold red]FAILED:[/] {escape('; '.join(failures))}"
    return (
        f"[bold green]passed:[/] {len(outcome.compared.pairs):,} pairs, {outcome.compared.fields_compared.total():,} fields compared, "
        f"{outcome.judged.edits:,} edits; nothing differs, nothing was lost, nobody exists twice, "
        "a decision names every edit that gave way "
        f"({outcome.seconds:.0f} s, seed {outcome.seed})"
    )


def _plain(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_cut(value)}" for name, value in found.items() if value not in ("", None))


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _latency_table(told: Mapping[str, Any]) -> Table:
    table = Table(
        "from edit to arrival", "direction", "p50", "p95", "p99", "edits", box=box.SIMPLE, title="Latency (ms)", title_justify="left"
    )
    rows = [("daily work, all phases", told["latency_ms"]), *told["latency_ms_by_phase"].items()]
    for title, by in rows:
        for direction in DIRECTIONS.values():
            if found := by[direction]:
                table.add_row(title, direction.replace("_", " "), *(f"{found[name]:,}" for name in ("p50", "p95", "p99", "n")))
                title = ""  # noqa: PLW2901 - said once
    return table


def _facts_table(told: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=box.SIMPLE)
    conflicts = ", ".join(
        f"{name}: {each['edits_out_of_sight']} ({each['decided_by_rule']} left to the rule: "
        f"Salesforce won {each[SALESFORCE]}, Marketo {each[MARKETO]}), {each['first_meeting']} at the first meeting"
        for name, each in told["conflicts"].items()
    )
    table.add_row("pairs, fields compared", f"{told['pairs']:,}, {told['fields_compared']:,}")
    for name, each in told["objects"].items():
        table.add_row(f"  {name}", f"{each['pairs']:,}, {each['fields_compared']:,}")
    table.add_row("edits by people", f"{told['edits']:,}")
    table.add_row("differences, lost edits, duplicates", f"{told['differences']}, {told['lost_edits']}, {told['duplicates']}")
    table.add_row("replaced edits that no decision names", f"{told['unnamed_edits']}")
    table.add_row("conflicts", conflicts)
    table.add_row("verdicts (of the last minutes)", ", ".join(f"{name} {count:,}" for name, count in told["verdicts"].items()))
    table.add_row("echoes", f"{told['echoes']:,}")
    table.add_row("calls spent", ", ".join(f"{system} {count:,}" for system, count in told["calls"].items()))
    table.add_row("found by the poll alone", f"{told['repaired_by_poll']:,}")
    return table
