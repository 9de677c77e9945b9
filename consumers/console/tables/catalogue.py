"""Every table that there is. What a row is, the answer says; here stand its columns, and what is said where there is none."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.desk.waiting import conflicts_of, holds_of, letters_of
from consumers.answers.logs.delivering import deliveries_of
from consumers.answers.logs.trying import versions_of
from consumers.answers.looking.covering import coverage_of, cycles_of
from consumers.answers.looking.drifting import drift_of
from consumers.answers.looking.ledger import deeds_of, list_of, spent_of
from consumers.answers.looking.sight import visibility_of
from consumers.audit.compare import Class
from consumers.configuration.mapping.registered import registry_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.tables.table import Column, Shape, Table
from consumers.desk.waiting import Group, grouped, letters_grouped
from consumers.fitting.visibility import Sight
from consumers.reports.records.mapped import mapped
from consumers.reports.standing.lists import Queue
from consumers.subscriptions.topics import topics
from streams.wire.errors import Retry, Unprepared

_DRIFTED = 168
_ASKED = 500


def _record(get: str = "pair") -> Any:
    return lambda row: f"/record/{getattr(row, get)}" if getattr(row, get) else ""


def _listed(row: Any) -> str:
    return f"/record/{row.listed.pair}"


def _candidates(row: Any) -> str:
    """Where one of several is chosen."""
    return f"/match/{row.listed.pair}" if row.cause.name == "ambiguous" else ""


async def _deliveries(ground: Ground, most: int) -> Sequence[Any]:
    try:
        return (await deliveries_of(ground.settings))[:most]
    except (Retry, Unprepared):  # without Kafka nobody knows how far each is behind; how they stand the ledger knows
        return (await deliveries_of(ground.settings, counted=False))[:most]


async def _versions(ground: Ground, most: int) -> Sequence[Any]:
    return await versions_of(ground.settings, most)


async def _hidden(ground: Ground, most: int) -> Sequence[Any]:
    return [each for each in await visibility_of(ground.settings) if each.sight in (Sight.HIDDEN, Sight.STOPPED)][:most]


async def _holds(ground: Ground, most: int) -> Sequence[Any]:
    return await holds_of(ground.settings, cause="", most=most)


async def _conflicts(ground: Ground, most: int) -> Sequence[Any]:
    return await conflicts_of(ground.settings, cause="", field="", most=most)


async def _letters(ground: Ground, most: int) -> Sequence[Any]:
    return await letters_of(ground.settings, cause="", most=most)


async def _refused(ground: Ground, most: int) -> Sequence[Any]:
    return await list_of(ground.settings, Queue.REFUSED, most=most)


async def _owed(ground: Ground, most: int) -> Sequence[Any]:
    return await list_of(ground.settings, Queue.OWED, most=most)


async def _error_groups(ground: Ground, most: int) -> Sequence[Group]:
    holds = [line for line in await holds_of(ground.settings, cause="", most=most) if line.listed.system]
    return [*grouped(holds), *letters_grouped(await letters_of(ground.settings, cause="", most=most))]


async def _due(ground: Ground, _most: int) -> Sequence[Any]:
    return (await ground.status()).due


async def _calls(ground: Ground, _most: int) -> Sequence[Any]:
    told = (await spent_of(ground.settings)).systems
    return [(each.system, lane, calls) for each in told for lane, calls in each.by_purpose.items()]


async def _cycles(ground: Ground, most: int) -> Sequence[Any]:
    return await cycles_of(ground.settings, "", only_missed=False, most=min(most, _ASKED))


async def _holes(ground: Ground, _most: int) -> Sequence[Any]:
    return (await coverage_of(ground.settings, hours=_DRIFTED)).holes


async def _drift(ground: Ground, most: int) -> Sequence[Any]:
    return (await drift_of(ground.settings, None, list(Class), most=most)).differences


async def _proofs(ground: Ground, _most: int) -> Sequence[Any]:
    return (await drift_of(ground.settings, None, list(Class), most=1)).proofs


async def _deeds(ground: Ground, most: int) -> Sequence[Any]:
    return await deeds_of(ground.settings, since_ms=None, act=None, who=None, most=most)


async def _topics(ground: Ground, _most: int) -> Sequence[Any]:
    partitions = (await ground.status()).partitions
    return [(topic, [each for each in partitions if each.topic == topic.name]) for topic in topics(registry_of(ground.settings))]


async def _rules(ground: Ground, _most: int) -> Sequence[Any]:
    return mapped(ground.settings)


async def _sources(ground: Ground, _most: int) -> Sequence[Any]:
    status = await ground.status()
    return [(each, status.at_ms) for each in status.sources]


def _behind(row: Any) -> Any:
    told = [each.behind for each in row[1] if each.behind is not None]
    return sum(told) if told else None


TABLES: tuple[Table, ...] = (
    Table(
        name="causes",
        title="By cause",
        words="What happened, how often, and what helps.",
        teaches="Nothing is refused, and every change could be used. A refusal would stand here in plain words, with what helps.",
        ask=_error_groups,
        columns=(
            Column(key="what", title="What happened", get=lambda row: row.what, shape=Shape.PLAIN),
            Column(key="count", title="How often", get=lambda row: row.count, shape=Shape.COUNT),
            Column(key="since_ms", title="Since", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="remedy", title="What helps", get=lambda row: row.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="refused",
        title="Refused by a system",
        words="Values that a system didn't take, in its own words. Each is tried again when anything in the record, the mapping or the "
        "rules changes.",
        teaches="Neither system refuses anything. A value that breaks a validation rule, say, would stand here with the rule's words.",
        ask=_refused,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.person, link=_record()),
            Column(key="system", title="By", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="why", title="In its words", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="since_ms", title="Since", get=lambda row: row.since_ms, shape=Shape.WHEN),
        ),
    ),
    Table(
        name="dead-letters",
        title="Dead letters",
        words="Changes that could not be used. The record waits alone and is read again; everything else flows.",
        teaches="Every change could be used. One that can't be read would be kept here with its bytes and the reason.",
        ask=_letters,
        columns=(
            Column(key="number", title="Number", get=lambda row: row.number),
            Column(key="at", title="When", get=lambda row: row.at, shape=Shape.WHEN),
            Column(key="stage", title="Where", get=lambda row: row.stage, choices=True),
            Column(key="why", title="Why", get=lambda row: row.reason, shape=Shape.PLAIN),
            Column(key="topic", title="Topic", get=lambda row: row.topic, choices=True),
            Column(key="remedy", title="What helps", get=lambda row: row.cause.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="contested",
        title="Conflicts",
        words="Fields for which a rule leaves the decision to a person, or which something keeps changing back.",
        teaches="No conflict waits for you: the rules have decided all of them. A field with the rule `review` would ask here.",
        ask=_conflicts,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.listed.person, link=_listed),
            Column(key="field", title="Field", get=lambda row: row.listed.field, choices=True,
                   link=lambda row: f"/conflict/{row.listed.pair}/{row.listed.field}"),
            Column(key="value", title="Agreed so far", get=lambda row: row.listed.value, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.listed.why, shape=Shape.PLAIN),
            Column(key="cause", title="Cause", get=lambda row: row.cause.name, choices=True),
        ),
    ),
    Table(
        name="held",
        title="Holds",
        words="Records that wait as a whole: for a fact, or for a person.",
        teaches="No record is held. One that may be either of two people, for instance, would wait here for you to choose.",
        ask=_holds,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.listed.person, link=_listed),
            Column(key="cause", title="Cause", get=lambda row: row.cause.name, choices=True, link=_candidates),
            Column(key="what", title="What it means", get=lambda row: row.cause.what, shape=Shape.PLAIN),
            Column(key="why", title="Why", get=lambda row: row.listed.why, shape=Shape.PLAIN),
            Column(key="remedy", title="What helps", get=lambda row: row.cause.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="due",
        title="To do",
        words="What is to be written, or looked at, by system and lane: live before repair before first copy.",
        teaches="Nothing is owed: both sides show what was agreed. What Tandem has still to write would be counted here.",
        ask=_due,
        columns=(
            Column(key="what", title="What", get=lambda row: row.what, choices=True),
            Column(key="system", title="System", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="lane", title="Lane", get=lambda row: row.lane, choices=True),
            Column(key="pairs", title="Records", get=lambda row: row.pairs, shape=Shape.COUNT),
            Column(key="due", title="Due now", get=lambda row: row.due, shape=Shape.COUNT),
            Column(key="oldest_ms", title="Oldest, seconds", get=lambda row: round(max(0, row.oldest_ms) / 1000, 1)),
        ),
    ),
    Table(
        name="owed",
        title="Owed changes",
        words="Which record is owed what, the next first.",
        teaches="Nobody is owed a change.",
        ask=_owed,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.person, link=_record()),
            Column(key="system", title="In", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="value", title="Value", get=lambda row: row.value, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="since_ms", title="Due since", get=lambda row: row.since_ms, shape=Shape.WHEN),
        ),
    ),
    Table(
        name="calls",
        title="What today's calls were for",
        words="By system, lane and purpose, since midnight UTC.",
        teaches="No call has been made today.",
        ask=_calls,
        columns=(
            Column(key="system", title="System", get=lambda row: row[0], shape=Shape.SYSTEM, choices=True),
            Column(key="purpose", title="What for", get=lambda row: row[1]),
            Column(key="calls", title="Calls", get=lambda row: row[2], shape=Shape.COUNT),
        ),
    ),
    Table(
        name="cycles",
        title="Cycles",
        words="Each pass of the five-minute polls: what it read, and what of it the stream had missed.",
        teaches="No poll has finished a pass yet. The first comes within minutes of a worker's start.",
        ask=_cycles,
        columns=(
            Column(key="source", title="Poll", get=lambda row: row.source, choices=True),
            Column(key="ago_s", title="Seconds ago", get=lambda row: round(row.ago_ms / 1000)),
            Column(key="read", title="Read", get=lambda row: row.read, shape=Shape.COUNT),
            Column(key="known", title="Known", get=lambda row: row.known, shape=Shape.COUNT),
            Column(key="missed", title="Missed", get=lambda row: row.missed if row.judged else None, shape=Shape.COUNT),
            Column(key="repaired", title="Repaired", get=lambda row: row.repaired if row.judged else None, shape=Shape.COUNT),
            Column(key="held", title="Held", get=lambda row: row.held if row.judged else None, shape=Shape.COUNT),
            Column(key="calls", title="Calls", get=lambda row: row.calls, shape=Shape.COUNT),
            Column(key="why", title="Why missed", get=lambda row: row.why, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="holes",
        title="Holes",
        words="Stretches of time that a source has not told of, and what was done about each. The last seven days, and all that are open.",
        teaches="No hole: whatever either system told in the last seven days was read.",
        ask=_holes,
        columns=(
            Column(key="id", title="Number", get=lambda row: row.id),
            Column(key="source", title="Source", get=lambda row: row.source, choices=True),
            Column(key="standing", title="Standing", get=lambda row: str(row.standing), choices=True),
            Column(key="since_ms", title="From", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="until_ms", title="To", get=lambda row: row.until_ms, shape=Shape.WHEN),
            Column(key="why", title="Why", get=lambda row: row.reason, shape=Shape.PLAIN),
            Column(key="collapsed", title="Only latest values known", get=lambda row: row.collapsed, shape=Shape.COUNT),
        ),
    ),
    Table(
        name="drift",
        title="Drift",
        words="What differs between both sides, by what explains it. True drift is what nothing explains.",
        teaches="Nothing differs that has been compared. The audit goes on in the background with a small part of the day's calls.",
        ask=_drift,
        columns=(
            Column(key="record", title="Record", get=lambda row: row.record, link=_record()),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="class", title="Class", get=lambda row: str(row.klass).replace("_", " "), choices=True),
            Column(key="salesforce", title="Salesforce", get=lambda row: row.salesforce, shape=Shape.VALUE),
            Column(key="agreed", title="Agreed", get=lambda row: row.agreed, shape=Shape.VALUE),
            Column(key="marketo", title="Marketo", get=lambda row: row.marketo, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="remedy", title="What helps", get=lambda row: row.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="proofs",
        title="How far the comparison has come",
        words="Every record of both sides is compared in rounds; days to a full proof, by the calls that the audit may make.",
        teaches="No record has been compared yet.",
        ask=_proofs,
        columns=(
            Column(key="object", title="Records of", get=lambda row: row.object),
            Column(key="rounds", title="Whole rounds", get=lambda row: row.rounds, shape=Shape.COUNT),
            Column(key="records", title="Compared", get=lambda row: row.records, shape=Shape.COUNT),
            Column(key="proven_ms", title="Proven as of", get=lambda row: row.proven_ms, shape=Shape.WHEN),
            Column(key="why", title="Can't be compared", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="days", title="Days to a full proof", get=lambda row: round(row.days, 2)),
        ),
    ),
    Table(
        name="topics",
        title="Topics",
        words="Whatever happens is a message on one of these; any Kafka client may read along, and so does `tandem subscribe`.",
        teaches="There is no topic.",
        ask=_topics,
        columns=(
            Column(key="topic", title="Topic", get=lambda row: row[0].name),
            Column(key="words", title="What it tells", get=lambda row: row[0].words),
            Column(key="content", title="Content", get=lambda row: str(row[0].content), choices=True),
            Column(key="judged", title="Judged", get=lambda row: sum(each.next_offset for each in row[1]) or None, shape=Shape.COUNT),
            Column(key="behind", title="Not judged yet", get=_behind, shape=Shape.COUNT),
        ),
    ),
    Table(
        name="deliveries",
        title="Deliveries",
        words="Topics for those without Kafka: webhooks that are called, and streams that are listened to, each with a cursor of its own.",
        teaches="Nobody has asked for a delivery. “A new delivery”, above, begins one; so does `tandem deliveries create`.",
        ask=_deliveries,
        columns=(
            Column(key="name", title="Name", get=lambda row: row.name, link=lambda row: f"/deliveries/{row.name}"),
            Column(key="topic", title="Topic", get=lambda row: row.topic, choices=True),
            Column(key="way", title="How", get=lambda row: row.way, choices=True),
            Column(key="state", title="Stands", get=lambda row: "failing" if row.failing_since else row.state, choices=True),
            Column(key="behind", title="Behind", get=lambda row: row.behind, shape=Shape.COUNT),
            Column(key="delivered", title="Delivered", get=lambda row: row.delivered, shape=Shape.COUNT),
            Column(key="delivered_at", title="Last", get=lambda row: row.delivered_at, shape=Shape.WHEN),
            Column(key="attempts", title="Attempts", get=lambda row: row.attempts, shape=Shape.COUNT),
            Column(key="next_at", title="Next attempt", get=lambda row: row.next_at, shape=Shape.WHEN),
            Column(key="trouble", title="What went wrong", get=lambda row: row.trouble or row.why, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="sources",
        title="Sources",
        words="What tells of changes, how far it has come, and which gaps are open.",
        teaches="No source has begun: start a worker (tandem run).",
        ask=_sources,
        columns=(
            Column(key="source", title="Source", get=lambda row: row[0].source),
            Column(key="saved_ms", title="Position saved", shape=Shape.WHEN,
                   get=lambda row: 0 if row[0].saved_ago_ms is None else row[1] - row[0].saved_ago_ms),
            Column(key="feed_ms", title="Newest change", shape=Shape.WHEN,
                   get=lambda row: 0 if row[0].feed_ago_ms is None else row[1] - row[0].feed_ago_ms),
            Column(key="gaps", title="Open gaps", get=lambda row: "; ".join(row[0].gaps), shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="versions",
        title="Versions of the rules",
        words="The rules that workers have run under, numbered whenever they changed; decisions carry the number.",
        teaches="No worker has started yet: the first one numbers its rules.",
        ask=_versions,
        columns=(
            Column(key="number", title="Version", get=lambda row: row.number, link=lambda row: f"/rules/{row.number}"),
            Column(key="since_ms", title="In use since", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="changed", title="What it changed", get=lambda row: "; ".join(row.changed)),
        ),
    ),
    Table(
        name="hidden",
        title="What is hidden",
        words="What is mapped, and a system doesn't show Tandem's user, or doesn't flow as the mapping says; and what helps.",
        teaches="Nothing that is mapped is hidden.",
        ask=_hidden,
        columns=(
            Column(key="object", title="Records of", get=lambda row: row.object, choices=True),
            Column(key="system", title="In", get=lambda row: str(row.system), shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "all of it"),
            Column(key="sight", title="How it stands", get=lambda row: str(row.sight), choices=True),
            Column(key="why", title="Why", get=lambda row: str(row.why), choices=True),
            Column(key="told", title="What helps", get=lambda row: row.told),
        ),
    ),
    Table(
        name="rules",
        title="Mapping and rules",
        words="Which field is which, where edits flow, and who wins a conflict. It stands in the configuration file.",
        teaches="No field is mapped.",
        ask=_rules,
        columns=(
            Column(key="object", title="Records of", get=lambda row: str(row.object), choices=True),
            Column(key="salesforce", title="In Salesforce", get=lambda row: row.salesforce or "Tandem's own"),
            Column(key="direction", title="Flows", get=lambda row: str(row.direction).replace("_", " "), choices=True),
            Column(key="marketo", title="In Marketo", get=lambda row: row.marketo),
            Column(key="type", title="Type", get=lambda row: str(row.type), choices=True),
            Column(key="conflict", title="In a conflict", get=lambda row: row.conflict, choices=True),
        ),
    ),
    Table(
        name="audit-log",
        title="Audit log",
        words="Who did what by hand, and why; or looked at personal data. It is written before it is done.",
        teaches="Nobody has done anything by hand yet.",
        ask=_deeds,
        role=Role.ADMIN,
        columns=(
            Column(key="number", title="Number", get=lambda row: row.number),
            Column(key="at", title="When", get=lambda row: row.at, shape=Shape.WHEN),
            Column(key="who", title="Who", get=lambda row: row.who, choices=True),
            Column(key="act", title="What", get=lambda row: row.act, choices=True),
            Column(key="what", title="To what", get=lambda row: ", ".join(f"{name}: {told}" for name, told in row.what.items())),
            Column(key="why", title="Why", get=lambda row: row.why),
        ),
    ),
)  # fmt: skip
BY_NAME = {table.name: table for table in TABLES}
