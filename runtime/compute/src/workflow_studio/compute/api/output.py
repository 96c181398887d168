"""What runs print."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import StepId

OutputLevel = Literal["debug", "info", "warn", "error"]
"""What a line can be, from the least to the most urgent."""


class OutputLine(Answer):
    """A line that the code of a run printed.

    Attributes:
        position: Its place in the run's output, from 1. There are gaps where lines were dropped.
        step_id: The step that printed it; absent for the workflow function.
        step_name: The step's name.
        attempt: The attempt that printed it.
        level: ``debug``, ``info``, ``warn`` or ``error``.
        at: When it was printed.
        text: The line, without escape sequences; other control characters are written out, as JSON has them.
    """

    position: int
    step_id: StepId | None = None
    step_name: str | None = None
    attempt: int = 1
    level: OutputLevel
    at: datetime
    text: str


class OutputPage(Answer):
    """A part of a run's output, oldest first.

    Attributes:
        data: The lines.
        cursor: What to ask with for the lines after these, also for those that are not there yet.
        has_more: Whether there are more now.
        dropped: How many lines of the run are not kept: there is a limit, and the newest are kept.
        finished: Whether the run has ended. What its steps left behind may print on.
    """

    data: tuple[OutputLine, ...]
    cursor: str | None = None
    has_more: bool = False
    dropped: int = 0
    finished: bool = False
