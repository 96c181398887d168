"""API keys: who may call, and what for."""

from __future__ import annotations

import hmac
import json
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, insert, or_, select, update

from workflow_studio.compute.api import KeyState
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.engine import audit
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.key_rows import (
    ApiKey,
    KeyExpiredError,
    NewKey,
    SeedApiKey,
    check_scopes,
    check_seed,
    digest,
    from_settings,
    in_state,
    key_of,
    last_admin,
    live,
    load_key,
    new_secret,
    not_live,
    require_key,
)
from workflow_studio.worker.store import StoreError, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.ports import IdempotencyKey
    from workflow_studio.worker.store import Database, Transaction

__all__ = ["ApiKey", "ApiKeys", "KeyExpiredError", "NewKey", "SeedApiKey", "new_secret"]

_REMEMBERED_FOR: Final = 1.0
_MAX_REMEMBERED: Final = 1024
_MINUTE_MS: Final = 60_000
_T: Final = tables.api_keys


class ApiKeys:
    """The keys of this worker.

    A key that was found is remembered for a second, which spares busy callers a look-up per request; whatever changes
    keys forgets all of that at once, on all workers. Only the digest of a secret is kept.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        idempotency: IdempotencyKeys,
        bus: Bus,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._idempotency = idempotency
        self._bus = bus
        bus.on("keys", lambda _: self._forget())
        bus.on_gap(self._forget)
        self._monotonic = monotonic
        self._remembered: dict[str, tuple[float, ApiKey]] = {}
        self._changes = 0
        self._used: dict[str, int] = {}

    async def seed(self, keys: Sequence[SeedApiKey]) -> None:
        """Store the keys that the settings name, and disable those that they named before and name no longer.

        A key that is stored already gets the values given here. A revoked key stays revoked: to bring it back, give it
        another id.

        Raises:
            EngineError: ``invalid_request`` if a scope is unknown, a secret is short, or two keys share a secret.
        """
        for key in keys:
            check_seed(key)

        def work(transaction: Transaction) -> None:
            of_settings = _T.c.from_settings.is_not(None)
            named = [key.key_id for key in keys]
            # First all of them let go of their secrets, which may have passed from one to another.
            for row in transaction.execute(select(_T.c.key_id).where(or_(of_settings, _T.c.key_id.in_(named)))).all():
                given_up = update(_T).where(_T.c.key_id == row.key_id)
                transaction.execute(given_up.values(secret_sha256=f"none:{row.key_id}"))
            transaction.execute(update(_T).where(of_settings).values(from_settings=False))
            for key in keys:
                self._seed_one(transaction.connection, key)
            self._changed(transaction)

        await self._database.write(work)

    def _seed_one(self, connection: Connection, key: SeedApiKey) -> None:
        hashed = digest(key.secret)
        holder = connection.execute(select(_T.c.key_id).where(_T.c.secret_sha256 == hashed)).scalar()
        if holder is not None:
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
            "secret_sha256": hashed,
            "from_settings": True,
            "expires_at": None,
        }
        if not connection.execute(update(_T).where(_T.c.key_id == key.key_id).values(**values)).rowcount:
            connection.execute(insert(_T).values(key_id=key.key_id, created_at=self._clock(), **values))

    async def create(
        self,
        new: NewKey,
        *,
        secret: str | None = None,
        key_id: str | None = None,
        repeat: IdempotencyKey | None = None,
    ) -> tuple[ApiKey, str | None]:
        """Make a key.

        Args:
            new: What it is to be like.
            secret: Its secret; a new one if None.
            key_id: Its id, if no key has it yet; a new one if None or taken.
            repeat: What names the request, if it may arrive twice.

        Returns:
            The key and its secret, which cannot be had again: not by a repeat either, which gets None.

        Raises:
            EngineError: ``invalid_request`` if a scope is unknown or the key would have expired already,
                ``idempotency_conflict``.
        """
        return await self._make(repeat, lambda transaction: self._insert(transaction, new, secret, key_id))

    async def rotate(
        self,
        key_id: str,
        *,
        overlap_ms: int,
        expires_at: int | None = None,
        created_by: str | None = None,
        repeat: IdempotencyKey | None = None,
    ) -> tuple[ApiKey, str | None, int | None]:
        """Make a key that takes the place of another, which goes on for a while.

        Args:
            key_id: The key to replace.
            overlap_ms: How much longer it goes on, unless it expires before that.
            expires_at: When the new key expires; if None, it lives as long as the old one was made for.
            created_by: The key that makes it.
            repeat: What names the request, if it may arrive twice.

        Returns:
            The new key, its secret (None for a repeat), and when the old one expires.

        Raises:
            EngineError: ``key_not_found``, ``key_not_live``, ``key_from_settings``, ``invalid_request`` or
                ``idempotency_conflict``.
        """

        def work(transaction: Transaction) -> tuple[str, str]:
            transaction.lock("keys")  # a key that is being revoked must leave no heir
            now = self._clock()
            old = require_key(transaction.connection, key_id)
            if old.from_settings is not None:
                raise from_settings(key_id)
            if old.state(now) != KeyState.LIVE:
                raise not_live(old, now)
            ends = expires_at
            if ends is None and old.expires_at is not None:
                ends = now + old.expires_at - old.created_at
            new = NewKey(old.project_id, old.environment, old.scopes, old.name, ends, created_by)
            made = self._insert(transaction, new, replaces=key_id)
            over = now + overlap_ms if old.expires_at is None else min(now + overlap_ms, old.expires_at)
            transaction.execute(update(_T).where(_T.c.key_id == key_id).values(expires_at=over))
            audit.describe(replacedExpiresAt=over)
            self._changed(transaction)
            return made

        key, secret = await self._make(repeat, work)
        return key, secret, (await self.get(key_id)).expires_at

    async def _make(
        self, repeat: IdempotencyKey | None, make: Callable[[Transaction], tuple[str, str]]
    ) -> tuple[ApiKey, str | None]:
        def work(transaction: Transaction) -> tuple[ApiKey, str | None]:
            secret: str | None = None

            def once() -> dict[str, str]:
                nonlocal secret
                key_id, secret = make(transaction)
                return {"keyId": key_id}  # what is remembered must not hold the secret

            answer = self._idempotency.once(transaction, repeat, once)
            audit.describe(made=answer["keyId"])
            return require_key(transaction.connection, answer["keyId"]), secret

        return await self._database.write(work)

    def _insert(
        self,
        transaction: Transaction,
        new: NewKey,
        secret: str | None = None,
        key_id: str | None = None,
        replaces: str | None = None,
    ) -> tuple[str, str]:
        check_scopes(new.scopes)
        now = self._clock()
        if new.expires_at is not None and new.expires_at <= now:
            raise EngineError(
                ErrorCode.INVALID_REQUEST,
                "The key would have expired already.",
                status=400,
                recovery="Give an expiresAt that is to come.",
            )
        if key_id is None or load_key(transaction.connection, key_id) is not None:
            key_id = new_id("key", now)
        secret = secret or new_secret()
        scopes = sorted(set(new.scopes))
        values = {
            "key_id": key_id,
            "project_id": new.project_id,
            "environment": new.environment,
            "scopes": json.dumps(scopes),
            "secret_sha256": digest(secret),
            "created_at": now,
            "name": new.name,
            "expires_at": new.expires_at,
            "created_by": new.created_by,
            "replaces": replaces,
        }
        transaction.execute(insert(_T).values(**values))
        audit.describe(scopes=scopes, name=new.name, expiresAt=new.expires_at)
        return key_id, secret

    async def verify(self, secret: str) -> ApiKey | None:
        """Return the live key that has this secret, if any, and note that it was used.

        Raises:
            KeyExpiredError: If there was one.
        """
        hashed = digest(secret)
        remembered = self._remembered.get(hashed)
        if remembered is not None and self._monotonic() < remembered[0]:
            key = remembered[1]
        else:
            changes = self._changes
            row = await self._database.read(
                lambda connection: connection.execute(select(_T).where(_T.c.secret_sha256 == hashed)).first()
            )
            if row is None or not hmac.compare_digest(row.secret_sha256, hashed):
                return None
            key = key_of(row)
            if changes == self._changes:  # else what was read may be of before a change
                self._remember(hashed, key)
        state = key.state(self._clock())
        if state == KeyState.EXPIRED:
            raise KeyExpiredError(key)
        if state != KeyState.LIVE:
            return None
        await self._note_use(key)
        return key

    def _remember(self, hashed: str, key: ApiKey) -> None:
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[hashed] = (self._monotonic() + _REMEMBERED_FOR, key)

    def _changed(self, transaction: Transaction) -> None:
        """Have all workers forget what they remember, once the transaction is committed."""
        transaction.after_commit(self._forget)
        self._bus.tell(transaction, "keys", "")

    def _forget(self) -> None:
        self._changes += 1
        self._remembered.clear()

    async def _note_use(self, key: ApiKey) -> None:
        now = self._clock()
        minute = now - now % _MINUTE_MS
        if max(self._used.get(key.key_id, 0), key.last_used_at or 0) >= minute:
            return
        if len(self._used) >= _MAX_REMEMBERED:
            self._used.clear()
        self._used[key.key_id] = minute
        use = update(_T).where(_T.c.key_id == key.key_id).values(last_used_at=minute)
        try:
            await self._database.write(lambda transaction: transaction.execute(use) and None)
        except StoreError:
            self._used.pop(key.key_id, None)  # the request itself may do without the database; the next one notes it

    async def is_live(self, key_id: str) -> bool:
        """Tell whether a key still works, for an answer that goes on long after it was accepted."""
        key = await self._database.read(lambda connection: load_key(connection, key_id))
        return key is not None and key.state(self._clock()) == KeyState.LIVE

    async def get(self, key_id: str) -> ApiKey:
        """Return a key.

        Raises:
            EngineError: ``key_not_found``.
        """
        return await self._database.read(lambda connection: require_key(connection, key_id))

    async def list(
        self, limit: int, cursor: str | None = None, *, state: str | None = None, **equal: str | None
    ) -> tuple[list[ApiKey], str | None]:
        """Return keys, newest first, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1.
            cursor: Where the page before ended.
            state: Only keys of this state.
            equal: Only keys with these values: ``project_id``, ``environment``.

        Raises:
            EngineError: ``invalid_request`` if no key has the id that ``cursor`` names.
        """

        def work(connection: Connection) -> tuple[list[ApiKey], str | None]:
            query = select(_T).order_by(_T.c.created_at.desc(), _T.c.key_id.desc()).limit(limit + 1)
            for name, value in equal.items():
                if value is not None:
                    query = query.where(_T.c[name] == value)
            if state is not None:
                query = query.where(in_state(KeyState(state), self._clock()))
            if cursor is not None:
                after = load_key(connection, cursor)
                if after is None:
                    raise EngineError(ErrorCode.INVALID_REQUEST, "The cursor is not one of this list.", status=400)
                same_time = and_(_T.c.created_at == after.created_at, _T.c.key_id < after.key_id)
                query = query.where(or_(_T.c.created_at < after.created_at, same_time))
            found = [key_of(row) for row in connection.execute(query)]
            page = found[:limit]
            return page, page[-1].key_id if len(found) > limit else None

        return await self._database.read(work)

    async def revoke(self, key_id: str, *, force: bool = False) -> ApiKey:
        """Make a key useless, at once and for ever. Revoking it twice changes nothing.

        Args:
            key_id: The key.
            force: Also if no live key has the scope ``admin`` then.

        Raises:
            EngineError: ``key_not_found`` or ``last_admin_key``.
        """

        def work(transaction: Transaction) -> ApiKey:
            transaction.lock("keys")  # two admins that revoke each other must not both succeed
            now = self._clock()
            key = require_key(transaction.connection, key_id)
            if key.revoked_at is not None:
                return key
            if not force and ComputeScope.ADMIN in key.scopes and key.state(now) == KeyState.LIVE:
                others = transaction.execute(select(_T).where(live(now), _T.c.key_id != key_id))
                if not any(ComputeScope.ADMIN in key_of(row).scopes for row in others):
                    raise last_admin(key_id)
            transaction.execute(update(_T).where(_T.c.key_id == key_id).values(revoked_at=now))
            self._changed(transaction)
            return require_key(transaction.connection, key_id)

        return await self._database.write(work)

    async def count(self) -> int:
        """Return how many keys are live."""
        query = select(func.count()).select_from(_T).where(live(self._clock()))
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))
