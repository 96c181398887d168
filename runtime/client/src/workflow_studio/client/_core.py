"""What both clients do around the network: address, headers, body, retries, and the reading of answers."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import retry_if_exception, stop_after_attempt

from workflow_studio.client._errors import (
    NOT_THE_WORKER,
    ComputeClientError,
    RateLimitedError,
    TransportError,
    from_response,
    from_transport,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

    from workflow_studio.client._calls import Call

T = TypeVar("T", bound=BaseModel)

CORRELATION_HEADER: Final = "x-workflow-correlation-id"
DEFAULT_TIMEOUT: Final = 10.0
DEFAULT_RETRIES: Final = 2
_UPLOAD_ANSWER_TIMEOUT: Final = 120.0
_LONGEST_WAIT: Final = 60.0
_FIRST_BACKOFF: Final = 0.25
_LONGEST_BACKOFF: Final = 8.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Options:
    """How to reach a worker.

    Attributes:
        base_url: The worker's URL, perhaps with a path.
        api_key: The key to send; kept out of ``repr``.
        timeout: Seconds to connect, and to wait for each part of an answer.
        retries: How often a call that failed on the way is repeated.
    """

    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float
    retries: int

    def __post_init__(self) -> None:
        url = httpx.URL(self.base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError(f"The base URL must look like https://worker.example.com, not {self.base_url!r}.")
        if url.userinfo:
            raise ValueError("The base URL must not hold credentials; pass the key as api_key.")
        if self.timeout <= 0 or self.retries < 0:
            raise ValueError("timeout must be positive and retries must not be negative.")

    @property
    def may_use_proxy(self) -> bool:
        """Whether the environment's proxy may be asked: never for this machine, whose key is nobody else's."""
        return httpx.URL(self.base_url).host not in _LOOPBACK

    @property
    def upload_timeout(self) -> httpx.Timeout:
        """The timeout of an upload: the worker answers only when it has checked and unpacked everything."""
        return httpx.Timeout(self.timeout, read=max(self.timeout, _UPLOAD_ANSWER_TIMEOUT))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call with everything that stays the same over its attempts.

    Attributes:
        call: The call.
        options: How to reach the worker.
        correlation_id: Names the call in the worker's logs.
    """

    call: Call[Any]
    options: Options
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.build_request``."""
        headers = {"accept": "application/json", CORRELATION_HEADER: self.correlation_id}
        if self.options.api_key:
            headers["authorization"] = f"Bearer {self.options.api_key}"
        if self.call.idempotency_key is not None:
            headers["idempotency-key"] = self.call.idempotency_key
        arguments: dict[str, Any] = {
            "method": self.call.verb,
            "url": self.options.base_url.rstrip("/") + self.call.path,
            "params": {name: value for name, value in self.call.query.items() if value is not None},
            "headers": headers,
        }
        if self.call.wait_ms:
            limit = self.options.timeout
            arguments["timeout"] = httpx.Timeout(limit, read=limit + self.call.wait_ms / 1000)
        if self.call.body is not None:
            headers["content-type"] = "application/json"
            arguments["content"] = self.call.body.model_dump_json(exclude_unset=True)
        return arguments

    def upload_arguments(self, size: int) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.build_request`` for an archive, but for its content."""
        arguments = self.arguments()
        arguments["headers"] |= {"content-type": "application/gzip", "content-length": str(size)}
        return arguments | {"timeout": self.options.upload_timeout}

    def unreachable(self, error: httpx.TransportError) -> TransportError:
        """Return the error for an attempt that got no answer."""
        return from_transport(error, self.options.base_url, self.correlation_id)

    def answer(self, response: httpx.Response, kind: type[T]) -> T:
        """Return the answer that a response holds.

        Raises:
            ComputeClientError: If it is a refusal or no answer of a worker.
        """
        if not response.is_success:
            raise from_response(response, self.correlation_id)
        try:
            return kind.model_validate_json(b"{}" if response.status_code == 204 else response.content)
        except ValidationError as error:
            raise TransportError(
                f"The answer to {self.call.verb} {self.call.path} is not one that a worker gives.",
                status=response.status_code,
                code="unexpected_response",
                recovery=NOT_THE_WORKER,
                correlation_id=self.correlation_id,
            ) from error

    def retrying(self, sleep: Callable[[float], None] | Callable[[float], Awaitable[None]]) -> dict[str, Any]:
        """Return the arguments of ``tenacity.Retrying`` and its asynchronous twin."""
        return {
            "sleep": sleep,
            "stop": stop_after_attempt(1 + (self.options.retries if self.call.repeatable else 0)),
            "retry": retry_if_exception(is_passing),
            "wait": seconds_to_wait,
            "reraise": True,
        }


def is_passing(error: BaseException) -> bool:
    """Tell whether an attempt failed for a reason that may be gone the next time."""
    if isinstance(error, TransportError):
        return error.code != "unexpected_response"
    if isinstance(error, RateLimitedError):
        return error.retry_after is None or error.retry_after <= _LONGEST_WAIT
    return isinstance(error, ComputeClientError) and error.status is not None and error.status >= 500


def seconds_to_wait(state: RetryCallState) -> float:
    """Return the pause before the next attempt: what the worker asked for, or twice as long each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after
    backoff = min(_FIRST_BACKOFF * 2.0 ** (state.attempt_number - 1), _LONGEST_BACKOFF)
    return backoff * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
