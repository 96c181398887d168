"""What both clients do around the network: address, headers, body, retries, and the reading of answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import httpx
from tenacity import retry_if_exception, stop_after_attempt

from workflow_studio.client._correlation import next_correlation_id
from workflow_studio.client._errors import (
    NOT_THE_WORKER,
    ComputeClientError,
    RateLimitedError,
    TransportError,
    from_response,
    from_transport,
)
from workflow_studio.compute.ids import ENVIRONMENT_HEADER, parse_environment_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

    from workflow_studio.client._calls.base import Call
    from workflow_studio.compute.ids import CorrelationId

T = TypeVar("T")

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
        environment: The environment of the worker that calls are about; the worker's default one if None.
    """

    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float
    retries: int
    environment: str | None = None

    def __post_init__(self) -> None:
        url = httpx.URL(self.base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError(f"The base URL must look like https://worker.example.com, not {self.base_url!r}.")
        if url.userinfo:
            raise ValueError("The base URL must not hold credentials; pass the key as api_key.")
        if self.timeout <= 0 or self.retries < 0:
            raise ValueError("timeout must be positive and retries must not be negative.")
        if self.environment is not None:
            parse_environment_name(self.environment)

    @property
    def may_use_proxy(self) -> bool:
        """Whether the environment's proxy may be asked: never for this machine, whose key is nobody else's."""
        return httpx.URL(self.base_url).host not in _LOOPBACK

    @property
    def upload_timeout(self) -> httpx.Timeout:
        """The timeout of an upload: the worker answers only when it has checked and unpacked everything."""
        return httpx.Timeout(self.timeout, read=max(self.timeout, _UPLOAD_ANSWER_TIMEOUT))


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T]):
    """A call with everything that stays the same over its attempts.

    Attributes:
        call: The call.
        options: How to reach the worker.
        correlation_id: Names the call in the worker's logs.
    """

    call: Call[T]
    options: Options
    correlation_id: CorrelationId = field(default_factory=next_correlation_id)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.build_request``."""
        call = self.call
        headers = [entry for entry in call.headers if entry[0].lower() != CORRELATION_HEADER]
        headers.append((CORRELATION_HEADER, self.correlation_id))
        if not any(name.lower() == "accept" for name, _ in headers):
            headers.append(("accept", "application/json"))
        if self.options.api_key and call.with_key:
            headers.append(("authorization", f"Bearer {self.options.api_key}"))
        if self.options.environment and call.with_key:
            headers.append((ENVIRONMENT_HEADER, self.options.environment))
        if call.idempotency_key is not None:
            headers.append(("idempotency-key", call.idempotency_key))
        arguments: dict[str, Any] = {
            "method": call.verb,
            "url": self.options.base_url.rstrip("/") + call.path,
            "headers": headers,
        }
        if call.content is not None:
            arguments["content"] = call.content
        if parameters := {name: value for name, value in call.query.items() if value is not None}:
            arguments["params"] = parameters
        if call.wait_ms:
            limit = self.options.timeout
            arguments["timeout"] = httpx.Timeout(limit, read=limit + call.wait_ms / 1000)
        return arguments

    def upload_arguments(self, size: int) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.build_request`` for an archive, but for its content."""
        arguments = self.arguments()
        arguments["headers"] += [("content-type", "application/gzip"), ("content-length", str(size))]
        return arguments | {"timeout": self.options.upload_timeout}

    def unreachable(self, error: httpx.TransportError) -> TransportError:
        """Return the error for an attempt that got no answer."""
        return from_transport(error, self.options.base_url, self.correlation_id)

    def answer(self, response: httpx.Response) -> T:
        """Return the answer that a response holds.

        Raises:
            ComputeClientError: If it is a refusal or no answer of a worker.
        """
        if self.call.refusals and not response.is_success:
            raise from_response(response, self.correlation_id)
        try:
            return self.call.read(response)
        except ValueError as error:
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
            "stop": stop_after_attempt(1 + self.options.retries),
            "retry": retry_if_exception(self._may_be_repeated),
            "wait": seconds_to_wait,
            "reraise": True,
        }

    def _may_be_repeated(self, error: BaseException) -> bool:
        if not is_passing(error):
            return False
        if self.call.repeatable or isinstance(error, RateLimitedError):
            return True  # one too many is refused before anything is done about it
        return isinstance(error, TransportError) and not error.may_have_arrived


def is_passing(error: BaseException) -> bool:
    """Tell whether an attempt failed for a reason that may be gone the next time."""
    if not isinstance(error, ComputeClientError):
        return False
    if error.retry_after is not None and error.retry_after > _LONGEST_WAIT:
        return False
    if isinstance(error, TransportError):
        return error.code != "unexpected_response"
    return isinstance(error, RateLimitedError) or (error.status is not None and error.status >= 500)


def seconds_to_wait(state: RetryCallState) -> float:
    """Return the pause before the next attempt."""
    return backoff(state.attempt_number, state.outcome.exception() if state.outcome else None)


def backoff(failures: int, error: BaseException | None) -> float:
    """Return how many seconds to pause: what the worker asked for, or any time up to a limit that doubles.

    Whoever failed together shall not come back together, so the whole time is up to chance ("full jitter").

    Args:
        failures: How often in a row it has failed.
        error: How it failed.
    """
    if isinstance(error, ComputeClientError) and error.retry_after is not None:
        return error.retry_after
    return random.uniform(0, min(_FIRST_BACKOFF * 2.0 ** (failures - 1), _LONGEST_BACKOFF))  # noqa: S311 - no secret
