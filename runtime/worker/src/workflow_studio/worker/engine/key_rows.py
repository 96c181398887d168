"""Keys as they are stored: their shape, their states, their rows, and what is refused about them."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy import true as sql_true

from workflow_studio.compute.api import KeyState
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection

_SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "wfs_"  # noqa: S105  # lets secret scanners recognise a leaked key
_T: Final = tables.api_keys


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
    """A key as it is stored. Times are epoch milliseconds.

    Attributes:
        from_settings: True if the settings name it, False if they did once, None if it was made otherwise.
    """

    key_id: str
    project_id: str
    environment: str
    scopes: frozenset[str]
    created_at: int
    revoked_at: int | None = None
    name: str | None = None
    from_settings: bool | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    created_by: str | None = None
    replaces: str | None = None

    def state(self, now: int) -> KeyState:
        """Tell whether the key works at this time (epoch milliseconds)."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.from_settings is False:
            return KeyState.DISABLED
        return KeyState.EXPIRED if self.expires_at is not None and self.expires_at <= now else KeyState.LIVE


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be like. Times are epoch milliseconds.

    Attributes:
        expires_at: From when on it is refused; None for never.
        created_by: The key that makes it.
    """

    project_id: str
    environment: str
    scopes: Collection[str]
    name: str | None = None
    expires_at: int | None = None
    created_by: str | None = None


class KeyExpiredError(EngineError):
    """The key was one of this worker, and its time is over. Only who has its secret is told."""

    def __init__(self, key: ApiKey) -> None:
        super().__init__(
            ErrorCode.UNAUTHORIZED,
            f"The API key {key.key_id} has expired.",
            status=401,
            recovery="Have a new key made: studio keys create, or POST /v1/keys.",
        )


def new_secret() -> str:
    """Return a secret for a new key: 256 random bits behind a prefix that tells what it is."""
    return _SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    # The secrets are random and long, so one round is enough; a slow hash would only serve who floods the worker.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_seed(key: SeedApiKey) -> None:
    """Refuse a key of the settings that is not allowed.

    Raises:
        EngineError: ``invalid_request``.
    """
    check_scopes(key.scopes)
    if len(key.secret) < 16:
        raise EngineError(
            ErrorCode.INVALID_REQUEST,
            f"The secret of the key {key.key_id} has fewer than 16 characters.",
            status=400,
            recovery="Use a long random secret, for example from `openssl rand -hex 32`.",
        )


def check_scopes(scopes: Collection[str]) -> None:
    """Refuse scopes that there are not.

    Raises:
        EngineError: ``invalid_request``.
    """
    unknown = sorted(set(scopes) - set(ComputeScope))
    if unknown:
        raise EngineError(
            ErrorCode.INVALID_REQUEST,
            f"Unknown scope: {', '.join(unknown)}.",
            status=400,
            recovery=f"Scopes are {', '.join(ComputeScope)}.",
        )


def in_state(state: KeyState, now: int) -> ColumnElement[bool]:
    """Return the condition of keys in a state; see :meth:`ApiKey.state`."""
    revoked, disabled = _T.c.revoked_at.is_not(None), _T.c.from_settings.is_(False)
    usable = and_(_T.c.revoked_at.is_(None), func.coalesce(_T.c.from_settings, sql_true()))
    if state == KeyState.REVOKED:
        return revoked
    if state == KeyState.DISABLED:
        return and_(_T.c.revoked_at.is_(None), disabled)
    if state == KeyState.EXPIRED:
        return and_(usable, _T.c.expires_at <= now)
    return and_(usable, or_(_T.c.expires_at.is_(None), _T.c.expires_at > now))


def live(now: int) -> ColumnElement[bool]:
    """Return the condition of keys that work."""
    return in_state(KeyState.LIVE, now)


def load_key(connection: Connection, key_id: str) -> ApiKey | None:
    """Return a key, if there is one."""
    row = connection.execute(select(_T).where(_T.c.key_id == key_id)).first()
    return None if row is None else key_of(row)


def require_key(connection: Connection, key_id: str) -> ApiKey:
    """Return a key.

    Raises:
        EngineError: ``key_not_found``.
    """
    found = load_key(connection, key_id)
    if found is None:
        raise EngineError(
            ErrorCode.KEY_NOT_FOUND,
            "There is no key with this id.",
            status=404,
            recovery="List the keys: studio keys list, or GET /v1/keys.",
        )
    return found


def not_live(key: ApiKey, now: int) -> EngineError:
    """Return the refusal to rotate a key that does not work any more."""
    return EngineError(
        ErrorCode.KEY_NOT_LIVE,
        f"The key {key.key_id} is {key.state(now)} already.",
        status=409,
        recovery="Make a new key: studio keys create, or POST /v1/keys.",
    )


def from_settings(key_id: str) -> EngineError:
    """Return the refusal to rotate a key whose secret is not the worker's to choose."""
    return EngineError(
        ErrorCode.KEY_FROM_SETTINGS,
        f"The key {key_id} comes from the worker's settings.",
        status=409,
        recovery="Change its secret there and start the worker again.",
    )


def last_admin(key_id: str) -> EngineError:
    """Return the refusal to lock everybody out."""
    return EngineError(
        ErrorCode.LAST_ADMIN_KEY,
        f"The key {key_id} is the last one with the scope admin that works.",
        status=409,
        recovery="Make another one first, or send force.",
    )


def key_of(row: Row[Any]) -> ApiKey:
    """Return the key in a row."""
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's own name for the public view of a row
    del values["secret_sha256"]
    return ApiKey(**(values | {"scopes": frozenset(json.loads(row.scopes))}))
