"""Runs for the public lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.world_errors import EntityConflictError, WorldError
from workflow_studio.worker.engine import audit, log, present
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.queue import flow_queue
from workflow_studio.worker.engine.run_views import RunViews, run_not_found
from workflow_studio.worker.engine.starts import Wanted, run_row
from workflow_studio.worker.engine.transitions import SPEC_VERSION, TERMINAL, EventInput
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.endings import Endings
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.engine.payloads import Payloads
    from workflow_studio.worker.engine.queries import Queries
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.starts import Starts
    from workflow_studio.worker.ports import Caller, IdempotencyKey
    from workflow_studio.worker.store import Database, Transaction


class Runs(RunViews):
    """Starts, repeats, cancels, wakes and shows runs."""

    def __init__(  # noqa: PLR0913, PLR0917  # each is a part of its own
        self,
        database: Database,
        queries: Queries,
        payloads: Payloads,
        queue: Queue,
        clock: Clock,
        idempotency: IdempotencyKeys,
        starts: Starts,
        endings: Endings,
    ) -> None:
        super().__init__(queries, payloads)
        self._database = database
        self._queue = queue
        self._clock = clock
        self._idempotency = idempotency
        self._starts = starts
        self._endings = endings

    async def start(  # noqa: PLR0913  # named, and each may be left out
        self,
        workflow_name: str,
        input: bytes,  # noqa: A002  # the entity's own word
        *,
        deployment_id: str | None = None,
        run_id: str | None = None,
        spec_version: int = SPEC_VERSION,
        repeat: IdempotencyKey | None = None,
        caller: Caller | None = None,
        priority: int | None = None,
        concurrency_key: str | None = None,
    ) -> dict[str, Any]:
        """Create a run and publish its first message, in one transaction.

        Args:
            workflow_name: The workflow's id, such as ``workflow//./workflows/order//processOrder``.
            input: The arguments as the SDK encodes them, in clear.
            deployment_id: The deployment; the active one if None or ``latest``.
            run_id: The run's id; a new one if None. If the run exists, it is returned as it is: a repeat of a request
                starts nothing twice.
            spec_version: The World protocol that the run's code speaks.
            repeat: What names the request, if it may arrive twice.
            caller: Whose request it is.
            priority: Of its messages, where there are not places for all; 0 if None.
            concurrency_key: The key of a limit that it shares with other runs.

        Returns:
            The run, without payloads.

        Raises:
            EngineError: ``no_active_deployment``, ``invalid_deployment_id``, ``deployment_not_found``,
                ``unknown_workflow``, ``unsupported_artifact``, ``run_conflict``, ``idempotency_conflict`` or
                ``invalid_request``.
        """
        wanted = Wanted(deployment_id, run_id, caller, priority, concurrency_key)
        return await self._once(
            repeat, lambda transaction: self._starts.start(transaction, wanted, workflow_name, input, spec_version)
        )

    async def rerun(
        self,
        run_id: str,
        *,
        deployment_id: str | None = None,
        new_run_id: str | None = None,
        repeat: IdempotencyKey | None = None,
        caller: Caller | None = None,
    ) -> dict[str, Any]:
        """Create a run with the input of another one, finished or not.

        Args:
            run_id: The other run.
            deployment_id: The deployment; that of the other run if None, the active one if ``latest``.
            new_run_id: The new run's id; made up if None. If it exists, it is returned as it is.
            repeat: What names the request, if it may arrive twice.
            caller: Whose request it is.

        Returns:
            The new run, without payloads.

        Raises:
            EngineError: ``run_not_found``, ``input_unreadable``, and as :meth:`start` does.
        """
        wanted = Wanted(deployment_id, new_run_id, caller)
        elsewhere = await self._payloads.input_of(run_id)
        return await self._once(repeat, lambda transaction: self._starts.rerun(transaction, wanted, run_id, elsewhere))

    async def _once(
        self, repeat: IdempotencyKey | None, work: Callable[[Transaction], dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            return await self._database.write(lambda transaction: self._made(transaction, repeat, work))
        except WorldError as error:
            raise EngineError(ErrorCode.INVALID_REQUEST, error.message, status=400) from error

    def _made(
        self, transaction: Transaction, repeat: IdempotencyKey | None, work: Callable[[Transaction], dict[str, Any]]
    ) -> dict[str, Any]:
        run = self._idempotency.once(transaction, repeat, lambda: work(transaction))
        audit.describe(made=run["runId"])
        return run

    async def cancel(self, run_id: str, *, caller: Caller | None = None) -> dict[str, Any]:
        """Cancel a run. Steps in flight run to their end; nothing comes after them.

        Cancelling a cancelled run changes nothing.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """

        def work(transaction: Transaction) -> dict[str, Any]:
            row = _require_run(transaction, run_id)
            if row["status"] == "cancelled":
                return present.run(row, with_payloads=False)
            event = EventInput(run_id, "run_cancelled", spec_version=row["spec_version"])
            try:
                appended = log.append(transaction, event, now=self._clock(), by=log.Author(caller=caller))
            except EntityConflictError as error:
                raise _finished(run_id, row["status"]) from error
            self._endings.run_ended(transaction, row, appended.decision.at)
            return present.run(appended.entities["run"], with_payloads=False)

        return await self._database.write(work)

    async def wake(
        self, run_id: str, correlation_ids: Sequence[str] | None = None, *, caller: Caller | None = None
    ) -> int:
        """End sleeps of a run now and have it replayed.

        Args:
            run_id: The run.
            correlation_ids: Which sleeps; all if None. Those that are over are passed by.
            caller: Whose request it is.

        Returns:
            How many sleeps were ended.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """

        def work(transaction: Transaction) -> int:
            row = _require_live_run(transaction, run_id)
            w = tables.waits
            waiting = select(w.c.wait_id, w.c.resume_at).where(w.c.run_id == run_id, w.c.status == "waiting")
            if correlation_ids is not None:
                waiting = waiting.where(w.c.wait_id.in_(correlation_ids))
            sleeps = transaction.execute(waiting).all()
            for sleep in sleeps:
                # The replay compares this resumeAt with the one of wait_created.
                data = {"resumeAt": sleep.resume_at}
                event = EventInput(run_id, "wait_completed", sleep.wait_id, data, row["spec_version"])
                log.append(transaction, event, now=self._clock(), by=log.Author(caller=caller))
            self._replay(transaction, row)
            return len(sleeps)

        return await self._database.write(work)

    async def resume(self, run_id: str) -> None:
        """Have a run replayed now; sleeps go on.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """
        await self._database.write(
            lambda transaction: self._replay(transaction, _require_live_run(transaction, run_id))
        )

    def _replay(self, transaction: Transaction, row: Any) -> None:
        name = flow_queue(row["workflow_name"])
        self._queue.wake(transaction, row["run_id"], run_at=self._clock(), queue_name=name)


def _require_run(transaction: Transaction, run_id: str) -> Any:
    row = run_row(transaction, run_id)
    if row is None:
        raise run_not_found(run_id)
    return row


def _require_live_run(transaction: Transaction, run_id: str) -> Any:
    row = _require_run(transaction, run_id)
    if row["status"] in TERMINAL:
        raise _finished(run_id, row["status"])
    return row


def _finished(run_id: str, status: str) -> EngineError:
    return EngineError(ErrorCode.RUN_FINISHED, f"The run {run_id} is {status} already.", status=409)
