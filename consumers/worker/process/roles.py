"""The long-running parts of a worker, kept going: started together, restarted when they fail, stopped together."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from streams.wire.errors import Fatal

STOP_SECONDS = 7.5
_CANCEL_SECONDS = 1.0
"""With what the shell needs to close, the whole stays within the ten seconds that a container is given."""
_BACKOFF_SECONDS = (0.5, 60.0)
_GOOD_RUN_SECONDS = 60.0


def _always_ready() -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One part of a worker.

    `run` works until the event is set, then finishes what it has in hand and returns; returning earlier means that it is done for
    good. Raises `Fatal` when the configuration or a permission is wrong from the start: that ends the process. Whatever else it
    raises is a defect or an outage that it could not wait out: it is started again. `ready` says why it isn't (None: it is).
    """

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    ready: Callable[[], str | None] = _always_ready


class Supervisor:
    """Runs roles. `restarted` is told the name of each role that is started again; `fatal` is set when the process has to end."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        restarted: Callable[[str], None] = lambda _: None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._roles = roles
        self._restarted = restarted
        self._wait = wait
        self._stop = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._states = {role.name: "not started yet" for role in roles}
        self._log = structlog.get_logger("consumers.worker.process.roles")
        self.fatal: Fatal | None = None
        self.ended = asyncio.Event()
        """Set when every role is done for good, or one has failed for good."""

    def start(self) -> None:
        """Start every role."""
        for role in self._roles:
            task = asyncio.create_task(self._keep_going(role), name=f"role {role.name}")
            task.add_done_callback(self._look_for_the_end)
            self._tasks[role.name] = task

    async def stop(self, seconds: float = STOP_SECONDS) -> list[str]:
        """Ask all to finish, wait so long at the most, then cancel; the names of those that had to be cancelled."""
        self._stop.set()
        if not self._tasks:
            return []
        await asyncio.wait(self._tasks.values(), timeout=seconds)
        late = [name for name, task in self._tasks.items() if not task.done()]
        for name in late:
            self._log.warning("role did not finish in time, cancelled", role=name)
            self._tasks[name].cancel()
        if late:
            await asyncio.wait([self._tasks[name] for name in late], timeout=_CANCEL_SECONDS)
        return late

    def unready(self) -> dict[str, str]:
        """By role: why it isn't ready. Empty: all are."""
        reasons = {role.name: self._states[role.name] or role.ready() for role in self._roles}
        return {name: reason for name, reason in reasons.items() if reason}

    async def _keep_going(self, role: Role) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            self._states[role.name] = ""
            started = loop.time()
            try:
                await role.run(self._stop)
            except Fatal as error:
                self._states[role.name] = f"failed for good: {error}"
                self._log.error("role failed for good", role=role.name, error=str(error))
                self.fatal = self.fatal or error
                return
            except asyncio.CancelledError:
                if self._told_to_end():
                    self._states[role.name] = "ended"
                    raise
                failures += 1
                await self._cool_down(role, RuntimeError("something inside of it was cancelled"), failures)
            except Exception as error:  # noqa: BLE001 (the supervisor: whatever a role raises, the others go on)
                failures = 1 if loop.time() - started > _GOOD_RUN_SECONDS else failures + 1
                await self._cool_down(role, error, failures)
            else:
                self._log.info("role finished", role=role.name)
                return

    @staticmethod
    def _told_to_end() -> bool:
        """Whether a cancellation was meant for the role itself, not let out by something that it had waited for."""
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0

    async def _cool_down(self, role: Role, error: Exception, failures: int) -> None:
        shortest, longest = _BACKOFF_SECONDS
        seconds = random.uniform(shortest, min(longest, shortest * 2.0 ** min(failures, 10)))
        self._states[role.name] = f"failed ({type(error).__name__}: {error}); started again in {seconds:.0f} s"
        self._log.error("role failed, starting it again", role=role.name, failures=failures, seconds=round(seconds, 1), exc_info=error)
        self._restarted(role.name)
        pause, stop = asyncio.ensure_future(self._wait(seconds)), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({pause, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            stop.cancel()

    def _look_for_the_end(self, _: asyncio.Task[None]) -> None:
        if self.fatal is not None or all(task.done() for task in self._tasks.values()):
            self.ended.set()
