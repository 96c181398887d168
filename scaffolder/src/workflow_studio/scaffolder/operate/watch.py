"""Follow a run: ask the worker what is new, until the run has ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from heapq import merge
from typing import TYPE_CHECKING, Final, Protocol

from workflow_studio.client import ComputeClientError, TransportError
from workflow_studio.compute.api import OutputLine
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.scaffolder.operate.fetch import PAGE, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workflow_studio.client import ComputeClient, Event, Page, Run, Step
    from workflow_studio.compute.api import OutputPage
    from workflow_studio.compute.ids import RunId

MAX_INTERVAL: Final = 1.0
"""Seconds between two looks at a run in which nothing happens."""

_FAILURES: Final = frozenset({"step_retrying", "step_failed"})
_FIRST_INTERVAL: Final = 0.1
_PATIENCE: Final = 120.0
"""Seconds a worker may be out of reach, as while it is started anew."""


class Display(Protocol):
    """Where what happens is shown."""

    def status(self, run: Run, steps: dict[str, Step]) -> None:
        """Take note of how the run and its steps stand now."""

    def event(self, event: Event, step: Step | None) -> None:
        """Show an event, and the step it is about."""

    def line(self, line: OutputLine) -> None:
        """Show a line that the run's code printed."""

    def trouble(self, error: TransportError) -> None:
        """Show that the worker cannot be reached for the moment."""


class Watcher:
    """Follows one run.

    Args:
        client: Asks the worker.
        run_id: The run.
        display: Shows what is new.
        interval: The longest pause between two looks, in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        client: ComputeClient,
        run_id: RunId,
        display: Display,
        *,
        interval: float = MAX_INTERVAL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._display = display
        self._interval = interval
        self._sleep = sleep
        self._cursor: str | None = None
        self._output_cursor: str | None = None
        self._keeps_output = True
        self._steps: dict[str, Step] = {}

    def run(self) -> Run:
        """Return the run when it has ended and all of it was shown.

        Raises:
            ComputeClientError: If the worker refuses, or stays out of reach.
        """
        pause = _FIRST_INTERVAL
        lost_since: float | None = None
        while True:
            try:
                run, news = self._look()
            except TransportError as error:
                lost_since = lost_since or time.monotonic()
                never_reached = self._cursor is None and not self._steps
                if never_reached or error.code == "unexpected_response" or time.monotonic() - lost_since > _PATIENCE:
                    raise
                self._display.trouble(error)
                self._sleep(self._interval)
                continue
            lost_since = None
            if run.finished:
                return run
            pause = _FIRST_INTERVAL if news else min(pause * 2, self._interval)
            self._sleep(min(pause, self._interval))

    def _look(self) -> tuple[Run, bool]:
        # First the run, then its log: of a run that has ended the log is complete.
        run = self._client.get_run(self._run_id, resolve_data="none")
        self._display.status(run, self._steps)
        news = False
        while True:
            events, printed = self._events_page(), self._output_page()
            lines = printed.data if printed else ()
            news = news or bool(events.data or lines)
            self._refresh_steps(events.data)
            # Each is in order; both together are told by the time.
            happened: Iterable[Event | OutputLine] = self._with_errors(events.data)
            for entry in merge(happened, lines, key=_moment):
                self._show(entry)
            # Only now: what fails before is asked for again.
            self._cursor = events.cursor or self._cursor
            self._output_cursor = (printed.cursor if printed else None) or self._output_cursor
            if not (events.has_more and events.data) and not (printed and printed.has_more and lines):
                break
        self._display.status(run, self._steps)
        if not run.finished:
            return run, news
        return self._client.get_run(self._run_id, resolve_data="all"), news

    def _events_page(self) -> Page[Event]:
        return self._client.list_run_timeline(self._run_id, limit=PAGE, cursor=self._cursor)

    def _with_errors(self, events: tuple[Event, ...]) -> list[Event]:
        """Return events with the errors of failed attempts, which a page without payloads leaves out."""
        failed = {event.correlation_id for event in events if event.event_type in _FAILURES}
        errors = {
            event.event_id: (event.event_data or {}).get("error")
            for step in failed
            if step is not None
            for event in self._client.iter_events_by_correlation_id(step, run_id=self._run_id, resolve_data="all")
            if event.event_type in _FAILURES
        }
        return [
            event.model_copy(update={"event_data": {**(event.event_data or {}), "error": errors[event.event_id]}})
            if errors.get(event.event_id) is not None
            else event
            for event in events
        ]

    def _output_page(self) -> OutputPage | None:
        if not self._keeps_output:
            return None
        try:
            return self._client.list_run_output(self._run_id, limit=PAGE, cursor=self._output_cursor)
        except ComputeClientError as error:
            if error.code != ErrorCode.NOT_FOUND:
                raise
            self._keeps_output = False  # an older worker
            return None

    def _show(self, entry: Event | OutputLine) -> None:
        if isinstance(entry, OutputLine):
            self._display.line(entry)
        else:
            self._display.event(entry, self._steps.get(entry.correlation_id or ""))

    def _refresh_steps(self, events: tuple[Event, ...]) -> None:
        if any(event.event_type.startswith("step_") for event in events):
            self._steps = {step.step_id: step for step in steps_of(self._client, self._run_id)}


def _moment(entry: Event | OutputLine) -> datetime:
    found = entry.at if isinstance(entry, OutputLine) else entry.created_at
    return found or datetime.min.replace(tzinfo=UTC)
