"""Calls about API keys, and the audit log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from workflow_studio.client._calls.base import Call, answer, body, given, query, segment
from workflow_studio.client._filters import AuditFilter, KeysFilter
from workflow_studio.compute.api import (
    ApiKey,
    AuditEntry,
    CreateApiKeyRequest,
    CreatedApiKey,
    Page,
    RevokeApiKeyRequest,
    RotateApiKeyRequest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.compute.ids import KeyId


def create_key(scopes: Sequence[str], idempotency_key: str | None, **options: Any) -> Call[CreatedApiKey]:
    request = CreateApiKeyRequest.model_validate({"scopes": tuple(scopes), **given(**options)})
    return _making("/v1/keys", request, idempotency_key)


def rotate_key(key_id: KeyId, idempotency_key: str | None, **options: Any) -> Call[CreatedApiKey]:
    request = RotateApiKeyRequest(**given(**options))
    return _making(f"/v1/keys/{segment(key_id)}/rotate", request, idempotency_key)


def _making(
    path: str, request: CreateApiKeyRequest | RotateApiKeyRequest, idempotency_key: str | None
) -> Call[CreatedApiKey]:
    # The answer to a repeat would lack the secret.
    key = idempotency_key or str(uuid.uuid4())
    return Call("POST", path, answer(CreatedApiKey), idempotency_key=key, repeatable=False, **body(request))


def list_keys(filters: KeysFilter) -> Call[Page[ApiKey]]:
    return Call("GET", "/v1/keys", answer(Page[ApiKey]), query(KeysFilter, filters))


def get_key(key_id: KeyId) -> Call[ApiKey]:
    return Call("GET", f"/v1/keys/{segment(key_id)}", answer(ApiKey))


def get_current_key() -> Call[ApiKey]:
    return Call("GET", "/v1/keys/current", answer(ApiKey))


def revoke_key(key_id: KeyId, *, force: bool) -> Call[ApiKey]:
    request = RevokeApiKeyRequest(force=True) if force else RevokeApiKeyRequest()
    return Call("POST", f"/v1/keys/{segment(key_id)}/revoke", answer(ApiKey), **body(request))


def list_audit(filters: AuditFilter) -> Call[Page[AuditEntry]]:
    return Call("GET", "/v1/audit", answer(Page[AuditEntry]), query(AuditFilter, filters))
