"""API keys: made, looked at, rotated, revoked."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field, model_validator

from workflow_studio.compute.api._base import Answer, Request
from workflow_studio.compute.ids import KeyId
from workflow_studio.compute.scopes import ComputeScope

MAX_LIFETIME_DAYS: Final = 3650
MAX_OVERLAP_SECONDS: Final = 30 * 24 * 60 * 60


class KeyState(StrEnum):
    """Whether a key works, and if not, why: its time is over, somebody revoked it, or the settings dropped it."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISABLED = "disabled"


class ApiKey(Answer):
    """A key, without its secret, which nobody can have again.

    Attributes:
        key_id: Names the key; it is no secret.
        project_id: The project it belongs to.
        environment: Such as ``production``; for people.
        scopes: What it may do.
        state: ``live``, ``expired``, ``revoked``, or ``disabled`` for a key that the settings name no longer.
        name: What people call it.
        from_settings: Whether it comes from the worker's settings.
        created_at: When it was made.
        created_by: The key that made it.
        expires_at: From when on it is refused.
        revoked_at: When it was revoked.
        last_used_at: When it was last accepted, to the minute.
        replaces: The key that it was made to take the place of.
    """

    key_id: KeyId
    project_id: str
    environment: str
    scopes: tuple[str, ...]
    state: str
    name: str | None = None
    from_settings: bool = False
    created_at: datetime | None = None
    created_by: KeyId | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    replaces: KeyId | None = None


class CreatedApiKey(ApiKey):
    """A new key with its secret: the bearer token, shown in this answer and never again.

    Attributes:
        secret: The bearer token. Absent from the answer to a repeat under the same idempotency key.
        replaced_expires_at: After a rotation: until when the key before it goes on.
    """

    secret: str | None = Field(default=None, repr=False)
    replaced_expires_at: datetime | None = None


class _Lifetime(Request):
    expires_at: AwareDatetime | None = None
    expires_in_days: int | None = Field(default=None, ge=1, le=MAX_LIFETIME_DAYS, strict=True)

    @model_validator(mode="after")
    def _ends_once(self) -> _Lifetime:
        if self.expires_at is not None and self.expires_in_days is not None:
            raise ValueError("give either expiresAt or expiresInDays")
        return self


class CreateApiKeyRequest(_Lifetime):
    """Make a key.

    Attributes:
        name: What people call it.
        project_id: The project it belongs to; that of the caller's key if absent.
        environment: For people; that of the caller's key if absent.
        scopes: What it may do.
        expires_at: From when on it is refused; either this or ``expires_in_days``, or neither for a key without end.
        expires_in_days: How long it lives.
    """

    name: str | None = Field(default=None, min_length=1, max_length=100)
    project_id: str | None = Field(default=None, min_length=1, max_length=100)
    environment: str | None = Field(default=None, min_length=1, max_length=100)
    scopes: tuple[ComputeScope, ...] = Field(min_length=1, max_length=len(ComputeScope))


class RotateApiKeyRequest(_Lifetime):
    """Make a key that takes the place of another.

    Attributes:
        overlap_seconds: How much longer the old key goes on; 24 hours if absent, and 0 ends it now.
        expires_at: When the new key ends; if neither this nor ``expires_in_days`` is given, it lives as long as the old
            one was made for.
        expires_in_days: How long the new key lives.
    """

    overlap_seconds: int = Field(default=24 * 60 * 60, ge=0, le=MAX_OVERLAP_SECONDS, strict=True)


class RevokeApiKeyRequest(Request):
    """Revoke a key.

    Attributes:
        force: Revoke it even if no other key with the scope ``admin`` works.
    """

    force: bool = False
