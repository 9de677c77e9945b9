"""Carrying out: requests of one sort in calls as large as can be. What fails one of them is found by trying each alone, and stops no
neighbour."""

from collections.abc import Mapping, Sequence

import structlog

from consumers.errands.actions.calling import Action
from consumers.errands.errand import Failed, Later, Outcome, Ready
from streams.wire.errors import Fatal, Reject, Retry, SyncError

DEFECT, REFUSED = "DEFECT", "REFUSED"
FATAL_SECONDS = 60.0
"""What only a person can mend is tried again so often: whoever asked is served once it is."""
_log = structlog.get_logger("consumers.errands")


class Carrying:
    """Carries out what is ready. `actions`: by the type of request. `trouble`: what only a person can mend, None where nothing is."""

    def __init__(self, actions: Mapping[type, Action]) -> None:
        self._actions = actions
        self.trouble: str | None = None

    async def carry_out(self, ready: Sequence[Ready]) -> dict[int, Outcome]:
        """An outcome for each."""
        self.trouble = None
        outcomes: dict[int, Outcome] = {}
        for kind, action in self._actions.items():
            mine = [each for each in ready if type(each.errand.request) is kind]
            for start in range(0, len(mine), action.most):
                outcomes |= await self._tried(action, mine[start : start + action.most])
        return outcomes

    async def _tried(self, action: Action, part: Sequence[Ready]) -> dict[int, Outcome]:
        """What Salesforce doesn't answer now is asked again later. What it refuses as a whole, or what breaks, is tried one by one."""
        try:
            return dict(await action.carry_out(part))
        except Retry as error:
            return {each.errand.id: Later(reason=str(error), after_seconds=error.after_seconds) for each in part}
        except Fatal as error:
            self.trouble = str(error)
            return {each.errand.id: Later(reason=str(error), after_seconds=FATAL_SECONDS) for each in part}
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them, the others go on
            if len(part) == 1:
                return {part[0].errand.id: _failed(error)}
        outcomes: dict[int, Outcome] = {}
        for each in part:
            outcomes |= await self._tried(action, [each])
        return outcomes


def _failed(error: Exception) -> Failed:
    """Why one that was tried alone can't be done."""
    if isinstance(error, SyncError):
        return Failed(code=(error.code if isinstance(error, Reject) else "") or REFUSED, reason=str(error))
    _log.error("an errand could not be carried out", exc_info=error)
    return Failed(code=DEFECT, reason=f"a fault in Tandem ({type(error).__name__}); its log says more")
