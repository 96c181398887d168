"""A run, told as a timeline: which step ran where, when, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workflow_studio.compute.api import Event, Run, Step

BAR_WIDTH: Final = 40
_STARTS: Final = frozenset({"step_started", "wait_created", "hook_created"})
_ENDS: Final = frozenset(
    {"step_completed", "step_failed", "step_retrying", "wait_completed", "hook_received", "hook_disposed"}
)


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something was under way; seconds since the run was created."""

    start: float
    end: float


@dataclass(slots=True)
class Row:
    """One step, sleep or hook of a run.

    Attributes:
        name: Name of the function, or what was waited for.
        kind: ``step``, ``sleep`` or ``hook``.
        executor: Id of the executor that ran it; empty for what no process does.
        status: As the worker has it.
        spans: One per attempt of a step.
        until: When a sleep ends.
    """

    name: str
    kind: str
    executor: str = ""
    status: str = ""
    spans: list[Span] = field(default_factory=list)
    until: datetime | None = None

    @property
    def start(self) -> float:
        """When it began."""
        return self.spans[0].start if self.spans else 0.0

    @property
    def busy(self) -> float:
        """How long it was under way, all attempts together."""
        return sum(span.end - span.start for span in self.spans)

    def to_json(self) -> dict[str, object]:
        """Return the row as a ``--json`` document has it; times in milliseconds."""
        return {
            "name": self.name,
            "kind": self.kind,
            "status": self.status,
            "executor": self.executor or None,
            "attempts": [{"startMs": round(span.start * 1000), "endMs": round(span.end * 1000)} for span in self.spans],
        }


def timeline(run: Run, steps: Iterable[Step], events: Sequence[Event], *, now: datetime | None = None) -> list[Row]:
    """Return the rows of a run, in the order in which they began.

    What is open in a run that has not ended goes on until now: a sleep or a hook is ``waiting`` then.

    Args:
        run: The run; times count from its creation.
        steps: Its steps, which tell names and executors.
        events: Its whole log, oldest first.
        now: The time, if not the present one.
    """
    origin = run.created_at or next((event.created_at for event in events if event.created_at), None)
    if origin is None:
        return []
    end_of_run = _seconds(run.completed_at or now or datetime.now(UTC), origin)
    rows: dict[str, Row] = {
        step.step_id: Row(short_name(step.step_name), "step", step.executor_id or "", step.status) for step in steps
    }
    open_since: dict[str, float] = {}
    for event in events:
        identifier: str | None = event.correlation_id
        if identifier is None or event.created_at is None:
            continue
        moment = _seconds(event.created_at, origin)
        if event.event_type in _STARTS:
            row = rows.setdefault(identifier, _waiting_row(event))
            open_since.setdefault(identifier, moment)
        elif event.event_type in _ENDS and identifier in open_since:
            row = rows[identifier]
            row.spans.append(Span(open_since.pop(identifier), moment))
            row.status = row.status or "completed"
    for identifier, start in open_since.items():
        row = rows[identifier]
        row.spans.append(Span(start, max(start, end_of_run)))
        row.status = row.status or ("cancelled" if run.status == "cancelled" else "" if run.finished else "waiting")
    return sorted((row for row in rows.values() if row.spans), key=lambda row: row.start)


def bar(spans: Iterable[Span], total: float, *, width: int = BAR_WIDTH, fill: str = "█", empty: str = "·") -> str:
    """Return a line of ``width`` characters in which the spans are filled; each one takes at least one character.

    Args:
        spans: What to draw, in seconds.
        total: The length of the whole line in seconds.
        width: Characters.
        fill: One character.
        empty: One character.
    """
    cells = [empty] * width
    for span in spans:
        first = min(int(span.start / total * width), width - 1) if total > 0 else 0
        last = min(max(int(span.end / total * width), first + 1), width) if total > 0 else 1
        cells[first:last] = [fill] * (last - first)
    return "".join(cells)


def short_name(identifier: str) -> str:
    """Return the function's name from a workflow or step id, such as ``step//./workflows/order//charge``."""
    return identifier.rsplit("//", 1)[-1]


def duration(seconds: float) -> str:
    """Return a duration as ``12 ms`` or ``1.25 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def end_of_sleep(event: Event) -> datetime | None:
    """Return when the sleep ends that an event begins, if it says so."""
    try:
        return datetime.fromisoformat(str((event.event_data or {}).get("resumeAt")))
    except ValueError:
        return None


def _waiting_row(event: Event) -> Row:
    if event.event_type == "wait_created":
        return Row("sleep", "sleep", until=end_of_sleep(event))
    return Row("hook", "hook")


def _seconds(moment: datetime, origin: datetime) -> float:
    return max((moment - origin) / timedelta(seconds=1), 0.0)
