"""Runs as tests handle them: started by name, waited for without waiting for time, explained when they fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from workflow_studio.client import ComputeClientError
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import RunId
from workflow_studio.scaffolder.operate.timeline import short_name
from workflow_studio.scaffolder.testing.story import Facts, story
from workflow_studio.scaffolder.testing.values import to_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workflow_studio.client import ComputeClient
    from workflow_studio.compute.api import Event, Failure, Hook, OutputLine, Run, SkippedTimer, Step
    from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker

T = TypeVar("T")

TIMEOUT: Final = 30.0
"""Seconds that a test waits for a run, unless it says otherwise. Time that is skipped does not count."""

_LOOK_SECONDS: Final = 0.05
_LIVE: Final = ("pending", "running")


class WorkflowFailure(AssertionError):  # noqa: N818  # a failed expectation, as pytest's own
    """A run is not what the test expects; the message tells what it did."""


class WorkflowRun:
    """A run of a workflow.

    Args:
        client: A client of the run's worker.
        run_id: The run.

    Attributes:
        run_id: Its id.
    """

    def __init__(self, client: ComputeClient, run_id: str) -> None:
        self.run_id = RunId(run_id)
        self._client = client

    def __repr__(self) -> str:
        return f"<WorkflowRun {self.run_id}>"

    # How it stands --------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Run:
        """All that the worker says of it now."""
        return self._client.get_run(self.run_id)

    @property
    def status(self) -> str:
        """``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``."""
        return self._client.get_run(self.run_id, resolve_data="none").status

    @property
    def result(self) -> Any:
        """What the workflow returned; see :func:`.to_python` for how.

        Raises:
            WorkflowFailure: If it has not returned.
        """
        __tracebackhide__ = True
        run = self.data
        if run.status != "completed":
            headline = f"{self._name(run)} has no result: it is {run.status}."
            raise WorkflowFailure(self._told(headline if run.finished else f"{headline} Call wait() first."))
        return to_python(run.output)

    @property
    def error(self) -> Failure | None:
        """Why it failed, with ``message``, ``stack`` and ``code``; None if it has not."""
        return self.data.error

    @property
    def steps(self) -> list[Step]:
        """Its steps, oldest first, with their arguments, results and errors."""
        return list(self._client.iter_run_steps(self.run_id, sort_order="asc", resolve_data="all"))

    @property
    def step_names(self) -> list[str]:
        """The names of the functions of its steps, in the order they were called."""
        return [short_name(step.step_name) for step in self.steps]

    @property
    def events(self) -> list[Event]:
        """Its log, oldest first."""
        return list(self._client.iter_run_timeline(self.run_id))

    @property
    def hooks(self) -> list[Hook]:
        """The hooks that it waits for."""
        return list(self._client.iter_run_hooks(self.run_id))

    @property
    def output(self) -> list[OutputLine]:
        """The lines that its code printed, oldest first."""
        return list(self._client.iter_run_output(self.run_id))

    # What may happen to it ------------------------------------------------------------------------------------------

    def wait(self, *, timeout: float = TIMEOUT, skip_sleeps: bool = True) -> WorkflowRun:
        """Wait until it has ended, well or not, and return it.

        Whenever it has nothing to do but wait for time, the sleep that would be over first is ended, or the pause
        before the next attempt of a step. So do those of runs that its code started, while it waits for them.

        Args:
            timeout: Seconds to wait. Time that is skipped does not count.
            skip_sleeps: False waits for time as in earnest.

        Raises:
            WorkflowFailure: If time is up.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            pause = min(left, _LOOK_SECONDS) if skip_sleeps else left
            run = self._client.wait_for_run(self.run_id, within=max(0.0, pause), resolve_data="none")
            if run.finished:
                return self
            if left <= 0:
                raise WorkflowFailure(self._told(f"{self._name(run)} is still {run.status} after {timeout:g} s."))
            if skip_sleeps:
                while self._skip(run):
                    pass

    def skip_sleep(self, *, timeout: float = TIMEOUT) -> SkippedTimer:
        """Wait until it has nothing to do but wait for time, and end the sleep or pause that would be over first.

        Args:
            timeout: Seconds to wait for such a moment.

        Returns:
            What was ended, and how many milliseconds were skipped.

        Raises:
            WorkflowFailure: If there is nothing to end, or time is up.
        """
        __tracebackhide__ = True
        return self._until(lambda: self._client.skip_time(self.run_id).skipped, timeout, "does not sleep")

    def wait_for_hook(self, token: str | None = None, *, timeout: float = TIMEOUT) -> Hook:
        """Wait until it waits for a hook, and return that.

        Args:
            token: The hook's token; any hook if None.
            timeout: Seconds to wait.

        Raises:
            WorkflowFailure: If it ends before, or time is up.
        """
        __tracebackhide__ = True

        def find() -> Hook | None:
            return next((hook for hook in self.hooks if token is None or hook.token == token), None)

        wanted = "any hook" if token is None else f"a hook with the token {token}"
        return self._until(find, timeout, f"does not wait for {wanted}")

    def resume_hook(self, token: str | None = None, payload: Any = None, *, timeout: float = TIMEOUT) -> WorkflowRun:
        """Wait until it waits for a hook, and hand that a payload.

        Args:
            token: The hook's token; any hook if None.
            payload: A JSON value.
            timeout: Seconds to wait.

        Raises:
            WorkflowFailure: If it ends before, or time is up.
        """
        __tracebackhide__ = True
        hook = self.wait_for_hook(token, timeout=timeout)
        self._client.resume_run(self.run_id, payload, hook_id=hook.hook_id)
        return self

    def cancel(self) -> None:
        """Cancel it, if it has not ended."""
        try:
            self._client.cancel_run(self.run_id)
        except ComputeClientError as error:
            if error.code != ErrorCode.RUN_FINISHED:
                raise

    # ----------------------------------------------------------------------------------------------------------------

    def _skip(self, run: Run) -> bool:
        """Skip the time to the next timer of the run, or of one that code has started since."""
        if self._client.skip_time(self.run_id).skipped is not None:
            return True
        since = self._client.iter_runs(status=_LIVE, created_after=run.created_at, resolve_data="none")
        # Runs that tests or apps start have the key that started them.
        nested = [other.run_id for other in since if other.created_by is None and other.run_id != self.run_id]
        return any(self._client.skip_time(other).skipped is not None for other in nested)

    def _until(self, look: Callable[[], T | None], timeout: float, problem: str) -> T:
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while (found := look()) is None:
            run = self._client.wait_for_run(self.run_id, within=_LOOK_SECONDS, resolve_data="none")
            if run.finished or time.monotonic() > deadline:
                raise WorkflowFailure(self._told(f"{self._name(run)} {problem}; it is {run.status}."))
        return found

    def _told(self, headline: str) -> str:
        return story(headline, Facts(self.data, self.steps, self.events, self.hooks, self.output))

    def _name(self, run: Run) -> str:
        return f"The run {self.run_id} of {short_name(run.workflow_name)}"


class Workflows:
    """The workflows of an app, on a worker of the tests.

    Args:
        worker: The worker.
        client: A client of it.

    Attributes:
        worker: The worker.
        client: The client, for what is not here.
    """

    def __init__(self, worker: ThrowawayWorker, client: ComputeClient) -> None:
        self.worker = worker
        self.client = client

    @property
    def names(self) -> list[str]:
        """The ids of the app's workflows."""
        return list(self.worker.workflows)

    def start(self, workflow: str, *arguments: Any) -> WorkflowRun:
        """Start a run.

        Args:
            workflow: The function's name, or the workflow's id where several have that name.
            arguments: The function's arguments, JSON values.

        Raises:
            LookupError: If there is no such workflow, or more than one.
        """
        __tracebackhide__ = True
        identifier = self._identified(workflow)
        return WorkflowRun(self.client, self.client.trigger(identifier, arguments).run_id)

    def _identified(self, workflow: str) -> str:
        __tracebackhide__ = True
        found = [name for name in self.names if workflow in {name, short_name(name)}]
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(f"Several workflows are called {workflow}; give the id of one: {', '.join(found)}.")
        raise LookupError(
            f"The app has no workflow called {workflow}; it has {', '.join(map(short_name, self.names))}."
        )

    def run(self, workflow: str, *arguments: Any, timeout: float = TIMEOUT, skip_sleeps: bool = True) -> Any:
        """Start a run, wait until it has ended, and return its result.

        Raises:
            LookupError: As :meth:`start` does.
            WorkflowFailure: If it does not return, or time is up.
        """
        __tracebackhide__ = True
        return self.start(workflow, *arguments).wait(timeout=timeout, skip_sleeps=skip_sleeps).result

    def get(self, run_id: str) -> WorkflowRun:
        """Return a run that somebody else started, such as an app under test."""
        return WorkflowRun(self.client, run_id)

    def live(self) -> Sequence[WorkflowRun]:
        """Return the runs that have not ended."""
        return [self.get(run.run_id) for run in self.client.iter_runs(status=_LIVE, resolve_data="none")]

    def cancel_all(self) -> None:
        """Cancel the runs that have not ended."""
        for run in self.live():
            run.cancel()
