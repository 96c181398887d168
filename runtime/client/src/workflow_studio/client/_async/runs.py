"""Runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import anyio

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import runs as calls
from workflow_studio.client._core import is_passing
from workflow_studio.client._errors import ComputeClientError
from workflow_studio.client._waiting import Polls
from workflow_studio.compute.api import ResumeRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from workflow_studio.client._filters import RunsFilter
    from workflow_studio.compute.api import (
        Page,
        RerunResponse,
        ResolveData,
        ResumeResponse,
        Run,
        SkipResponse,
        TriggerRequest,
        TriggerResponse,
        WakeResponse,
    )
    from workflow_studio.compute.ids import DeploymentId, HookId, RunId, WaitId


class AsyncRuns(AsyncBase):
    """Starts runs, looks at them, has them go on or end."""

    async def trigger(  # noqa: PLR0913  # named, and each may be left out
        self,
        workflow: str | TriggerRequest,
        arguments: Sequence[Any] = (),
        *,
        idempotency_key: str | None = None,
        run_id: RunId | None = None,
        deployment_id: DeploymentId | None = None,
        spec_version: int | None = None,
        priority: int | None = None,
        concurrency_key: str | None = None,
    ) -> TriggerResponse:
        """Start a run.

        Args:
            workflow: The workflow's id; or all of the request, which then stands for the other arguments too.
            arguments: The workflow's arguments, JSON values.
            idempotency_key: Calls with the same key start one run; made up if absent, so that retries do.
            run_id: The run's id; made up by the worker if absent.
            deployment_id: The deployment to run; the active one if absent.
            spec_version: The World protocol of the run.
            priority: Where more is due than there are places for, a point counts as a minute of waiting.
            concurrency_key: The key of a limit that it shares with other runs.

        Raises:
            ValueError: If an argument of this method is of the wrong kind.
        """
        call = calls.trigger(
            workflow,
            arguments,
            idempotency_key,
            run_id=run_id,
            deployment_id=deployment_id,
            spec_version=spec_version,
            priority=priority,
            concurrency_key=concurrency_key,
        )
        return await self._send(call)

    async def rerun_run(
        self,
        run_id: RunId,
        *,
        deployment_id: DeploymentId | None = None,
        new_run_id: RunId | None = None,
        idempotency_key: str | None = None,
    ) -> RerunResponse:
        """Start a run with the input of another one.

        Args:
            run_id: The run whose input is used.
            deployment_id: The deployment; that of the run if absent, and ``latest`` is the active one.
            new_run_id: The new run's id; made up by the worker if absent.
            idempotency_key: Calls with the same key start one run; made up if absent, so that retries do.
        """
        return await self._send(
            calls.rerun(run_id, idempotency_key, deployment_id=deployment_id, new_run_id=new_run_id)
        )

    async def get_run(self, run_id: RunId, *, resolve_data: ResolveData = "all") -> Run:
        """Return a run, with its arguments and result unless ``resolve_data`` is ``none``."""
        return await self._send(calls.get_run(run_id, resolve_data))

    async def wait_for_run(
        self, run_id: RunId, *, within: float | None = None, resolve_data: ResolveData = "all"
    ) -> Run:
        """Return a run once it has ended, or as it is after ``within`` seconds.

        The worker tells at once when the run ends; a worker that restarts meanwhile is asked again.

        Args:
            run_id: The run.
            within: Seconds to wait; for ever if absent. Look at ``finished`` of what comes back.
            resolve_data: ``none`` leaves out its arguments and result.

        Raises:
            ValueError: If ``within`` is negative.
        """
        polls = Polls(within)
        while True:
            try:
                run = await self._send(calls.get_run(run_id, resolve_data, polls.wait_ms()))
            except ComputeClientError as error:
                if not is_passing(error):
                    raise
                polls.failed()
                run = await self.get_run(run_id, resolve_data=resolve_data)
            if run.finished or polls.is_over:
                return run
            await anyio.sleep(polls.pause())

    async def list_runs(self, **filters: Unpack[RunsFilter]) -> Page[Run]:
        """Return some runs, newest first; see :class:`.RunsFilter` for which.

        Raises:
            ValueError: If a moment has no time zone.
        """
        return await self._send(calls.list_runs(filters))

    def iter_runs(self, **filters: Unpack[RunsFilter]) -> AsyncIterator[Run]:
        """Return all runs, newest first, page by page as they are asked for; see :class:`.RunsFilter` for which.

        Raises:
            ValueError: If a moment has no time zone.
        """
        return self._entries(lambda cursor: calls.list_runs({**filters, "cursor": cursor}), filters.get("cursor"))

    async def cancel_run(self, run_id: RunId) -> Run:
        """Cancel a run: it takes no further step."""
        return await self._send(calls.cancel_run(run_id))

    async def wake_run(self, run_id: RunId, *, correlation_ids: Sequence[WaitId] | None = None) -> WakeResponse:
        """End a run's sleeps now.

        Args:
            run_id: The run.
            correlation_ids: The sleeps to end; all if absent. Those that are over are passed by.
        """
        return await self._send(calls.wake_run(run_id, correlation_ids))

    async def skip_time(self, run_id: RunId) -> SkipResponse:
        """End whichever sleep or pause before a retry of a run would be over first, if the run has nothing else to do.

        For tests: repeated until the run has ended, everything happens in the order it has in earnest, and nothing is
        waited for. No clock moves.
        """
        return await self._send(calls.skip_time(run_id))

    async def resume_run(
        self, run_id: RunId, payload: Any = None, *, token: str | None = None, hook_id: HookId | None = None
    ) -> ResumeResponse:
        """Hand a payload to a hook of a run, named by either its token or its id."""
        return await self.resume(ResumeRequest(run_id=run_id, token=token, hook_id=hook_id, payload=payload))

    async def resume(self, request: ResumeRequest, /) -> ResumeResponse:
        """Hand a payload to a hook that a run waits on, and have the run go on."""
        return await self._send(calls.resume_run(request))
