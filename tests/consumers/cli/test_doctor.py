"""The doctor: each thing looked at has a state and, where it isn't fine, what helps."""

from consumers.cli.doctor import Examined, State, clock_differences, fields, quotas, standing_of, systems, worst_first
from consumers.cli.systems import CheckReport
from consumers.fitting.check import Finding, Level
from consumers.ledger.spent import Spent
from consumers.reports.standing.status import Status
from consumers.troubles.trouble import Grade, Trouble


def states(examined: list[Examined]) -> list[tuple[str, State]]:
    return [(each.what, each.state) for each in examined]


def test_clocks_that_differ_by_little_are_of_no_account() -> None:
    told = clock_differences({"Salesforce": 900, "Marketo": -61_000, "the database": "away"})
    assert states(told) == [("clocks", State.FINE), ("clocks", State.WARNING), ("clocks", State.WARNING)]
    assert told[1].told == "Marketo's clock is 61.0 s behind this machine's"
    assert "NTP" in told[1].remedy


def test_what_is_missing_beneath_is_told_with_its_remedy() -> None:
    step = Finding(level=Level.PROBLEM, object="", field="", message="topics are missing", remedy="make setup")
    wrong = Finding(level=Level.PROBLEM, object="lead", field="Title", message="not visible", remedy="allow it")
    note = Finding(level=Level.NOTE, object="lead", field="Fax", message="shorter", remedy="")
    report = CheckReport(findings=(step, wrong, note), fields=9, salesforce_user="a", marketo_user="b", refused=("Marketo: 601",))
    assert states(systems(report)) == [
        ("credentials", State.PROBLEM), ("credentials", State.FINE), ("database and topics", State.PROBLEM),
    ]  # fmt: skip
    assert states(fields(report)) == [("fields and permissions", State.PROBLEM), ("fields and permissions", State.FINE)]
    assert all(each.remedy for each in (*systems(report), *fields(report)) if each.state is not State.FINE)


def status(**told: object) -> Status:
    made: dict[str, object] = dict.fromkeys(Status.__dataclass_fields__, ())
    return Status(**(made | told))  # type: ignore[arg-type]


def test_a_days_calls_that_run_short_and_troubles_are_told() -> None:
    spent = [Spent(system="marketo", used=used, limit=1_000, blocked_ms=0, by_purpose={}) for used in (100, 950)]
    assert [each.state for each in quotas(status(spent=spent))] == [State.FINE, State.WARNING]
    troubles = (
        Trouble(where="kafka", what="it is away", grade=Grade.DEGRADED),
        Trouble(where="held", what="1 record", grade=Grade.ATTENTION),
    )
    assert [each.state for each in standing_of(status(troubles=troubles))] == [State.PROBLEM, State.WARNING]
    assert [each.state for each in standing_of(status())] == [State.FINE]


def test_the_worst_is_told_first() -> None:
    told = [Examined(what=state, state=state, told="") for state in (State.FINE, State.WARNING, State.PROBLEM)]
    assert [each.state for each in worst_first(told)] == [State.PROBLEM, State.WARNING, State.FINE]
