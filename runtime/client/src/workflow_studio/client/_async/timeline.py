"""What happened in runs: steps, hooks, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import timeline as calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workflow_studio.client._filters import CorrelatedFilter, Listing
    from workflow_studio.compute.api import Event, Hook, Page, ResolveData, Step
    from workflow_studio.compute.ids import EntityId, HookId, RunId, StepId, WaitId


class AsyncTimeline(AsyncBase):
    """Looks into runs."""

    async def list_run_steps(self, run_id: RunId, **part: Unpack[Listing]) -> Page[Step]:
        """Return some steps of a run, newest first."""
        return await self._send(calls.list_run_steps(run_id, part))

    def iter_run_steps(self, run_id: RunId, **part: Unpack[Listing]) -> AsyncIterator[Step]:
        """Return all steps of a run, newest first, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_run_steps(run_id, {**part, "cursor": at}), part.get("cursor"))

    async def list_run_hooks(self, run_id: RunId, **part: Unpack[Listing]) -> Page[Hook]:
        """Return some of a run's live hooks."""
        return await self._send(calls.list_run_hooks(run_id, part))

    def iter_run_hooks(self, run_id: RunId, **part: Unpack[Listing]) -> AsyncIterator[Hook]:
        """Return all of a run's live hooks, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_run_hooks(run_id, {**part, "cursor": at}), part.get("cursor"))

    async def list_run_timeline(self, run_id: RunId, **part: Unpack[Listing]) -> Page[Event]:
        """Return some of a run's events, oldest first."""
        return await self._send(calls.list_run_events(run_id, part))

    def iter_run_timeline(self, run_id: RunId, **part: Unpack[Listing]) -> AsyncIterator[Event]:
        """Return all of a run's events, oldest first, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_run_events(run_id, {**part, "cursor": at}), part.get("cursor"))

    async def list_events_by_correlation_id(
        self, correlation_id: EntityId | StepId | HookId | WaitId, **filters: Unpack[CorrelatedFilter]
    ) -> Page[Event]:
        """Return some events of one step, hook or wait, oldest first."""
        return await self._send(calls.list_events_by_correlation_id(correlation_id, filters))

    def iter_events_by_correlation_id(
        self, correlation_id: EntityId | StepId | HookId | WaitId, **filters: Unpack[CorrelatedFilter]
    ) -> AsyncIterator[Event]:
        """Return all events of one step, hook or wait, oldest first, page by page as they are asked for."""
        return self._entries(
            lambda at: calls.list_events_by_correlation_id(correlation_id, {**filters, "cursor": at}),
            filters.get("cursor"),
        )

    async def get_run_step(
        self, step_id: StepId, *, run_id: RunId | None = None, resolve_data: ResolveData = "all"
    ) -> Step:
        """Return a step; step ids are unique within a run, so name the run where there may be doubt."""
        return await self._send(calls.get_step(step_id, run_id, resolve_data))

    async def get_run_hook(self, hook_id: HookId, *, resolve_data: ResolveData = "all") -> Hook:
        """Return a hook."""
        return await self._send(calls.get_hook(hook_id, resolve_data))
