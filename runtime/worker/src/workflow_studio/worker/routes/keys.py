"""API keys: made, looked at, rotated, revoked. Their secrets leave the worker once, in the answer that makes them."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from workflow_studio.compute import api
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import caller, needs
from workflow_studio.worker.engine import NewKey
from workflow_studio.worker.engine.clock import system_clock
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.idempotent import key_of_body
from workflow_studio.worker.routes.presenting import milliseconds_of, time_of
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/keys", tags=["keys"])

_DAY_MS = 24 * 60 * 60 * 1000
_TIMES = ("created_at", "expires_at", "revoked_at", "last_used_at")
_ADMIN = needs(ComputeScope.ADMIN)
_Repeat = Annotated[str | None, Header(alias="Idempotency-Key", description="A repeat makes no second key.")]


class KeysListing(BaseModel):
    """Which keys."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=100)
    project_id: str | None = Field(default=None, max_length=100)
    environment: str | None = Field(default=None, max_length=100)
    state: api.KeyState | None = None


def _fields(key: ApiKey, now: int) -> dict[str, Any]:
    optional = {name: getattr(key, name) for name in ("name", "created_by", "replaces")}
    optional |= {name: None if (at := getattr(key, name)) is None else time_of(at) for name in _TIMES}
    return {
        "key_id": key.key_id,
        "project_id": key.project_id,
        "environment": key.environment,
        "scopes": tuple(sorted(key.scopes)),
        "state": key.state(now),
        "from_settings": key.from_settings is not None,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _shown(key: ApiKey) -> api.ApiKey:
    return api.ApiKey(**_fields(key, system_clock()))


def _end(body: api.CreateApiKeyRequest | api.RotateApiKeyRequest) -> int | None:
    if body.expires_in_days is not None:
        return system_clock() + body.expires_in_days * _DAY_MS
    return None if body.expires_at is None else milliseconds_of(body.expires_at)


@router.post("", response_model=api.CreatedApiKey, response_model_exclude_unset=True, status_code=201)
async def create_api_key(
    body: api.CreateApiKeyRequest,
    worker: Worker,
    key: Annotated[ApiKey, _ADMIN],
    idempotency_key: _Repeat = None,
) -> api.CreatedApiKey:
    """Make a key. Its secret is in the answer, and nowhere else ever again."""
    new = NewKey(
        project_id=body.project_id or key.project_id,
        environment=body.environment or key.environment,
        scopes=body.scopes,
        name=body.name,
        expires_at=_end(body),
        created_by=key.key_id,
    )
    repeat = key_of_body(idempotency_key, key, "POST /v1/keys", body)
    made, secret = await worker.engine.keys.create(new, repeat=repeat)
    shown = {} if secret is None else {"secret": secret}
    return api.CreatedApiKey(**_fields(made, system_clock()), **shown)


@router.get("", dependencies=[_ADMIN], response_model=api.Page[api.ApiKey], response_model_exclude_unset=True)
async def list_api_keys(worker: Worker, part: Annotated[KeysListing, Query()]) -> api.Page[api.ApiKey]:
    """List keys, newest first; also those that do not work any more."""
    found, following = await worker.engine.keys.list(
        part.limit, part.cursor, state=part.state, project_id=part.project_id, environment=part.environment
    )
    return api.Page(data=tuple(map(_shown, found)), cursor=following, has_more=following is not None)


@router.get("/current", response_model=api.ApiKey, response_model_exclude_unset=True)
async def get_current_api_key(worker: Worker, key: Annotated[ApiKey, Depends(caller)]) -> api.ApiKey:
    """Return the key that asks. Any key may."""
    return _shown(await worker.engine.keys.get(key.key_id))


@router.get("/{key_id}", dependencies=[_ADMIN], response_model=api.ApiKey, response_model_exclude_unset=True)
async def get_api_key(key_id: str, worker: Worker) -> api.ApiKey:
    """Return a key."""
    return _shown(await worker.engine.keys.get(key_id))


@router.post("/{key_id}/rotate", response_model=api.CreatedApiKey, response_model_exclude_unset=True, status_code=201)
async def rotate_api_key(
    key_id: str,
    worker: Worker,
    key: Annotated[ApiKey, _ADMIN],
    body: api.RotateApiKeyRequest | None = None,
    idempotency_key: _Repeat = None,
) -> api.CreatedApiKey:
    """Make a key that takes the place of another, which goes on for a while: time to hand the new one out."""
    body = body or api.RotateApiKeyRequest()
    made, secret, old_ends = await worker.engine.keys.rotate(
        key_id,
        overlap_ms=body.overlap_seconds * 1000,
        expires_at=_end(body),
        created_by=key.key_id,
        repeat=key_of_body(idempotency_key, key, f"POST /v1/keys/{key_id}/rotate", body),
    )
    shown: dict[str, Any] = {} if secret is None else {"secret": secret}
    if old_ends is not None:
        shown["replaced_expires_at"] = time_of(old_ends)
    return api.CreatedApiKey(**_fields(made, system_clock()), **shown)


@router.post("/{key_id}/revoke", dependencies=[_ADMIN], response_model=api.ApiKey, response_model_exclude_unset=True)
async def revoke_api_key(key_id: str, worker: Worker, body: api.RevokeApiKeyRequest | None = None) -> api.ApiKey:
    """End a key at once and for ever. Revoking it twice changes nothing."""
    return _shown(await worker.engine.keys.revoke(key_id, force=body is not None and body.force))
