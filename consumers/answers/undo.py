"""Changes undone, by what people call them."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.answers.moments import Unclear, moment_of
from consumers.configuration.loading import Settings
from consumers.desk.undo import Undone, undo
from consumers.desk.undoing import Selection
from consumers.worker.assembly.desk import open_desk
