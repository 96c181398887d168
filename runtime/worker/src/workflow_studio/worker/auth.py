"""Who is calling, and whether they may.

The gate asks :class:`Authenticator` before any route is looked at, so a path that nobody thought of is closed. A route
then names the scope it needs with :func:`needs`.
"""

# FastAPI reads the annotations of dependencies, so they are not postponed here.
import hashlib
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import Scope
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.problems import Problem, problem

_REMEMBERED_FOR: Final = 1.0
_MAX_REMEMBERED: Final = 1024


class Keys(Protocol):
    """Where keys are looked up."""

    async def verify(self, secret: str) -> ApiKey | None:
        """Return the live key that has this secret, if any."""


class RateLimits:
    """Requests per minute, counted in this process.

    Args:
        per_key: Requests that a key, or the address behind a webhook call, may make.
        failed_logins: Refused keys that an address may send before it is told to wait.
    """

    def __init__(self, per_key: int, failed_logins: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._per_key = RateLimitItemPerMinute(per_key)
        self._failed = RateLimitItemPerMinute(failed_logins)

    async def count(self, kind: str, name: str) -> None:
        """Count a request.

        Raises:
            Problem: If it is one too many.
        """
        await self._count(self._per_key, kind, name)

    async def count_failed_login(self, address: str) -> None:
        """Count a refused key.

        Raises:
            Problem: If it is one too many.
        """
        await self._count(self._failed, "failed", address)

    async def _count(self, item: RateLimitItemPerMinute, kind: str, name: str) -> None:
        if await self._limiter.hit(item, kind, name):
            return
        stats = await self._limiter.get_window_stats(item, kind, name)
        seconds = max(1, round(stats.reset_time - time.time()))
        raise problem(
            429,
            ErrorCode.RATE_LIMITED,
            f"More than {item.amount} requests in a minute.",
            f"Wait {seconds} s, or raise the worker's limit.",
            headers={"retry-after": str(seconds)},
        )


class Authenticator:
    """Finds the key of a request.

    A key that was found is remembered for a second, which spares busy callers a look-up per request and means that a
    revoked key works for at most that second longer. Only the digest of a secret is kept.
    """

    def __init__(self, keys: Callable[[], Keys], clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._remembered: dict[bytes, tuple[float, ApiKey]] = {}

    async def authenticate(self, authorization: str | None) -> ApiKey:
        """Return the key in an ``Authorization`` header.

        Raises:
            Problem: If there is none, or not one of this worker.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _unauthorized("This address needs an API key.", "Send the header `Authorization: Bearer <key>`.")
        secret = secret.strip()
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        now = self._clock()
        remembered = self._remembered.get(digest)
        if remembered is not None and now < remembered[0]:
            return remembered[1]
        key = await self._keys().verify(secret)
        if key is None:
            raise _unauthorized(
                "The API key is not one of this worker.",
                "Check the key and the worker's URL; a revoked key does not come back.",
            )
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (now + _REMEMBERED_FOR, key)
        return key


def _unauthorized(message: str, recovery: str) -> Problem:
    return problem(401, ErrorCode.UNAUTHORIZED, message, recovery, headers={"www-authenticate": "Bearer"})


def caller(request: Request) -> ApiKey:
    """Return the key that the gate found.

    Raises:
        Problem: If the gate let the request through without one, which it does for public routes only.
    """
    key: ApiKey | None = request.scope.get("workflow_studio.key")
    if key is None:
        raise _unauthorized("This address needs an API key.", "Send the header `Authorization: Bearer <key>`.")
    return key


class Needs:
    """A route's demand for a scope.

    Attributes:
        scope: The scope.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> ApiKey:
        """Return the caller's key.

        Raises:
            Problem: If the key lacks the scope.
        """
        key = caller(request)
        if not self.scope.granted_by(key.scopes):
            raise problem(
                403,
                ErrorCode.MISSING_SCOPE,
                f"The API key {key.key_id} lacks the scope {self.scope}.",
                "Use a key that has it.",
                required=self.scope,
            )
        return key


def needs(scope: Scope) -> Any:
    """Return the dependency of a route that only keys with ``scope`` may call."""
    return Depends(Needs(scope))
