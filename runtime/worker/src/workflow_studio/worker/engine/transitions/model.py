"""What a transition works on: an event, a snapshot of what is stored, and the decision that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SPEC_VERSION: Final = 3
"""The newest World protocol that runs may be created at (source: ``@workflow/world`` 4.5.0)."""

LEGACY_SPEC_VERSION: Final = 1
"""Runs at this version or none were stored without an event log; this World never had any."""

TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
"""States that a run or step never leaves."""

Entity = Literal["run", "step", "hook", "wait"]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventInput:
    """An event that a caller wants to append; its shape has been checked.

    Attributes:
        run_id: The run, which need not exist.
        correlation_id: The step, hook or wait; empty for run events.
        data: ``eventData`` as it arrived.
        spec_version: The protocol of whoever writes it.
    """

    run_id: str
    event_type: str
    correlation_id: str = ""
    data: Values = field(default_factory=dict)
    spec_version: int | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """What a transition needs to know of a run."""

    status: str
    spec_version: int | None
    started_at: int | None = None
    last_event_at: int = 0


@dataclass(frozen=True, slots=True)
class StepState:
    """What a transition needs to know of a step."""

    status: str
    attempt: int
    started_at: int | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class HookState:
    """A live hook."""

    run_id: str
    hook_id: str


@dataclass(frozen=True, slots=True)
class WaitState:
    """What a transition needs to know of a wait."""

    status: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is stored about the entities that an event names.

    Attributes:
        run: The event's run.
        step: The step with the event's correlation id.
        hook: The live hook with the event's correlation id.
        wait: The wait with the event's correlation id.
        token_holder: For hook_created: whoever holds the token.
        hook_known: For hook_created: whether the log has a hook_created or hook_conflict of this hook.
    """

    run: RunState | None = None
    step: StepState | None = None
    hook: HookState | None = None
    wait: WaitState | None = None
    token_holder: HookState | None = None
    hook_known: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """Store an entity. The ids come from the event."""

    entity: Entity
    values: Values


@dataclass(frozen=True, slots=True)
class Update:
    """Change the entity that the event names."""

    entity: Entity
    values: Values


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the entity that the event names, or (``whole_run``) all of the run's."""

    entity: Entity
    whole_run: bool = False


Change = Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An entry to append to the log. ``data`` of None is stored as no eventData."""

    event_type: str
    correlation_id: str = ""
    data: Values | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an event.

    Attributes:
        at: The time of it all, in epoch milliseconds.
        changes: In the order in which they must be made.
        events: What to append, in order; nothing if the event was recorded before.
        answers_with: The entity to return beside the event.
    """

    at: int
    changes: tuple[Change, ...]
    events: tuple[NewEvent, ...]
    answers_with: Entity | None = None


def is_legacy(spec_version: int | None) -> bool:
    """Tell whether a run of this spec version predates event logs."""
    return spec_version is None or spec_version <= LEGACY_SPEC_VERSION


def event_time(now: int, run: RunState | None) -> int:
    """Return the time to stamp: workflow code sees it as the current time, so it never runs backwards."""
    return now if run is None else max(now, run.last_event_at)


def as_sent(event: EventInput) -> NewEvent:
    """Return the log entry that keeps the event as it arrived."""
    return NewEvent(event.event_type, event.correlation_id, dict(event.data) or None)


def error_of(value: Any, stack: Any = None) -> Any:
    """Return an error as the SDK reads it back: ``{message, stack?}``, or bytes as they are (SDK 5)."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        message = value.get("message")
        stack = value.get("stack") if stack is None else stack
    else:
        message = value
    error: dict[str, Any] = {"message": message if isinstance(message, str) else "Unknown error"}
    if isinstance(stack, str):
        error["stack"] = stack
    return error
