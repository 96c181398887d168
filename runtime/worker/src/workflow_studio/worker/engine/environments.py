"""Environments: each has an active deployment of its own, which its new runs use.

An environment is there as long as a deployment is active in it. A deployment is active as long as it is in any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, delete, insert, select, update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, ENVIRONMENT_NAME
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import audit
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.retirement import Retirement
    from workflow_studio.worker.store import Database, Transaction

_T: Final = tables.environments
_A: Final = tables.activations
ACTIVE_IN: Final = Statement(select(_T.c.deployment_id).where(_T.c.name == bindparam("environment")))
"""Which deployment is active in an environment."""

_ANYWHERE: Final = select(_T.c.name).where(_T.c.deployment_id == bindparam("deployment")).limit(1)
_WITH_ACTIVATION: Final = select(_T.c.name, _T.c.deployment_id, _A.c.activated_at, _A.c.activated_by).select_from(
    _T.outerjoin(_A, and_(_A.c.environment == _T.c.name, _A.c.deployment_id == _T.c.deployment_id))
)


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment in which a deployment is active.

    Attributes:
        name: Its name.
        deployment_id: The deployment.
        activated_at: When that was activated in it, in epoch milliseconds.
        activated_by: The key that activated it.
    """

    name: str
    deployment_id: str
    activated_at: int
    activated_by: str | None = None


class Environments:
    """The environments of this worker.

    Args:
        database: Where they are recorded.
        clock: Tells the time.
        retirement: Notes when deployments retire that are active nowhere any more.
    """

    def __init__(self, database: Database, clock: Clock, retirement: Retirement) -> None:
        self._database = database
        self._clock = clock
        self._retirement = retirement

    async def list(self, limit: int = 100, cursor: str | None = None) -> tuple[list[Environment], str | None]:
        """Return environments by name, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1.
            cursor: Where the page before ended.
        """
        query = _WITH_ACTIVATION.order_by(_T.c.name).limit(limit + 1)
        if cursor is not None:
            query = query.where(_T.c.name > cursor)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        page = [Environment(*row) for row in rows[:limit]]
        return page, page[-1].name if len(rows) > limit else None

    async def last_activated(self, limit: int) -> tuple[str, ...]:
        """Return the ids of active deployments: those that were activated last, ``limit`` at most."""
        query = _WITH_ACTIVATION.order_by(_A.c.activated_at.desc())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        ids = dict.fromkeys(Environment(*row).deployment_id for row in rows)
        return tuple(ids)[:limit]

    async def active_id(self, environment: str) -> str:
        """Return the id of the deployment that new runs of an environment use.

        Raises:
            EngineError: ``no_active_deployment``.
        """
        return await self._database.read(lambda connection: require_active_id(connection, environment))

    async def active_id_for_world(self, environment: str) -> str:
        """Return what :meth:`active_id` does, refusing in the World's words.

        Raises:
            WorldError: With status 409.
        """
        return await self._database.read(lambda connection: active_id_for_world(connection, environment))

    async def delete(self, name: str) -> None:
        """Have no deployment be active in an environment any more, and forget which ones were.

        Its runs stay, and go on.

        Raises:
            EngineError: ``default_environment``, ``invalid_environment`` or ``environment_not_found``.
        """
        check_name(name)
        if name == DEFAULT_ENVIRONMENT:
            raise EngineError(
                ErrorCode.DEFAULT_ENVIRONMENT,
                f"{name} is the environment of requests that name none, and cannot be deleted.",
                status=409,
                recovery="Activate another deployment in it.",
            )

        def work(transaction: Transaction) -> None:
            connection = transaction.connection
            lock_activation(transaction)
            former = active_id(connection, name)
            audit.describe(replaced=former)
            if former is None:
                raise EngineError(
                    ErrorCode.ENVIRONMENT_NOT_FOUND,
                    f"No deployment is active in the environment {name}.",
                    status=404,
                    recovery="List those in which one is: studio environments list.",
                )
            connection.execute(delete(_T).where(_T.c.name == name))
            connection.execute(delete(_A).where(_A.c.environment == name))
            self._retirement.replaced(transaction, former, None, self._clock())

        await self._database.write(work)


def lock_activation(transaction: Transaction) -> None:
    """Keep others from changing what is active anywhere until the transaction ends."""
    transaction.lock("active_deployment")


def point(transaction: Transaction, environment: str, deployment_id: str, *, at: int, by: str | None) -> int:
    """Make a deployment the active one of an environment, and return when: later than the one before it.

    Args:
        transaction: Holds the lock of :func:`lock_activation`.
        environment: The environment.
        deployment_id: The deployment; another one than is active in it.
        at: The time by the clock, in epoch milliseconds.
        by: The key that activates it.
    """
    connection = transaction.connection
    newest = select(_A.c.activated_at).where(_A.c.environment == environment).order_by(_A.c.activated_at.desc())
    at = max(at, 1 + (connection.execute(newest.limit(1)).scalar() or 0))
    named = update(_T).where(_T.c.name == environment).values(deployment_id=deployment_id)
    if not connection.execute(named).rowcount:
        connection.execute(insert(_T).values(name=environment, deployment_id=deployment_id))
    row = {"activated_at": at, "activated_by": by}
    this = (_A.c.environment == environment, _A.c.deployment_id == deployment_id)
    if not connection.execute(update(_A).where(*this).values(**row)).rowcount:
        connection.execute(insert(_A).values(environment=environment, deployment_id=deployment_id, **row))
    return at


def earlier_id(connection: Connection, environment: str) -> str:
    """Return the id of the deployment that was active in an environment before the one that is.

    Raises:
        EngineError: ``no_earlier_deployment``.
    """
    query = select(_A.c.deployment_id).where(_A.c.environment == environment)
    query = query.order_by(_A.c.activated_at.desc(), _A.c.deployment_id)
    active = active_id(connection, environment)
    if active is not None:
        query = query.where(_A.c.deployment_id != active)
    found: str | None = connection.execute(query.limit(1)).scalar()
    if found is None:
        raise EngineError(
            ErrorCode.NO_EARLIER_DEPLOYMENT,
            f"No other deployment was active before{_inside(environment)}.",
            status=409,
            recovery="Activate one by its id: studio deployments list, then studio deployments activate <id>.",
        )
    return found


def forget(transaction: Transaction, deployment_id: str) -> None:
    """Forget where a deployment was active that is about to be deleted."""
    transaction.execute(delete(_A).where(_A.c.deployment_id == deployment_id))


def active_id(connection: Connection, environment: str) -> str | None:
    """Return the id of the deployment that is active in an environment, if there is one."""
    value: str | None = ACTIVE_IN.scalar(connection, {"environment": environment})
    return value


def require_active_id(connection: Connection, environment: str) -> str:
    """Return the id of the deployment that is active in an environment.

    Raises:
        EngineError: ``no_active_deployment``.
    """
    active = active_id(connection, environment)
    if active is None:
        raise no_active_deployment(environment)
    return active


def active_id_for_world(connection: Connection, environment: str) -> str:
    """Return the id of the deployment that is active in an environment, refusing in the World's words.

    Raises:
        WorldError: With status 409.
    """
    try:
        return require_active_id(connection, environment)
    except EngineError as error:
        message = f"{error.message.removesuffix('.')}; activate one first"
        raise WorldError(message, status=error.status, code=error.code) from error


def is_active(connection: Connection, deployment_id: str) -> bool:
    """Tell whether a deployment is active in any environment."""
    return connection.execute(_ANYWHERE, {"deployment": deployment_id}).first() is not None


def environments_of(connection: Connection, deployment_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of the environments in which deployments are active, by the deployments' ids."""
    query = select(_T.c.deployment_id, _T.c.name).where(_T.c.deployment_id.in_(deployment_ids)).order_by(_T.c.name)
    found: dict[str, tuple[str, ...]] = {}
    for deployment_id, name in connection.execute(query):
        found[deployment_id] = (*found.get(deployment_id, ()), name)
    return found


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an environment.

    Raises:
        EngineError: ``invalid_environment``.
    """
    if not ENVIRONMENT_NAME.fullmatch(name):
        raise EngineError(
            ErrorCode.INVALID_ENVIRONMENT,
            f"{name[:63]!r} cannot be the name of an environment.",
            status=400,
            recovery="A name is 1 to 63 of a-z, 0-9 and -, and does not begin with a dash.",
        )


def no_active_deployment(environment: str) -> EngineError:
    """Return the refusal of what needs an active deployment while there is none."""
    named = "" if environment == DEFAULT_ENVIRONMENT else f" --environment {environment}"
    return EngineError(
        ErrorCode.NO_ACTIVE_DEPLOYMENT,
        f"No deployment is active{_inside(environment)} on this worker.",
        status=409,
        recovery=f"Activate one first: studio deploy{named}, or studio compute activate --deployment-id <id>{named}.",
    )


def _inside(environment: str) -> str:
    return "" if environment == DEFAULT_ENVIRONMENT else f" in the environment {environment}"
