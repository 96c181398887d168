"""Deployments: what was uploaded, and which ones new runs use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Row, and_, delete, func, insert, literal, or_, select, update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, DEPLOYMENT_ID
from workflow_studio.compute.manifest import Manifest
from workflow_studio.worker.engine import audit, environments, object_rows
from workflow_studio.worker.engine.environments import (
    active_id,
    earlier_id,
    environments_of,
    lock_activation,
    point,
)
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    import builtins
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.environment import Environment
    from workflow_studio.worker.engine.object_rows import Stored
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.retirement import Retirement
    from workflow_studio.worker.store import Database, Transaction

MAX_COUNTED: Final = 1000
"""How far live runs are counted: a deployment may have millions."""

_T: Final = tables.deployments
_R: Final = tables.runs
_O: Final = tables.object_refs
_LIVE: Final = _R.c.status.in_(("pending", "running"))
_LIVE_RUNS: Final = select(func.count()).select_from(
    select(literal(1).label("one"))
    .where(_R.c.deployment_id == _T.c.id, _LIVE)
    .limit(MAX_COUNTED)
    .correlate(_T)
    .subquery("live")
)
_WITH_RUNS: Final = select(_T, _LIVE_RUNS.correlate(_T).scalar_subquery().label("live_runs"))

Status = Literal["created", "active", "draining", "retired"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """An uploaded artifact. Times are epoch milliseconds, and keys are named by their ids.

    Attributes:
        status: ``created`` until it is activated for the first time, ``active`` while new runs of an environment use
            it, ``draining`` while runs of it go on after that, else ``retired``.
        environments: The environments in which it is active, by name.
        live_runs: How many of its runs have not ended; :data:`MAX_COUNTED` stands for more, too.
        created_by: The key that uploaded it.
        activated_at: When it was activated last.
        activated_by: The key that activated it last.
        retired_at: When it retired, if it is.
    """

    id: str
    digest: str
    manifest: Manifest
    status: Status
    created_at: int
    environments: tuple[str, ...] = ()
    live_runs: int = 0
    created_by: str | None = None
    activated_at: int | None = None
    activated_by: str | None = None
    retired_at: int | None = None


class Deployments:
    """The deployments of this worker.

    Args:
        database: Where they are recorded.
        clock: Tells the time.
        queue: Has messages that may be waiting for a deployment.
        environment: Their variables.
        retirement: Notes when their last runs end.
    """

    def __init__(
        self, database: Database, clock: Clock, queue: Queue, environment: Environment, retirement: Retirement
    ) -> None:
        self._database = database
        self._clock = clock
        self._queue = queue
        self._environment = environment
        self._retirement = retirement

    async def register(
        self,
        manifest: Manifest,
        objects: Sequence[Stored] = (),
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        by: str | None = None,
    ) -> tuple[Deployment, bool]:
        """Record a deployment; the artifact itself is stored elsewhere.

        A new one begins with the variables of the one that is active in the environment.

        Args:
            manifest: What was uploaded.
            objects: Its files, which are in the object store.
            environment: The environment that it is meant for.
            by: The key that uploads it.

        Returns:
            The deployment and whether it is new: an artifact with the same content is the same deployment.
        """

        def work(transaction: Transaction) -> tuple[Deployment, bool]:
            audit.describe(made=manifest.deployment_id)
            connection = transaction.connection
            object_rows.refer(transaction, manifest.deployment_id, objects)
            known = _load(connection, manifest.deployment_id)
            if known is not None:
                return known, False
            now = self._clock()
            row = {"digest": manifest.digest, "manifest": manifest.model_dump_json(), "created_at": now}
            transaction.execute(insert(_T).values(id=manifest.deployment_id, created_by=by, **row))
            active = active_id(connection, environment)
            if active is not None:
                self._environment.inherit(transaction, manifest.deployment_id, active, by=by)
            self._queue.retry_unresolved(transaction)
            return require_deployment(connection, manifest.deployment_id), True

        return await self._database.write(work)

    async def get(self, deployment_id: str) -> Deployment:
        """Return a deployment.

        Raises:
            EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
        """
        return await self._database.read(lambda connection: require_deployment(connection, deployment_id))

    async def is_known(self, deployment_id: str) -> bool:
        """Tell whether there is a deployment of this id."""
        query = select(_T.c.id).where(_T.c.id == deployment_id)
        return await self._database.read(lambda connection: connection.execute(query).first() is not None)

    async def refer(self, deployment_id: str, objects: Sequence[Stored]) -> None:
        """Record that a deployment has objects, if there still is one.

        Raises:
            ObjectGoneError: If one of them is not there any more.
        """

        def work(transaction: Transaction) -> None:
            found = select(_T.c.id).where(_T.c.id == deployment_id).with_for_update()
            if transaction.execute(found).first() is not None:
                object_rows.refer(transaction, deployment_id, objects)

        await self._database.write(work)

    async def without_objects(self) -> builtins.list[str]:
        """Return the deployments whose files are not in the object store."""
        has_some = select(_O.c.digest).where(_O.c.owner == _T.c.id).exists()

        def look(connection: Connection) -> builtins.list[str]:
            return [row.id for row in connection.execute(select(_T.c.id).where(~has_some).order_by(_T.c.id))]

        return await self._database.read(look)

    async def list(self, limit: int = 20, cursor: str | None = None) -> tuple[list[Deployment], str | None]:
        """Return deployments, newest first, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1, at most 100.
            cursor: Where the page before ended.

        Raises:
            EngineError: ``invalid_request`` if no deployment has the id that ``cursor`` names.
        """

        def work(connection: Connection) -> tuple[list[Deployment], str | None]:
            query = _WITH_RUNS.order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit + 1)
            if cursor:
                after = _load(connection, cursor)
                if after is None:
                    raise EngineError(ErrorCode.INVALID_REQUEST, "The cursor is not one of this list.", status=400)
                older = _T.c.created_at < after.created_at
                query = query.where(or_(older, and_(_T.c.created_at == after.created_at, _T.c.id < after.id)))
            found = _deployments(connection, connection.execute(query).all())
            page = found[:limit]
            return page, page[-1].id if len(found) > limit else None

        return await self._database.read(work)

    async def activate(
        self, deployment_id: str, *, environment: str = DEFAULT_ENVIRONMENT, by: str | None = None
    ) -> Deployment:
        """Have new runs of an environment use this deployment. Runs that exist stay where they are.

        Activating the active one changes nothing.

        Args:
            deployment_id: The deployment.
            environment: The environment.
            by: The key that activates it.

        Raises:
            EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
        """
        return await self._database.write(
            lambda transaction: self._activate(transaction, deployment_id, environment, by)
        )

    async def rollback(
        self,
        deployment_id: str | None = None,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        by: str | None = None,
    ) -> Deployment:
        """Have new runs of an environment use an earlier deployment again.

        Args:
            deployment_id: The deployment; the one that was active in the environment before the active one if None.
            environment: The environment.
            by: The key that activates it.

        Raises:
            EngineError: ``no_earlier_deployment``, ``invalid_deployment_id`` or ``deployment_not_found``.
        """

        def work(transaction: Transaction) -> Deployment:
            lock_activation(transaction)
            wanted = deployment_id or earlier_id(transaction.connection, environment)
            return self._activate(transaction, wanted, environment, by)

        return await self._database.write(work)

    def _activate(self, transaction: Transaction, deployment_id: str, environment: str, by: str | None) -> Deployment:
        connection = transaction.connection
        lock_activation(transaction)
        require_deployment(connection, deployment_id)
        former = active_id(connection, environment)
        is_another = former != deployment_id
        audit.describe(target=deployment_id, environment=environment, replaced=former if is_another else None)
        if is_another:
            at = point(transaction, environment, deployment_id, at=self._clock(), by=by)
            values = {"activated_at": at, "activated_by": by, "retired_at": None}
            connection.execute(update(_T).where(_T.c.id == deployment_id).values(**values))
            self._retirement.replaced(transaction, former, deployment_id, at)
            self._queue.retry_unresolved(transaction)
        return require_deployment(connection, deployment_id)

    async def delete(self, deployment_id: str) -> None:
        """Forget a deployment, its variables, and messages that only it could have handled.

        Its artifact can be removed afterwards. Its runs, which have all ended, stay.

        Raises:
            EngineError: ``deployment_active``, ``deployment_in_use``, ``invalid_deployment_id`` or
                ``deployment_not_found``.
        """

        def work(transaction: Transaction) -> None:
            connection = transaction.connection
            lock_activation(transaction)
            # Whoever starts a run shares the row's lock, so no run begins between the look and the deletion.
            connection.execute(select(_T.c.id).where(_T.c.id == deployment_id).with_for_update())
            found = require_deployment(connection, deployment_id)
            if found.status == "active":
                raise _is_active(found)
            if found.live_runs:
                raise _in_use(found)
            self._environment.forget(transaction, deployment_id)
            environments.forget(transaction, deployment_id)
            object_rows.release(transaction, [deployment_id])
            m = tables.messages
            left = delete(m).where(m.c.deployment_id == deployment_id, m.c.status != "leased")
            connection.execute(left)
            connection.execute(delete(_T).where(_T.c.id == deployment_id))

        await self._database.write(work)


def has_live_runs(connection: Connection, deployment_id: str) -> bool:
    """Tell whether a run of a deployment has not ended."""
    query = select(_R.c.run_id).where(_R.c.deployment_id == deployment_id, _LIVE).limit(1)
    return connection.execute(query).first() is not None


def last_end(connection: Connection, deployment_id: str) -> int | None:
    """Return when the last of a deployment's runs ended, in epoch milliseconds; all its runs are looked at."""
    query = select(func.max(_R.c.completed_at)).where(_R.c.deployment_id == deployment_id)
    found: int | None = connection.execute(query).scalar()
    return found


def require_deployment(connection: Connection, deployment_id: str) -> Deployment:
    """Return a deployment.

    Raises:
        EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
    """
    check_id(deployment_id)
    found = _load(connection, deployment_id)
    if found is None:
        raise not_found(deployment_id)
    return found


def check_id(deployment_id: str) -> None:
    """Refuse what does not look like the id of a deployment.

    Raises:
        EngineError: ``invalid_deployment_id``.
    """
    if not DEPLOYMENT_ID.fullmatch(deployment_id):
        raise EngineError(
            ErrorCode.INVALID_DEPLOYMENT_ID,
            "A deployment id is dep_ and 32 hexadecimal digits.",
            status=400,
            recovery="Use the id that the deploy command printed.",
        )


def not_found(deployment_id: str) -> EngineError:
    """Return the refusal of what names a deployment that is not here."""
    return EngineError(
        ErrorCode.DEPLOYMENT_NOT_FOUND,
        f"This worker has no deployment {deployment_id}.",
        status=404,
        recovery="Deploy it to this worker first, or check that the worker's URL is the right one.",
    )


def _is_active(found: Deployment) -> EngineError:
    names = ", ".join(found.environments[:10])
    more = " and more" if len(found.environments) > 10 else ""
    return EngineError(
        ErrorCode.DEPLOYMENT_ACTIVE,
        f"New runs use the deployment {found.id} in {names}{more}.",
        status=409,
        recovery="Activate another one there first, or delete the environment.",
    )


def _in_use(found: Deployment) -> EngineError:
    count = f"{found.live_runs} {'or more ' if found.live_runs >= MAX_COUNTED else ''}"
    return EngineError(
        ErrorCode.DEPLOYMENT_IN_USE,
        f"{count}{'run' if found.live_runs == 1 else 'runs'} of the deployment {found.id} "
        f"{'has' if found.live_runs == 1 else 'have'} not ended.",
        status=409,
        recovery="Wait for them, or cancel them.",
    )


def _load(connection: Connection, deployment_id: str) -> Deployment | None:
    rows = connection.execute(_WITH_RUNS.where(_T.c.id == deployment_id)).all()
    return next(iter(_deployments(connection, rows)), None)


def _deployments(connection: Connection, rows: Sequence[Row[Any]]) -> list[Deployment]:
    active_in = environments_of(connection, [row.id for row in rows])
    return [_deployment(connection, row, active_in.get(row.id, ())) for row in rows]


def _deployment(connection: Connection, row: Row[Any], active_in: tuple[str, ...]) -> Deployment:
    status: Status = "created"
    retired_at = None
    if active_in:
        status = "active"
    elif row.activated_at is not None:
        status = "draining" if row.live_runs else "retired"
    if status == "retired":
        # It is stored a moment after the last run's end where a run ended just as another deployment was activated.
        retired_at = row.retired_at if row.retired_at is not None else last_end(connection, row.id)
    return Deployment(
        id=row.id,
        digest=row.digest,
        manifest=Manifest.model_validate_json(row.manifest),
        status=status,
        created_at=row.created_at,
        environments=active_in,
        live_runs=row.live_runs,
        created_by=row.created_by,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
        retired_at=retired_at,
    )
