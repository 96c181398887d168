"""The engine's refusals, each with a stable code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflow_studio.compute.codes import ErrorCode


class EngineError(Exception):
    """A request of the public lane was refused.

    Args:
        code: The stable code.
        message: What happened, in a sentence.
        status: The HTTP status that says the same.
        recovery: What to do next, in a sentence.
    """

    def __init__(self, code: ErrorCode, message: str, *, status: int, recovery: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.recovery = recovery
