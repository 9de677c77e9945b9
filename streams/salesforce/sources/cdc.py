"""Change Data Capture as a source: change events as they arrive, from a position, through whatever the stream goes through."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import assert_never

import msgspec
import structlog

from streams.ground import clock
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.entity import Entity
from streams.salesforce.api.money import Money
from streams.salesforce.sources.arrivals import Connect, StreamClient
from streams.salesforce.sources.comet import CometClient
from streams.salesforce.sources.decode import Decoded, Hole, decode_message
from streams.salesforce.sources.endings import End, Ending
from streams.salesforce.sources.forms import Forms
from streams.wire.errors import Cause, Fatal, Gap, Retry
from streams.wire.events import Batch, ChangeEvent, DeadLetter
from streams.wire.systems import Object

log = structlog.get_logger(__name__)

NEW_ONLY, RETAINED = -1, -2
"""Replay ids with a meaning: only what is new; everything retained (72 hours)."""
_RETAINED_MS = 72 * 3_600_000
_MESSAGES_MAX = 1000
_FAILURES_MAX = 8
_ALIVE_SECONDS, _HEARD_SECONDS = 5.0, 15.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The position as JSON: everything up to `replay_id` on this channel was yielded; `at` is when that was committed (ms).

    `epoch`: the numbering that the replay ids belong to, by when it began (ms, ours).
    """

    channel: str
    replay_id: int
    at: int = 0
    epoch: int = 0

    def text(self) -> str:
        """As saved."""
        return msgspec.json.encode(self).decode()


class CdcSource:
    """Salesforce's stream of changes to the records of `entities` (those of them that it can tell of).

    `fields`: those wanted of each object (None: all), or who tells which they are at the moment.
    `money`: how amounts in several currencies are told in one.
    `changes_channel`: the channel is another one now and then, while it is followed: it goes on with what is new there, and a `Gap` tells
    from when on the other one had to be read; else with everything retained.
    `connect`: by which protocol the stream is read (CometD, unless said otherwise). The replay ids are the same in all of them, so are
    the events: a position goes on under another protocol.
    `drifted` is awaited before the first event of another form (`schema`) than its object's events had before.
    Yields within milliseconds of arrival; reads the wire whether or not the
    consumer keeps up (`pending` counts what waits). A batch's position is the last replay id of which all events are known to have
    arrived: events of one replay id may come apart (enriched channels), so after a restart the last one may come again.
    While nothing comes an empty batch says now and then that the stream is alive; `caught_up` then says that the server has answered
    within the last seconds. When more waits than `stream_pending_max` the stream is left alone until that was passed on, and asked for
    the rest then: what it no longer has is a gap.
    Reconnects by itself; raises `Gap` (with `resume`) for a lost position, an overflow, a field type change; `Retry` when the server
    wants quiet, an allocation is used up, or the stream can't be kept open; `Fatal` for configuration and permissions.
    """

    name = "salesforce.cdc"

    def __init__(
        self,
        session: Session,
        *,
        entities: Iterable[Entity],
        fields: Mapping[Object, Iterable[str]] | Callable[[], Mapping[Object, frozenset[str]]] | None = None,
        drifted: Callable[[], Awaitable[None]] | None = None,
        money: Money | None = None,
        connect: Connect | None = None,
        changes_channel: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self.last_heard_ms = 0
        """When the server last answered a connect, on our clock."""
        self.clients = 0
        self.ignored: Counter[str] = Counter()
        """Events of entities that aren't ours, by name."""
        self.ends: Counter[str] = Counter()
        """Why clients ended, by kind."""
        self._session = session
        self._settings = session.settings
        self._entities = {entity.name: entity for entity in entities if entity.stream}
        self._wanted = fields if callable(fields) else _fixed(fields)
        self._drifted, self._forms, self._money = drifted, Forms(), money
        self._anew = NEW_ONLY if changes_channel else RETAINED
        self._sleep, self._monotonic, self._now_ms = sleep, monotonic, now_ms
        self._connect: Connect = connect or self._by_cometd
        self._client: StreamClient | None = None
        self._told_alive = monotonic()

    @property
    def pending(self) -> int:
        """Messages that arrived and were not yet yielded."""
        return len(self._client.wire.messages) if self._client else 0

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` (None: the configured beginning), for ever. A fresh start begins with an empty batch: it carries the position."""
        progress = _Progress(self._begin(position))
        failures = 0
        while True:
            client = self._client = self._connect(progress.safe.replay_id)
            self.clients += 1
            progress.rewind()
            opened, seen = self._monotonic(), progress.messages
            try:
                await client.open()
                self._look_back(client, progress)
                if client.end is None and progress.safe.replay_id == NEW_ONLY:
                    # a restart before the first event must not skip what came meanwhile
                    progress.start_over(msgspec.structs.replace(progress.safe, replay_id=RETAINED, at=self._server_ms()))
                    yield Batch(events=[], position=progress.safe.text())
                while client.end is None or client.wire.messages:
                    if client.wire.messages:
                        if self._drifted is not None and self._forms.is_new(client.wire.messages[0]):
                            await self._drifted()
                        batch, hole = self._take(client, progress)
                        yield batch
                        _raise_hole(hole, progress)
                    elif progress.settle(quiet=client.wire.quiet, reached=client.wire.reached):
                        yield Batch(events=[], position=progress.safe.text(), caught_up=True)
                    elif (alive := self._alive(client, progress)) is not None:
                        yield alive
                    else:
                        await client.wait()
                    self._heard(client)
            finally:
                await client.close()
            lived = self._monotonic() - opened > self._settings.stream_backoff_max_seconds
            failures = 1 if lived or progress.messages > seen else failures + 1
            await self._recover(client, progress, failures)

    def _by_cometd(self, replay_id: int) -> StreamClient:
        return CometClient(self._session, channel=self._settings.channel, replay_id=replay_id, monotonic=self._monotonic)

    def _alive(self, client: StreamClient, progress: "_Progress") -> Batch | None:
        """The sign of life that is due, if one is."""
        now = self._monotonic()
        if client.end is not None or now < self._told_alive + _ALIVE_SECONDS:
            return None
        self._told_alive = now
        if progress.safe == progress.last and progress.safe.replay_id == RETAINED and client.wire.hears(_HEARD_SECONDS):
            # nothing has happened yet: that much is known up to now
            progress.start_over(msgspec.structs.replace(progress.safe, at=max(progress.safe.at, self._server_ms())))
        return Batch(events=[], position=progress.safe.text(), caught_up=client.wire.hears(_HEARD_SECONDS))

    def _begin(self, position: str | None) -> Mark:
        if position is None:
            start = RETAINED if self._settings.stream_from_retained else NEW_ONLY
            return Mark(channel=self._settings.channel, replay_id=start, epoch=self._now_ms())
        try:
            mark = msgspec.json.decode(position, type=Mark)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            unknown = Mark(channel=self._settings.channel, replay_id=RETAINED)
            raise self._begun_anew(f"the saved position of {self.name} can't be read ({error})", unknown, Cause.REPLAY_ID) from error
        if mark.channel != self._settings.channel:
            # replay ids belong to their channel
            raise self._begun_anew(
                f"the stream's channel was changed from {mark.channel} to {self._settings.channel}", mark, anew=self._anew
            )
        return mark

    def _begun_anew(self, words: str, mark: Mark, cause: Cause = Cause.NUMBERING, *, anew: int = RETAINED) -> Gap:
        """The replay ids from now on have nothing to do with those before."""
        epoch = max(self._now_ms(), mark.epoch + 1)
        fresh = Mark(channel=self._settings.channel, replay_id=anew, at=self._server_ms(), epoch=epoch)
        return Gap(words, since_ms=mark.at or None, resume=fresh.text(), cause=cause)

    def _look_back(self, client: StreamClient, progress: "_Progress") -> None:
        """Everything retained may not be everything since: the server refuses an expired replay id, not a position before the first."""
        mark, now = progress.safe, self._server_ms()
        if client.end is None and mark.replay_id == RETAINED and mark.at and now - mark.at > _RETAINED_MS:
            hours = (now - mark.at) // 3_600_000
            words = f"the stream was last followed {hours} hours ago, and keeps events for {_RETAINED_MS // 3_600_000}"
            raise self._begun_anew(words, mark, Cause.REPLAY_ID)

    def _take(self, client: StreamClient, progress: "_Progress") -> tuple[Batch, Hole | None]:
        events: list[ChangeEvent] = []
        dead: list[DeadLetter] = []
        hole: Hole | None = None
        waiting, fields = client.wire.messages, self._wanted()
        for place in range(min(len(waiting), _MESSAGES_MAX)):
            if place and self._drifted is not None and self._forms.differs(waiting[0]):
                break
            decoded = decode_message(waiting.popleft(), self._entities, fields, progress.safe.epoch, self._money)
            if decoded.replay_id is not None and decoded.replay_id < progress.safe.replay_id:
                raise self._begun_anew(f"the stream's replay ids fell from {progress.safe.replay_id} to {decoded.replay_id}", progress.safe)
            if decoded.ignored:
                self.ignored[decoded.ignored] += 1
            progress.passed(decoded)
            events += decoded.events
            dead += decoded.dead
            hole = decoded.hole
            if hole is not None:
                break
        return Batch(events=events, position=progress.safe.text(), dead=dead, caught_up=client.end is None and not waiting), hole

    def _heard(self, client: StreamClient) -> None:
        if client.wire.answers:
            self.last_heard_ms = int((time.time() - (self._monotonic() - client.wire.last_heard)) * 1000)

    def _server_ms(self) -> int:
        return self._session.server_now_ms() or 0

    async def _recover(self, client: StreamClient, progress: "_Progress", failures: int) -> None:
        """After a client's end: wait as the reason demands, or raise."""
        end = client.end or End(kind=Ending.RECONNECT, words="closed")
        self.ends[end.kind] += 1
        log.warning("salesforce.stream_ended", kind=str(end.kind), words=end.words, failures=failures)
        match end.kind:
            case Ending.RECONNECT | Ending.LOG_IN:
                if failures >= _FAILURES_MAX:
                    raise Retry(f"the stream can't be kept open: {end.words}", after_seconds=self._settings.stream_backoff_max_seconds)
                if end.kind is Ending.LOG_IN and client.token is not None:
                    await self._session.refresh(client.token)
                await self._pause(failures)
            case Ending.BUSY:
                raise Retry(f"the stream's server wants quiet: {end.words}", after_seconds=self._settings.stream_busy_pause_seconds)
            case Ending.LIMIT:
                words = f"an allocation of the stream is used up: {end.words}"
                raise Retry(words, after_seconds=self._settings.stream_limit_pause_seconds)
            case Ending.REPLAY_LOST:
                raise self._begun_anew(f"the stream no longer holds position {progress.safe.replay_id}", progress.safe, Cause.REPLAY_ID)
            case Ending.REFUSED:
                raise Fatal(f"Salesforce refuses the stream: {end.words}.", remedy=end.remedy)
            case _:
                assert_never(end.kind)

    async def _pause(self, failures: int) -> None:
        if failures > 1:
            longest = min(self._settings.stream_backoff_seconds * 2 ** (failures - 1), self._settings.stream_backoff_max_seconds)
            await self._sleep(longest * random.uniform(0.5, 1.0))


class _Progress:
    """How far the stream was read. `safe` trails the last replay id by one until that is known to be complete."""

    def __init__(self, start: Mark) -> None:
        self.safe = start
        self.last = start
        self.messages = 0

    def rewind(self) -> None:
        """A new client begins behind `safe`: what came after it comes again."""
        self.last = self.safe

    def start_over(self, mark: Mark) -> None:
        self.safe = self.last = mark

    def passed(self, decoded: Decoded) -> None:
        self.messages += 1
        if decoded.replay_id is not None and decoded.replay_id != self.last.replay_id:
            self.safe = self.last
            self.last = msgspec.structs.replace(self.safe, replay_id=decoded.replay_id, at=max(decoded.at, self.safe.at))

    def settle(self, *, quiet: bool, reached: int) -> bool:
        """Take the last one for complete when the server had nothing more to say, or has said that it is further (`reached`; nothing for
        us lies between). Whether that moved the position."""
        if reached > max(self.last.replay_id, 0):
            self.last = msgspec.structs.replace(self.last, replay_id=reached)
            quiet = True
        if quiet and self.safe != self.last:
            self.safe = self.last
            return True
        return False


def _fixed(fields: Mapping[Object, Iterable[str]] | None) -> Callable[[], Mapping[Object, frozenset[str]] | None]:
    fixed = None if fields is None else {obj: frozenset(names) for obj, names in fields.items()}
    return lambda: fixed


def _raise_hole(hole: Hole | None, progress: _Progress) -> None:
    if hole is not None:
        words = f"the stream lost track of {hole.object}: {hole.reason}"
        raise Gap(words, since_ms=hole.since_ms, resume=progress.last.text(), object=hole.object, cause=hole.cause)
