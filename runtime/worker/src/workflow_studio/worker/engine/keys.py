"""API keys: who may call, and what for."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select, update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import Scope
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.store import Database, Transaction

_SECRET_BYTES = 32
_SECRET_PREFIX = "wfs_"  # noqa: S105  # lets secret scanners recognise a leaked key
_T = tables.api_keys


@dataclass(frozen=True, slots=True)
class SeedApiKey:
    """A key that the worker's settings name.

    Attributes:
        secret: The bearer token itself; only its hash is stored.
    """

    key_id: str
    project_id: str
    environment: str
    scopes: tuple[str, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Times are epoch milliseconds."""

    key_id: str
    project_id: str
    environment: str
    scopes: frozenset[str]
    created_at: int
    revoked_at: int | None = None


class ApiKeys:
    """The keys of this worker."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def seed(self, keys: Sequence[SeedApiKey]) -> None:
        """Store the keys that the settings name; a key that is stored already gets the values given here.

        A revoked key stays revoked: to bring it back, give it another id.

        Raises:
            EngineError: ``invalid_request`` if a scope is unknown, a secret is short, or two keys share a secret.
        """
        for key in keys:
            _check_scopes(key.scopes)
            if len(key.secret) < 16:
                raise EngineError(
                    ErrorCode.INVALID_REQUEST,
                    f"The secret of the key {key.key_id} has fewer than 16 characters.",
                    status=400,
                    recovery="Use a long random secret, for example from `openssl rand -hex 32`.",
                )

        def work(transaction: Transaction) -> None:
            for key in keys:
                self._seed_one(transaction.connection, key)

        await self._database.write(work)

    def _seed_one(self, connection: Connection, key: SeedApiKey) -> None:
        digest = _digest(key.secret)
        holder = connection.execute(select(_T.c.key_id).where(_T.c.secret_sha256 == digest)).scalar()
        if holder not in (None, key.key_id):
            raise EngineError(
                ErrorCode.INVALID_REQUEST,
                f"The keys {holder} and {key.key_id} have the same secret.",
                status=400,
                recovery="Give each key a secret of its own.",
            )
        values = {
            "project_id": key.project_id,
            "environment": key.environment,
            "scopes": json.dumps(sorted(set(key.scopes))),
            "secret_sha256": digest,
        }
        if not connection.execute(update(_T).where(_T.c.key_id == key.key_id).values(**values)).rowcount:
            connection.execute(insert(_T).values(key_id=key.key_id, created_at=self._clock(), **values))

    async def create(self, *, project_id: str, environment: str, scopes: Collection[str]) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            The key and its secret, which cannot be had again.

        Raises:
            EngineError: ``invalid_request`` if a scope is unknown.
        """
        _check_scopes(scopes)
        secret = new_secret()
        now = self._clock()
        key = ApiKey(new_id("key", now), project_id, environment, frozenset(scopes), now)
        values = {
            "key_id": key.key_id,
            "project_id": project_id,
            "environment": environment,
            "scopes": json.dumps(sorted(key.scopes)),
            "secret_sha256": _digest(secret),
            "created_at": now,
        }
        await self._database.write(lambda transaction: transaction.execute(insert(_T).values(**values)))
        return key, secret

    async def verify(self, secret: str) -> ApiKey | None:
        """Return the live key that has this secret, if any."""
        digest = _digest(secret)
        row = await self._database.read(
            lambda connection: connection.execute(select(_T).where(_T.c.secret_sha256 == digest)).first()
        )
        if row is None or not hmac.compare_digest(row.secret_sha256, digest) or row.revoked_at is not None:
            return None
        return _key(row)

    async def revoke(self, key_id: str) -> ApiKey:
        """Make a key useless, at once and for ever. Revoking it twice changes nothing.

        Raises:
            EngineError: ``not_found``.
        """

        def work(transaction: Transaction) -> ApiKey:
            live = update(_T).where(_T.c.key_id == key_id, _T.c.revoked_at.is_(None))
            transaction.execute(live.values(revoked_at=self._clock()))
            row = transaction.execute(select(_T).where(_T.c.key_id == key_id)).first()
            if row is None:
                raise EngineError(ErrorCode.NOT_FOUND, f"There is no key {key_id}.", status=404)
            return _key(row)

        return await self._database.write(work)

    async def count(self) -> int:
        """Return how many keys are live."""
        query = select(func.count()).select_from(_T).where(_T.c.revoked_at.is_(None))
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))


def new_secret() -> str:
    """Return a secret for a new key: 256 random bits behind a prefix that tells what it is."""
    return _SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> str:
    # The secrets are random and long, so one round is enough; a slow hash would only serve who floods the worker.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check_scopes(scopes: Collection[str]) -> None:
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise EngineError(
            ErrorCode.INVALID_REQUEST,
            f"Unknown scope: {', '.join(unknown)}.",
            status=400,
            recovery=f"Scopes are {', '.join(Scope)}.",
        )


def _key(row: Row[Any]) -> ApiKey:
    scopes = frozenset(json.loads(row.scopes))
    return ApiKey(row.key_id, row.project_id, row.environment, scopes, row.created_at, row.revoked_at)
