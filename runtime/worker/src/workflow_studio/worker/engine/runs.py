"""Runs for the public lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import RUN_ID
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError, RunNotFoundError, WorldError
from workflow_studio.worker.engine import log, params, present
from workflow_studio.worker.engine.clock import check_run_age, new_id
from workflow_studio.worker.engine.deployments import active_id, require_deployment
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.queue import flow_queue
from workflow_studio.worker.engine.transitions import SPEC_VERSION, TERMINAL, EventInput
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.deployments import Deployment
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.engine.queries import Page, Queries
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.ports import IdempotencyKey
    from workflow_studio.worker.store import Database, Transaction

    T = TypeVar("T")


class Runs:
    """Starts, cancels, wakes and shows runs. Refusals are :class:`EngineError`; entities are as on the World lane."""

    def __init__(
        self,
        database: Database,
        queries: Queries,
        queue: Queue,
        clock: Clock,
        idempotency: IdempotencyKeys,
        *,
        keyring: Keyring,
        ended: Signals,
    ) -> None:
        self._database = database
        self._queries = queries
        self._queue = queue
        self._clock = clock
        self._idempotency = idempotency
        self._keyring = keyring
        self._ended = ended

    async def start(
        self,
        workflow_name: str,
        input: bytes,  # noqa: A002  # the entity's own word
        *,
        deployment_id: str | None = None,
        run_id: str | None = None,
        spec_version: int = SPEC_VERSION,
        repeat: IdempotencyKey | None = None,
    ) -> dict[str, Any]:
        """Create a run and publish its first message, in one transaction.

        Args:
            workflow_name: The workflow's id, such as ``workflow//./workflows/order//processOrder``.
            input: The arguments as the SDK encodes them, in clear.
            deployment_id: The deployment; the active one if None.
            run_id: The run's id; a new one if None. If the run exists, it is returned as it is: a repeat of a request
                starts nothing twice.
            spec_version: The World protocol that the run's code speaks.
            repeat: What names the request, if it may arrive twice.

        Returns:
            The run, without payloads.

        Raises:
            EngineError: ``no_active_deployment``, ``invalid_deployment_id``, ``deployment_not_found``,
                ``unknown_workflow``, ``unsupported_artifact``, ``idempotency_conflict`` or ``invalid_request``.
        """

        def work(transaction: Transaction) -> dict[str, Any]:
            now = self._clock()
            identifier = run_id or new_id("wrun", now)
            found = _run_row(transaction.connection, identifier)
            if found is not None:
                return present.run(found, with_payloads=False)
            _check_run_id(identifier, now)
            deployment = _deployment(transaction.connection, deployment_id)
            _check_workflow(deployment, workflow_name)
            data = {
                "deploymentId": deployment.id,
                "workflowName": workflow_name,
                "input": self._keyring.seal(identifier, input),
                "executionContext": {
                    "traceCarrier": {},
                    "workflowCoreVersion": deployment.manifest.sdk.core,
                    "features": {"encryption": self._keyring.encrypts},
                },
            }
            event = EventInput(identifier, "run_created", data=data, spec_version=spec_version)
            appended = log.append(transaction.connection, event, now=now)
            self._queue.wake(transaction, identifier, run_at=now, queue_name=flow_queue(workflow_name))
            return present.run(appended.entities["run"], with_payloads=False)

        try:
            return await self._database.write(
                lambda transaction: self._idempotency.once(transaction, repeat, lambda: work(transaction))
            )
        except WorldError as error:
            raise EngineError(ErrorCode.INVALID_REQUEST, error.message, status=400) from error

    async def cancel(self, run_id: str) -> dict[str, Any]:
        """Cancel a run. Steps in flight run to their end; nothing comes after them.

        Cancelling a cancelled run changes nothing.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """

        def work(transaction: Transaction) -> dict[str, Any]:
            row = _require_run(transaction.connection, run_id)
            if row["status"] == "cancelled":
                return present.run(row, with_payloads=False)
            event = EventInput(run_id, "run_cancelled", spec_version=row["spec_version"])
            try:
                appended = log.append(transaction.connection, event, now=self._clock())
            except EntityConflictError as error:
                raise _finished(run_id, row["status"]) from error
            transaction.after_commit(lambda: self._ended.give(run_id))
            return present.run(appended.entities["run"], with_payloads=False)

        return await self._database.write(work)

    async def wake(self, run_id: str) -> int:
        """End all sleeps of a run now and have it replayed.

        Returns:
            How many sleeps were ended.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """

        def work(transaction: Transaction) -> int:
            row = _require_live_run(transaction.connection, run_id)
            w = tables.waits
            waiting = select(w.c.wait_id, w.c.resume_at).where(w.c.run_id == run_id, w.c.status == "waiting")
            sleeps = transaction.execute(waiting).all()
            for sleep in sleeps:
                # The replay compares this resumeAt with the one of wait_created.
                data = {"resumeAt": sleep.resume_at}
                event = EventInput(run_id, "wait_completed", sleep.wait_id, data, row["spec_version"])
                log.append(transaction.connection, event, now=self._clock())
            self._replay(transaction, row)
            return len(sleeps)

        return await self._database.write(work)

    async def resume(self, run_id: str) -> None:
        """Have a run replayed now; sleeps go on.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
        """
        await self._database.write(
            lambda transaction: self._replay(transaction, _require_live_run(transaction.connection, run_id))
        )

    def _replay(self, transaction: Transaction, row: Any) -> None:
        name = flow_queue(row["workflow_name"])
        self._queue.wake(transaction, row["run_id"], run_at=self._clock(), queue_name=name)

    async def get(self, run_id: str, *, with_payloads: bool = True, wait_ms: float = 0) -> dict[str, Any]:
        """Return a run, once it has ended or after ``wait_ms`` milliseconds, of which a bounded number counts.

        Raises:
            EngineError: ``run_not_found``.
        """
        query = params.RunsGet(run_id=run_id, resolve_data=_resolve(with_payloads=with_payloads), wait_ms=wait_ms)
        return await _refusing(self._queries.get_run, query)

    async def list(self, query: params.RunsList) -> Page:
        """Return a page of runs.

        Raises:
            EngineError: ``invalid_request`` if the cursor is not one of the list.
        """
        return await _refusing(self._queries.list_runs, query)

    async def steps(self, query: params.OfRun) -> Page:
        """Return a page of a run's steps; ``executorId`` says where each was run last.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        await self.get(query.run_id, with_payloads=False)
        return await _refusing(self._queries.list_steps, query)

    async def hooks(self, query: params.HooksList) -> Page:
        """Return a page of a run's live hooks.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        if query.run_id:
            await self.get(query.run_id, with_payloads=False)
        return await _refusing(self._queries.list_hooks, query)

    async def events(self, query: params.OfRun) -> Page:
        """Return a page of a run's log; ``executorId`` says where each event came from.

        Raises:
            EngineError: ``run_not_found`` or ``invalid_request``.
        """
        await self.get(query.run_id, with_payloads=False)
        return await _refusing(self._queries.list_events, query)

    async def events_by_correlation_id(self, query: params.ByCorrelationId) -> Page:
        """Return a page of the events of a step, hook or wait.

        Raises:
            EngineError: ``invalid_request``.
        """
        return await _refusing(self._queries.list_events_by_correlation_id, query)

    async def step(self, query: params.StepsGet) -> dict[str, Any]:
        """Return a step.

        Raises:
            EngineError: ``not_found``.
        """
        return await _refusing(self._queries.get_step, query)

    async def hook(self, query: params.HooksGet) -> dict[str, Any]:
        """Return a live hook.

        Raises:
            EngineError: ``hook_not_found``.
        """
        return await _refusing(self._queries.get_hook, query)


async def _refusing(read: Callable[[Any], Awaitable[T]], query: params.Params) -> T:
    try:
        return await read(query)
    except RunNotFoundError as error:
        raise _not_found(str(error.fields["runId"])) from error
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


def _run_row(connection: Connection, run_id: str) -> Any:
    query = select(tables.runs).where(tables.runs.c.run_id == run_id).with_for_update()
    return connection.execute(query).mappings().first()


def _require_run(connection: Connection, run_id: str) -> Any:
    row = _run_row(connection, run_id)
    if row is None:
        raise _not_found(run_id)
    return row


def _require_live_run(connection: Connection, run_id: str) -> Any:
    row = _require_run(connection, run_id)
    if row["status"] in TERMINAL:
        raise _finished(run_id, row["status"])
    return row


def _not_found(run_id: str) -> EngineError:
    return EngineError(
        ErrorCode.RUN_NOT_FOUND,
        f"This worker has no run {run_id}.",
        status=404,
        recovery="Check the run's id, and that the worker's URL is the right one.",
    )


def _finished(run_id: str, status: str) -> EngineError:
    return EngineError(ErrorCode.RUN_FINISHED, f"The run {run_id} is {status} already.", status=409)


def _check_run_id(run_id: str, now: int) -> None:
    if not RUN_ID.fullmatch(run_id):
        raise EngineError(
            ErrorCode.INVALID_REQUEST,
            f"{run_id!r} is not a run id.",
            status=400,
            recovery="Leave the run id out, or send wrun_ and a new ULID.",
        )
    check_run_age(run_id, now)


def _deployment(connection: Connection, deployment_id: str | None) -> Deployment:
    wanted = deployment_id or active_id(connection)
    if wanted is None:
        raise no_active_deployment()
    return require_deployment(connection, wanted)


def no_active_deployment() -> EngineError:
    """Return the refusal of what needs an active deployment while there is none."""
    return EngineError(
        ErrorCode.NO_ACTIVE_DEPLOYMENT,
        "No deployment is active on this worker.",
        status=409,
        recovery="Activate one first: studio deploy, or studio compute activate --deployment-id <id>.",
    )


def _check_workflow(deployment: Deployment, workflow_name: str) -> None:
    known = deployment.manifest.workflows
    if workflow_name not in known:
        raise EngineError(
            ErrorCode.UNKNOWN_WORKFLOW,
            f"The deployment {deployment.id} has no workflow {workflow_name}.",
            status=404,
            recovery=f"It has: {', '.join(known[:10]) or 'none'}{' and more' if len(known) > 10 else ''}.",
        )
    if deployment.manifest.sdk.spec_version > SPEC_VERSION:
        raise EngineError(
            ErrorCode.UNSUPPORTED_ARTIFACT,
            f"The deployment {deployment.id} speaks World protocol {deployment.manifest.sdk.spec_version}; this worker "
            f"speaks {SPEC_VERSION}.",
            status=409,
            recovery="Deploy bundles of Workflow SDK 4, or use a newer worker.",
        )
