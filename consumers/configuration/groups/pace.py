"""How often, how many at once, how long."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Choice, Whole


class Reads(StrEnum):
    """Whether a target is read before it is written."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSettings:
    """How often the systems are asked, and how long is waited."""

    poll_seconds: Annotated[float, Duration("Between two cycles of the reconciliation poll", "1s", "1d")] = 300.0
    overlap_seconds: Annotated[float, Duration("How far a cycle reads back behind its watermark", "0s", "1d")] = 600.0
    activities_min_seconds: Annotated[float, Duration("Between two looks at Marketo's activities while there is news", "200ms", "1h")] = 1.0
    activities_max_seconds: Annotated[float, Duration("The same while there is none, or calls run short", "200ms", "1h")] = 15.0
    describe_seconds: Annotated[float, Duration("Between two looks at which fields both systems have and show", "1s", "1d")] = 900.0
    allowances_seconds: Annotated[
        float, Duration("Between two looks at what others on the account have used of the day, and what is left of the events", "1s", "1h")
    ] = 300.0
    lateness_seconds: Annotated[float, Duration("How long a change waits for one before it that is missing in the feed", "1s", "1d")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleSettings:
    """How owed writes are made."""

    salesforce_records_max: Annotated[int, Whole("Records a call to Salesforce", 1, 200)] = 200
    marketo_records_max: Annotated[int, Whole("Records a call to Marketo", 1, 300)] = 300
    salesforce_calls_at_once: Annotated[int, Whole("Writing calls of one worker under way at once", 1, 25)] = 4
    marketo_calls_at_once: Annotated[int, Whole("Writing calls of one worker under way at once", 1, 10)] = 6
    read_salesforce: Annotated[
        Reads, Choice("Whether Salesforce is read before it is written; `auto`: unless its feed is proven fresh and calls are short", Reads)
    ] = Reads.AUTO
    read_marketo: Annotated[
        Reads, Choice("Whether Marketo is read before it is written; `auto`: what was just edited, while calls are plenty", Reads)
    ] = Reads.AUTO
    gather_at_most_seconds: Annotated[
        float, Duration("How long edits may wait to share a call, where the day's calls would not last otherwise; 0s: never", "0s", "1h")
    ] = 60.0
    lease_seconds: Annotated[float, Duration("How long an unanswered call is waited for before it is taken for lost", "5s", "1h")] = 300.0
