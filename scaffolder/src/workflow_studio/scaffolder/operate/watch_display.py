"""How a watched run is shown: lines, a live screen on a terminal, JSON lines for programs."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.operate.run_details import failure
from workflow_studio.scaffolder.operate.show import STYLES, document, event_document, took, value, when
from workflow_studio.scaffolder.operate.timeline import end_of_sleep, short_name
from workflow_studio.scaffolder.output import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.live import Live

    from workflow_studio.client import Event, Run, Step, TransportError
    from workflow_studio.compute.api import OutputLine
    from workflow_studio.scaffolder.output import Output

_ACTIVE_STEPS: Final = 6
_EVENT_STYLES: Final = {
    "run_completed": "bold green",
    "run_failed": "bold red",
    "run_cancelled": "bold magenta",
    "step_completed": "green",
    "step_failed": "red",
    "step_retrying": "yellow",
}

_STEP_ERRORS: Final = frozenset({"step_retrying", "step_failed"})

LEVEL_STYLES: Final = {"debug": "dim", "warn": "yellow", "error": "red"}
"""How lines of output look, by their level."""


class TextDisplay:
    """One line for each event."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lost = False
        self._attempts: Counter[str] = Counter()

    def status(self, run: Run, steps: dict[str, Step]) -> None:  # noqa: ARG002 - a display's method
        """Take note that the worker answers."""
        self._lost = False

    def event(self, event: Event, step: Step | None) -> None:
        """Print an event: its time, its type, what it is about."""
        about = event.correlation_id or ""
        if event.event_type == "step_started":
            self._attempts[about] += 1  # the step itself knows its last attempt only
        line = line_of(event, step, self._attempts[about])
        style = _EVENT_STYLES.get(event.event_type)
        self._output.print(line, style=style)
        if error := error_of(event):
            self._output.print(f"{'':14}{error}", style=style)

    def line(self, line: OutputLine) -> None:
        """Print a line that the run's code printed."""
        self._output.print(text_of(line), style=LEVEL_STYLES.get(line.level))

    def trouble(self, error: TransportError) -> None:
        """Say once that the worker is away."""
        if not self._lost:
            self._lost = True
            self._output.note(f"{error.message} Trying again until it answers.", style="yellow")

    def end(self, run: Run) -> None:
        """Print how the run ended."""
        self._output.print()
        summary = f"{short_name(run.workflow_name)} {run.status} after {took(run.created_at, run.completed_at)}"
        self._output.print(summary, style=f"bold {STYLES.get(run.status, '')}".strip())
        if run.error is not None:
            self._output.facts({"Error": (failure(run.error), "red")})
        elif run.status == "completed":
            self._output.facts({"Result": value(run.output)})


class LiveDisplay(TextDisplay):
    """Lines, and below them what is under way now."""

    def __init__(self, output: Output, live: Live) -> None:
        super().__init__(output)
        self._live = live

    def status(self, run: Run, steps: dict[str, Step]) -> None:
        """Redraw what is under way."""
        super().status(run, steps)
        from rich.text import Text  # noqa: PLC0415 - as in workflow_studio.scaffolder.output

        lines = [f"{short_name(run.workflow_name)} {run.status} for {took(run.created_at, run.completed_at)}"]
        active = [step for step in steps.values() if step.status in {"pending", "running"}]
        for step in active[:_ACTIVE_STEPS]:
            attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
            lines.append(
                f"  {short_name(step.step_name)} {step.status}{attempt} {took(step.started_at, None)}".rstrip()
            )
        if len(active) > _ACTIVE_STEPS:
            lines.append(f"  and {len(active) - _ACTIVE_STEPS} more steps")
        shown = Text(clean("\n".join(lines)), "cyan", no_wrap=True, overflow="ellipsis")
        self._live.update(shown, refresh=True)


class JsonDisplay:
    """One JSON object for each event, and for each change of the run's status."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._status: str | None = None

    def status(self, run: Run, steps: dict[str, Step]) -> None:  # noqa: ARG002 - a display's method
        """Write the run when its status is another."""
        if run.status != self._status and not run.finished:
            self._output.line({"type": "run", "run": document(run)})
        self._status = run.status

    def event(self, event: Event, step: Step | None) -> None:
        """Write an event."""
        about = {"step": short_name(step.step_name)} if step else {}
        self._output.line({"type": "event", **about, "event": event_document(event)})

    def line(self, line: OutputLine) -> None:
        """Write a line that the run's code printed."""
        self._output.line({"type": "output", "line": document(line)})

    def trouble(self, error: TransportError) -> None:
        """Write that the worker is away."""
        self._output.line({"type": "trouble", "code": error.code, "message": error.message})

    def end(self, run: Run) -> None:
        """Write the run as it ended, with its result or error."""
        self._output.line({"type": "end", "ok": run.status == "completed", "run": document(run)})


AnyDisplay = TextDisplay | JsonDisplay


@contextmanager
def display_for(output: Output) -> Iterator[AnyDisplay]:
    """Show a run in the way that fits standard output."""
    if output.json_mode:
        yield JsonDisplay(output)
    elif output.stdout.is_terminal and not output.stdout.is_dumb_terminal:
        from rich.live import Live  # noqa: PLC0415 - as in workflow_studio.scaffolder.output

        with Live(console=output.stdout, transient=True, auto_refresh=False, redirect_stderr=False) as live:
            yield LiveDisplay(output, live)
    else:
        yield TextDisplay(output)


def text_of(line: OutputLine) -> str:
    """Return a line of output as it is shown: its time, who printed it, how urgent it is, its text."""
    moment = line.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
    source = short_name(line.step_name) if line.step_name else "workflow" if line.step_id is None else line.step_id
    attempt = f" ({line.attempt})" if line.attempt > 1 else ""
    return f"{moment}  {line.level:<5}  {source}{attempt}: {line.text}"


def line_of(event: Event, step: Step | None, attempt: int = 1) -> str:
    """Return an event as a line: time of day, type, what it is about.

    Args:
        event: The event.
        step: The step it is about.
        attempt: Which attempt of the step it is about.
    """
    moment = event.created_at.astimezone().strftime("%H:%M:%S.%f")[:-3] if event.created_at else ""
    return f"{moment}  {event.event_type:<18} {_about(event, step, attempt)}".rstrip()


def error_of(event: Event) -> str | None:
    """Return the message of the error that an event of a step carries, in one line."""
    error = (event.event_data or {}).get("error") if event.event_type in _STEP_ERRORS else None
    message = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(message).split()) if message else None


def _about(event: Event, step: Step | None, attempt: int) -> str:
    if step is not None:
        which = f" (attempt {attempt})" if event.event_type == "step_started" and attempt > 1 else ""
        return short_name(step.step_name) + which
    if event.event_type == "wait_created" and (end := end_of_sleep(event)):
        return f"until {when(end)}"
    if event.event_type.startswith("run_"):
        return ""
    return event.correlation_id or ""
