"""Runs as the public lane shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.world_errors import HookNotFoundError, RunNotFoundError, WorldError
from workflow_studio.worker.engine import params
from workflow_studio.worker.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.engine.payloads import Payloads
    from workflow_studio.worker.engine.queries import Page, Queries


class RunViews:
    """Shows runs and what belongs to them. Refusals are :class:`EngineError`; entities are as on the World lane."""

    def __init__(self, queries: Queries, payloads: Payloads) -> None:
        self._queries = queries
        self._payloads = payloads

    async def get(self, run_id: str, *, with_payloads: bool = True, wait_ms: float = 0) -> dict[str, Any]:
        """Return a run, once it has ended or after ``wait_ms`` milliseconds, of which a bounded number counts.

        Raises:
            EngineError: ``run_not_found``.
        """
        query = params.RunsGet(run_id=run_id, resolve_data=_resolve(with_payloads=with_payloads), wait_ms=wait_ms)
        return await self._refusing(self._queries.get_run, query)

    async def list(self, query: params.RunsList) -> Page:
        """Return a page of runs.

        Raises:
            EngineError: ``invalid_request`` if the cursor is not one of the list.
        """
        return await self._refusing(self._queries.list_runs, query)

    async def steps(self, query: params.OfRun) -> Page:
        """Return a page of a run's steps; ``executorId`` says where each was run last.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        await self.get(query.run_id, with_payloads=False)
        return await self._refusing(self._queries.list_steps, query)

    async def hooks(self, query: params.HooksList) -> Page:
        """Return a page of a run's live hooks.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        if query.run_id:
            await self.get(query.run_id, with_payloads=False)
        return await self._refusing(self._queries.list_hooks, query)

    async def events(self, query: params.OfRun) -> Page:
        """Return a page of a run's log; ``executorId`` says where each event came from.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        await self.get(query.run_id, with_payloads=False)
        return await self._refusing(self._queries.list_events, query)

    async def events_by_correlation_id(self, query: params.ByCorrelationId) -> Page:
        """Return a page of the events of a step, hook or wait.

        Raises:
            EngineError: ``invalid_request``.
        """
        return await self._refusing(self._queries.list_events_by_correlation_id, query)

    async def step(self, query: params.StepsGet) -> dict[str, Any]:
        """Return a step.

        Raises:
            EngineError: ``not_found``.
        """
        return await self._refusing(self._queries.get_step, query)

    async def hook(self, query: params.HooksGet) -> dict[str, Any]:
        """Return a live hook.

        Raises:
            EngineError: ``hook_not_found``.
        """
        return await self._refusing(self._queries.get_hook, query)

    async def _refusing(self, read: Callable[[Any], Awaitable[dict[str, Any]]], query: params.Params) -> dict[str, Any]:
        try:
            return await self._payloads.filling(read)(query)
        except RunNotFoundError as error:
            raise run_not_found(str(error.fields["runId"])) from error
        except HookNotFoundError as error:
            raise EngineError(
                ErrorCode.HOOK_NOT_FOUND,
                "No live hook has this id.",
                status=404,
                recovery="A hook is gone once it is disposed or its run has ended; look at the run.",
            ) from error
        except WorldError as error:
            code = ErrorCode.NOT_FOUND if error.status == 404 else ErrorCode.INVALID_REQUEST
            raise EngineError(code, error.message, status=error.status) from error


def _resolve(*, with_payloads: bool) -> Any:
    return "all" if with_payloads else "none"


def run_not_found(run_id: str) -> EngineError:
    """Return the refusal of what names a run that is not here."""
    return EngineError(
        ErrorCode.RUN_NOT_FOUND,
        f"This worker has no run {run_id}.",
        status=404,
        recovery="Check the run's id, and that the worker's URL is the right one. A run that ended long ago is deleted "
        "if the worker's settings say so: RETAIN_COMPLETED, RETAIN_FAILED, RETAIN_CANCELLED.",
    )
