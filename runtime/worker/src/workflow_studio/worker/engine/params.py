"""The parameters of the World's methods, checked. ``docs/reference/wire.md`` describes them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from workflow_studio.compute.ids import RUN_ID
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.transitions import EVENT_TYPES, EventInput

MAX_PAGE: Final = 1000
MAX_WAIT_MS: Final = 25_000
_MAX_INTEGER: Final = 2**53
_MAX_DELAY_SECONDS: Final = 10 * 366 * 24 * 3600

P = TypeVar("P", bound="Params")


def _whole(value: Any) -> Any:
    """Accept the floats that JavaScript makes of integers: it has no others."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_whole), Field(ge=-_MAX_INTEGER, le=_MAX_INTEGER)]
Name = Annotated[str, Field(min_length=1, max_length=2000)]
Priority = Annotated[int, BeforeValidator(_whole), Field(ge=-100, le=100)]
ConcurrencyKey = Annotated[str, Field(min_length=1, max_length=256)]
WaitMs = Annotated[float, Field(strict=False, ge=0, allow_inf_nan=False)]


class Params(BaseModel):
    """Parameters of a method; unknown ones are ignored, a null stands for absence."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True, frozen=True)


class _Resolving(Params):
    resolve_data: Literal["all", "none"] | None = "all"

    @property
    def with_payloads(self) -> bool:
        """Whether the payloads are wanted."""
        return self.resolve_data != "none"


class Paged(_Resolving):
    """Parameters that every list takes."""

    limit: Annotated[int, BeforeValidator(_whole), Field(ge=1)] | None = None
    cursor: str | None = None
    sort_order: Literal["asc", "desc"] | None = None


class EventsGet(_Resolving):
    """Parameters of ``events.get``."""

    run_id: str
    event_id: str


class OfRun(Paged):
    """Parameters of ``events.list`` and ``steps.list``."""

    run_id: str


class ByCorrelationId(Paged):
    """Parameters of ``events.listByCorrelationId``."""

    correlation_id: str
    run_id: str | None = None


class RunsGet(_Resolving):
    """Parameters of ``runs.get``."""

    run_id: str
    wait_ms: WaitMs | None = 0


class RunsList(Paged):
    """Parameters of ``runs.list``. A list of states matches any of them."""

    workflow_name: str | None = None
    status: str | list[str] | None = None


class RunsSearch(RunsList):
    """Which runs the public lane lists. Times are epoch milliseconds."""

    deployment_id: str | None = None
    environment: str | None = None
    created_after: int | None = None
    created_before: int | None = None


class StreamsSearch(Params):
    """Which part of a run's streams the public lane lists."""

    run_id: str
    limit: int | None = None
    cursor: str | None = None


class StepsGet(_Resolving):
    """Parameters of ``steps.get``."""

    step_id: str
    run_id: str | None = None


class HooksGet(_Resolving):
    """Parameters of ``hooks.get``."""

    hook_id: str


class HooksGetByToken(_Resolving):
    """Parameters of ``hooks.getByToken``."""

    token: str
    with_run: bool | None = False


class HooksList(Paged):
    """Parameters of ``hooks.list``."""

    run_id: str | None = None


class Publish(Params):
    """The message envelope: parameters of ``queue.publish``."""

    queue_name: Name
    body: bytes
    run_id: Name | None = None
    step_id: Name | None = None
    is_wake: bool | None = False
    is_health_check: bool | None = False
    deployment_id: Name | None = None
    idempotency_key: Name | None = None
    delay_seconds: Annotated[float, Field(strict=False, ge=0, le=_MAX_DELAY_SECONDS, allow_inf_nan=False)] | None = None
    headers: dict[str, str] | None = None


class StreamsWrite(Params):
    """Parameters of ``streams.write``; with ``closes``, nothing comes after these chunks."""

    name: Name
    run_id: str
    chunks: list[bytes]
    writer_id: Name
    sequence: Integer
    closes: bool | None = False


class StreamsClose(Params):
    """Parameters of ``streams.close``."""

    name: Name
    run_id: str


class StreamsRead(Params):
    """Parameters of ``streams.read``. ``follow`` is for callers over HTTP."""

    name: Name
    start_index: Integer | None = 0
    wait_ms: WaitMs | None = 0
    follow: bool | None = False


class StreamsOfRun(Params):
    """Parameters of ``streams.list``."""

    run_id: str


class StreamsInfo(Params):
    """Parameters of ``streams.info``."""

    name: Name
    run_id: str


class StreamsChunks(StreamsInfo):
    """Parameters of ``streams.chunks``."""

    limit: Annotated[int, BeforeValidator(_whole), Field(ge=1)] | None = None
    cursor: str | None = None


class EncryptionKey(Params):
    """Parameters of ``encryption.key``."""

    run_id: Name


class EventBody(Params):
    """What is to be recorded."""

    event_type: Annotated[str, Field(json_schema_extra={"enum": sorted(EVENT_TYPES)})]
    correlation_id: str | None = None
    event_data: dict[str, Any] | None = None
    spec_version: Integer | None = None


class EventsCreate(_Resolving):
    """Parameters of ``events.create``.

    A run that is created may be given a ``priority`` and a ``concurrency_key``. Executors alone use ``known_slot``, how
    much of the log they have that start a replay, and ``occurred_at``, when a step ended.
    """

    run_id: str | None = None
    event: EventBody
    known_slot: Annotated[Integer, Field(ge=0)] | None = None
    occurred_at: Annotated[Integer, Field(ge=0)] | None = None
    priority: Priority | None = None
    concurrency_key: ConcurrencyKey | None = None


BatchedMethod = Literal["events.create", "queue.publish"]


class ExecutorCall(Params):
    """A call in an executor's batch."""

    method: BatchedMethod
    params: dict[str, Any]


class Onward(Params):
    """What the replay that follows leaves to be stored, if the run's log ends at this slot and time."""

    run_id: str
    slot: Integer
    at: Integer
    calls: Annotated[list[ExecutorCall], Field(max_length=1000)]


class ExecutorBatch(Params):
    """Parameters of an executor's ``batch``."""

    calls: Annotated[list[ExecutorCall], Field(max_length=1000)]
    ends_delivery: bool = False
    onward: Onward | None = None


class AppCall(Params):
    """A call in an app's batch. ``params`` is what would be the body at the method's own address."""

    method: BatchedMethod
    params: bytes
    idempotency_key: str | None = None


class AppBatch(Params):
    """Parameters of an app's ``batch``. It counts as one request, so it holds few calls."""

    calls: Annotated[list[AppCall], Field(max_length=8)]


PARAMETERS: Final[dict[str, type[Params]]] = {
    "deployments.current": Params,
    "events.get": EventsGet,
    "events.list": OfRun,
    "events.listByCorrelationId": ByCorrelationId,
    "runs.get": RunsGet,
    "runs.list": RunsList,
    "steps.get": StepsGet,
    "steps.list": OfRun,
    "hooks.get": HooksGet,
    "hooks.getByToken": HooksGetByToken,
    "hooks.list": HooksList,
    "streams.write": StreamsWrite,
    "streams.close": StreamsClose,
    "streams.read": StreamsRead,
    "streams.list": StreamsOfRun,
    "streams.chunks": StreamsChunks,
    "streams.info": StreamsInfo,
    "encryption.key": EncryptionKey,
    "events.create": EventsCreate,
    "queue.publish": Publish,
    "batch": AppBatch,
}
"""What each method of the World takes."""


def parse(model: type[P], params: object) -> P:
    """Return ``params`` as ``model``.

    Raises:
        WorldError: With status 400, if they have another shape.
    """
    try:
        return model.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise WorldError(f"Invalid parameter {place}: {first['msg']}", status=400) from error


# What the transitions read from eventData: (field, type, required). Everything else is stored unread.
_DATA_FIELDS: Final[dict[str, tuple[tuple[str, type, bool], ...]]] = {
    "run_created": (("deploymentId", str, True), ("workflowName", str, True), ("executionContext", dict, False)),
    "run_started": (("deploymentId", str, False), ("workflowName", str, False), ("executionContext", dict, False)),
    "step_created": (("stepName", str, True),),
    "step_retrying": (("retryAfter", int, False),),
    "hook_created": (("token", str, True), ("isWebhook", bool, False)),
    "wait_created": (("resumeAt", int, True),),
    "wait_completed": (("resumeAt", int, False),),
}
_TYPE_NAMES: Final = {str: "a string", int: "an integer", bool: "a boolean", dict: "a map"}
_EMPTY_ALLOWED: Final = re.compile(r"run_.*")


def event_input(params: EventsCreate, run_id: str) -> EventInput:
    """Return the event that ``params`` ask for.

    Args:
        params: The parameters of ``events.create``.
        run_id: The run, given or made.

    Raises:
        WorldError: With status 400, if the event has another shape than its type has.
    """
    body = params.event
    if body.event_type not in EVENT_TYPES:
        raise WorldError(f"Events of type {body.event_type!r} cannot be created", status=400)
    if not RUN_ID.fullmatch(run_id):
        raise WorldError(f"{run_id!r} is not a run id", status=400)
    if not body.correlation_id and not _EMPTY_ALLOWED.fullmatch(body.event_type):
        raise WorldError(f"{body.event_type} needs a correlationId", status=400)
    data = dict(body.event_data or {})
    for name, kind, required in _DATA_FIELDS.get(body.event_type, ()):
        value = _whole(data.get(name)) if kind is int else data.get(name)
        if value is None:
            if required:
                raise WorldError(f"{body.event_type} needs eventData.{name}", status=400)
            continue
        if not isinstance(value, kind) or (kind is int and not _is_time(value)):
            raise WorldError(f"eventData.{name} of {body.event_type} must be {_TYPE_NAMES[kind]}", status=400)
        data[name] = value
    return EventInput(run_id, body.event_type, body.correlation_id or "", data, body.spec_version)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INTEGER
