"""API keys and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import keys as calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from workflow_studio.client._filters import AuditFilter, KeysFilter
    from workflow_studio.compute.api import ApiKey, AuditEntry, CreatedApiKey, Page
    from workflow_studio.compute.ids import KeyId


class AsyncKeys(AsyncBase):
    """Makes, rotates and revokes keys; reads the audit log."""

    async def create_key(
        self,
        scopes: Sequence[str],
        *,
        name: str | None = None,
        project_id: str | None = None,
        environment: str | None = None,
        expires_at: datetime | None = None,
        expires_in_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedApiKey:
        """Make a key. The answer is the only one that ever has its secret.

        Args:
            scopes: What it may do.
            name: What people call it.
            project_id: Its project; that of this client's key if absent.
            environment: Such as ``production``; that of this client's key if absent.
            expires_at: When it ends; with a time zone.
            expires_in_days: How long it lives, as another way to say that.
            idempotency_key: Calls with the same key make one API key; only the first answer has the secret.

        Raises:
            ValueError: If a scope is unknown, or another argument is of the wrong kind.
        """
        call = calls.create_key(
            scopes,
            idempotency_key,
            name=name,
            project_id=project_id,
            environment=environment,
            expires_at=expires_at,
            expires_in_days=expires_in_days,
        )
        return await self._send(call)

    async def list_keys(self, **filters: Unpack[KeysFilter]) -> Page[ApiKey]:
        """Return some keys, newest first, without their secrets; see :class:`.KeysFilter` for which."""
        return await self._send(calls.list_keys(filters))

    def iter_keys(self, **filters: Unpack[KeysFilter]) -> AsyncIterator[ApiKey]:
        """Return all keys, newest first, page by page as they are asked for; see :class:`.KeysFilter` for which."""
        return self._entries(lambda at: calls.list_keys({**filters, "cursor": at}), filters.get("cursor"))

    async def get_key(self, key_id: KeyId) -> ApiKey:
        """Return a key, without its secret."""
        return await self._send(calls.get_key(key_id))

    async def get_current_key(self) -> ApiKey:
        """Return the key that this client sends, as the worker knows it."""
        return await self._send(calls.get_current_key())

    async def rotate_key(
        self,
        key_id: KeyId,
        *,
        overlap_seconds: int | None = None,
        expires_at: datetime | None = None,
        expires_in_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedApiKey:
        """Make a key that takes the place of another, which goes on for a while.

        Args:
            key_id: The key to replace.
            overlap_seconds: How much longer that one goes on; a day if absent.
            expires_at: When the new key ends; as long after now as the old one was made for if absent.
            expires_in_days: How long the new key lives, as another way to say that.
            idempotency_key: Calls with the same key make one API key; only the first answer has the secret.

        Raises:
            ValueError: If an argument is of the wrong kind.
        """
        call = calls.rotate_key(
            key_id,
            idempotency_key,
            overlap_seconds=overlap_seconds,
            expires_at=expires_at,
            expires_in_days=expires_in_days,
        )
        return await self._send(call)

    async def revoke_key(self, key_id: KeyId, *, force: bool = False) -> ApiKey:
        """End a key at once and for ever; the last working admin key only with ``force``."""
        return await self._send(calls.revoke_key(key_id, force=force))

    async def list_audit(self, **filters: Unpack[AuditFilter]) -> Page[AuditEntry]:
        """Return some entries of the audit log, newest first; see :class:`.AuditFilter` for which.

        Raises:
            ValueError: If a moment has no time zone.
        """
        return await self._send(calls.list_audit(filters))

    def iter_audit(self, **filters: Unpack[AuditFilter]) -> AsyncIterator[AuditEntry]:
        """Return all entries of the audit log, newest first, page by page as they are asked for.

        Raises:
            ValueError: If a moment has no time zone.
        """
        return self._entries(lambda at: calls.list_audit({**filters, "cursor": at}), filters.get("cursor"))
