"""What goes on beside the flow: how long things are kept, the drift audit, the log."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Choice, Whole


class LogLevel(StrEnum):
    """The least important messages that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How messages are written."""

    JSON = "json"
    TEXT = "text"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long is kept what nobody waits for any more. Days; 0 keeps it for ever."""

    decisions_days: Annotated[
        int, Whole("Decisions (`tandem explain`), since they were made; those that Kafka has not taken yet stay", 0, 3_650)
    ] = 90
    dead_letters_days: Annotated[int, Whole("Dead letters, since they were buried; those that Kafka has not taken yet stay", 0, 3_650)] = 90
    cycles_days: Annotated[int, Whole("Reports of reconciliation cycles; the last of each poll stays", 0, 3_650)] = 30
    differences_days: Annotated[int, Whole("What the drift audit has found, since it ended; what still differs stays", 0, 3_650)] = 90
    gaps_days: Annotated[int, Whole("Gaps, since they were closed; open ones stay", 0, 3_650)] = 90
    audit_log_days: Annotated[int, Whole("The audit log (`tandem audit-log`)", 0, 3_650)] = 400
    calls_days: Annotated[int, Whole("What the calls of a day were for", 0, 3_650)] = 400
    errands_days: Annotated[
        int,
        Whole("What flow steps and `tandem person` have asked for, since then; what has not ended, or Marketo waits for, stays", 0, 3_650),
    ] = 30
    deleted_people_days: Annotated[
        int,
        Whole(
            "People without a record on either side, since anything happened to them; 30 at the least, as recycle bins and topics "
            "can bring them back for weeks; those who are held, or owed anything, stay",
            0,
            3_650,
        ),
    ] = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How both sides are compared, record by record, in the background (`tandem drift`)."""

    calls_percent: Annotated[int, Whole("The part of each system's daily calls that it may take; 0: nothing is compared", 0, 100)] = 5
    every_seconds: Annotated[float, Duration("From one proof of all records to the next, where the calls suffice", "1s", "365d")] = 86_400.0
    confirm_seconds: Annotated[
        float,
        Duration(
            "How far apart two readings must say the same before a difference counts; longer than a change takes by the poll", "1s", "1d"
        ),
    ] = 420.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged."""

    level: Annotated[LogLevel, Choice("Least important messages", LogLevel)] = LogLevel.INFO
    format: Annotated[LogFormat, Choice("auto: text on a terminal, JSON elsewhere", LogFormat)] = LogFormat.AUTO
