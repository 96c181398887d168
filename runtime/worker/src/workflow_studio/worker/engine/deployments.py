"""Deployments: what was uploaded, and which one new runs use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Row, and_, insert, or_, select, update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEPLOYMENT_ID
from workflow_studio.compute.manifest import Manifest
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.store import Database, Transaction

_ACTIVE = "active_deployment"
_T = tables.deployments


@dataclass(frozen=True, slots=True)
class Deployment:
    """An uploaded artifact.

    Attributes:
        status: ``created`` until it is activated for the first time, ``active`` while new runs use it, else
            ``inactive``.
        created_at: Epoch milliseconds.
        activated_at: When it was activated last, in epoch milliseconds.
    """

    id: str
    digest: str
    manifest: Manifest
    status: Literal["created", "active", "inactive"]
    created_at: int
    activated_at: int | None = None


class Deployments:
    """The deployments of this worker."""

    def __init__(self, database: Database, clock: Clock, queue: Queue) -> None:
        self._database = database
        self._clock = clock
        self._queue = queue

    async def register(self, manifest: Manifest) -> tuple[Deployment, bool]:
        """Record a deployment; the artifact itself is stored elsewhere.

        Returns:
            The deployment and whether it is new: an artifact with the same content is the same deployment.
        """

        def work(transaction: Transaction) -> tuple[Deployment, bool]:
            known = _load(transaction.connection, manifest.deployment_id)
            if known is not None:
                return known, False
            now = self._clock()
            transaction.execute(
                insert(_T).values(
                    id=manifest.deployment_id,
                    digest=manifest.digest,
                    manifest=manifest.model_dump_json(),
                    created_at=now,
                )
            )
            self._queue.retry_unresolved(transaction)
            return Deployment(manifest.deployment_id, manifest.digest, manifest, "created", now), True

        return await self._database.write(work)

    async def get(self, deployment_id: str) -> Deployment:
        """Return a deployment.

        Raises:
            EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
        """
        return await self._database.read(lambda connection: require_deployment(connection, deployment_id))

    async def list(self, limit: int = 20, cursor: str | None = None) -> tuple[list[Deployment], str | None]:
        """Return deployments, newest first, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1, at most 100.
            cursor: Where the page before ended.

        Raises:
            EngineError: ``invalid_request`` if no deployment has the id that ``cursor`` names.
        """

        def work(connection: Connection) -> tuple[list[Deployment], str | None]:
            query = select(_T).order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit + 1)
            if cursor:
                after = _load(connection, cursor)
                if after is None:
                    raise EngineError(ErrorCode.INVALID_REQUEST, "The cursor is not one of this list.", status=400)
                older = _T.c.created_at < after.created_at
                query = query.where(or_(older, and_(_T.c.created_at == after.created_at, _T.c.id < after.id)))
            active = active_id(connection)
            found = [_deployment(row, active) for row in connection.execute(query)]
            page = found[:limit]
            return page, page[-1].id if len(found) > limit else None

        return await self._database.read(work)

    async def active_id(self) -> str | None:
        """Return the id of the deployment that new runs use, or None if none was activated yet."""
        return await self._database.read(active_id)

    async def require_active_id(self) -> str:
        """Return the id of the deployment that new runs use.

        Raises:
            WorldError: With status 409, if none was activated yet.
        """
        return await self._database.read(require_active_id)

    async def activate(self, deployment_id: str) -> Deployment:
        """Have new runs use this deployment. Runs that exist stay where they are; a rollback is this, too.

        Raises:
            EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
        """

        def work(transaction: Transaction) -> Deployment:
            connection = transaction.connection
            require_deployment(connection, deployment_id)
            stored = update(tables.settings).where(tables.settings.c.key == _ACTIVE).values(value=deployment_id)
            if not connection.execute(stored).rowcount:
                connection.execute(insert(tables.settings).values(key=_ACTIVE, value=deployment_id))
            connection.execute(update(_T).where(_T.c.id == deployment_id).values(activated_at=self._clock()))
            self._queue.retry_unresolved(transaction)
            return require_deployment(connection, deployment_id)

        return await self._database.write(work)


def require_active_id(connection: Connection) -> str:
    """Return the id of the deployment that new runs use, for the World.

    Raises:
        WorldError: With status 409, if none was activated yet.
    """
    active = active_id(connection)
    if active is None:
        raise WorldError(
            "No deployment is active on this worker; activate one first",
            status=409,
            code=ErrorCode.NO_ACTIVE_DEPLOYMENT,
        )
    return active


def active_id(connection: Connection) -> str | None:
    """Return the id of the active deployment, if there is one."""
    query = select(tables.settings.c.value).where(tables.settings.c.key == _ACTIVE)
    value: str | None = connection.execute(query).scalar()
    return value


def require_deployment(connection: Connection, deployment_id: str) -> Deployment:
    """Return a deployment.

    Raises:
        EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
    """
    if not DEPLOYMENT_ID.fullmatch(deployment_id):
        raise EngineError(
            ErrorCode.INVALID_DEPLOYMENT_ID,
            "A deployment id is dep_ and 32 hexadecimal digits.",
            status=400,
            recovery="Use the id that the deploy command printed.",
        )
    found = _load(connection, deployment_id)
    if found is None:
        raise EngineError(
            ErrorCode.DEPLOYMENT_NOT_FOUND,
            f"This worker has no deployment {deployment_id}.",
            status=404,
            recovery="Deploy it to this worker first, or check that the worker's URL is the right one.",
        )
    return found


def _load(connection: Connection, deployment_id: str) -> Deployment | None:
    row = connection.execute(select(_T).where(_T.c.id == deployment_id)).first()
    return None if row is None else _deployment(row, active_id(connection))


def _deployment(row: Row[Any], active: str | None) -> Deployment:
    status: Literal["created", "active", "inactive"] = "created"
    if row.activated_at is not None:
        status = "active" if row.id == active else "inactive"
    manifest = Manifest.model_validate_json(row.manifest)
    return Deployment(row.id, row.digest, manifest, status, row.created_at, row.activated_at)
