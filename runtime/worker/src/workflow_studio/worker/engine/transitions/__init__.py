"""The rules of the event log, as pure functions: event, snapshot and time in, decision or refusal out.

Nothing here reads or writes anything, so a property test can drive it against a reference model. The rules are those
that the Workflow SDK's runtime relies on (source: ``@workflow/world`` 4.5.0, ``@workflow/world-postgres`` 4.3.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workflow_studio.worker.engine.transitions.hooks import hook_created, hook_disposed, hook_received
from workflow_studio.worker.engine.transitions.model import (
    SPEC_VERSION,
    TERMINAL,
    Change,
    Decision,
    Delete,
    Entity,
    EventInput,
    HookState,
    Insert,
    NewEvent,
    RunState,
    Snapshot,
    StepState,
    Update,
    WaitState,
)
from workflow_studio.worker.engine.transitions.runs import (
    run_cancelled,
    run_completed,
    run_created,
    run_failed,
    run_started,
)
from workflow_studio.worker.engine.transitions.steps import (
    step_completed,
    step_created,
    step_failed,
    step_retrying,
    step_started,
)
from workflow_studio.worker.engine.transitions.waits import wait_completed, wait_created

if TYPE_CHECKING:
    from collections.abc import Callable

_RULES: Final[dict[str, Callable[[EventInput, Snapshot, int], Decision]]] = {
    "run_created": run_created,
    "run_started": run_started,
    "run_completed": run_completed,
    "run_failed": run_failed,
    "run_cancelled": run_cancelled,
    "step_created": step_created,
    "step_started": step_started,
    "step_completed": step_completed,
    "step_failed": step_failed,
    "step_retrying": step_retrying,
    "hook_created": hook_created,
    "hook_received": hook_received,
    "hook_disposed": hook_disposed,
    "wait_created": wait_created,
    "wait_completed": wait_completed,
}

EVENT_TYPES: Final = frozenset(_RULES)
"""The events that a caller may create. The World alone writes ``hook_conflict``."""


def decide(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Return what follows from an event.

    Args:
        event: The event, with a type of :data:`EVENT_TYPES`.
        snapshot: What is stored about the entities that it names.
        now: Epoch milliseconds.

    Raises:
        WorldError: If the event is refused; then nothing is to be changed.
    """
    return _RULES[event.event_type](event, snapshot, now)


__all__ = [
    "EVENT_TYPES",
    "SPEC_VERSION",
    "TERMINAL",
    "Change",
    "Decision",
    "Delete",
    "Entity",
    "EventInput",
    "HookState",
    "Insert",
    "NewEvent",
    "RunState",
    "Snapshot",
    "StepState",
    "Update",
    "WaitState",
    "decide",
]
