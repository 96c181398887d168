"""Who is calling, and whether they may.

The gate asks :class:`Authenticator` before any route is looked at, so a path that nobody thought of is closed. A route
then names the scope it needs with :func:`needs`.
"""

# FastAPI reads the annotations of dependencies, so they are not postponed here.
from collections.abc import Callable
from typing import Any, Protocol

from fastapi import Depends, Request

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.engine.keys import ApiKey, KeyExpiredError
from workflow_studio.worker.problems import Problem, problem


class Keys(Protocol):
    """Where keys are looked up."""

    async def verify(self, secret: str) -> ApiKey | None:
        """Return the live key that has this secret, if any.

        Raises:
            KeyExpiredError: If there was one.
        """


class Authenticator:
    """Finds the key of a request."""

    def __init__(self, keys: Callable[[], Keys]) -> None:
        self._keys = keys

    async def authenticate(self, authorization: str | None) -> ApiKey:
        """Return the key in an ``Authorization`` header.

        Who holds an expired key is told so: nobody else has its secret. A revoked key is treated like one that never
        was, since it may be a thief's.

        Raises:
            Problem: If there is none, or not one of this worker.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _unauthorized("This address needs an API key.", "Send the header `Authorization: Bearer <key>`.")
        try:
            key = await self._keys().verify(secret.strip())
        except KeyExpiredError as error:
            raise _unauthorized(error.message, error.recovery) from error
        if key is None:
            raise unknown_key()
        return key


def unknown_key() -> Problem:
    """Return the refusal of a key that is not, or not any more, one of this worker."""
    return _unauthorized(
        "The API key is not one of this worker.",
        "Check the key and the worker's URL; a revoked key does not come back.",
    )


def _unauthorized(message: str, recovery: str | None) -> Problem:
    return problem(401, ErrorCode.UNAUTHORIZED, message, recovery, headers={"www-authenticate": "Bearer"})


async def caller(request: Request) -> ApiKey:
    """Return the key that the gate found.

    Raises:
        Problem: If the gate let the request through without one, which it does for public routes only.
    """
    return _key_of(request)


def _key_of(request: Request) -> ApiKey:
    key: ApiKey | None = request.scope.get("workflow_studio.key")
    if key is None:
        raise _unauthorized("This address needs an API key.", "Send the header `Authorization: Bearer <key>`.")
    return key


class Needs:
    """A route's demand for a scope.

    Attributes:
        scope: The scope.
    """

    def __init__(self, scope: ComputeScope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> ApiKey:
        """Return the caller's key, as :meth:`check` does. FastAPI has a thread call what is not asynchronous."""
        return self.check(request)

    def check(self, request: Request) -> ApiKey:
        """Return the caller's key.

        Raises:
            Problem: If the key lacks the scope.
        """
        key = _key_of(request)
        if not self.scope.granted_by(key.scopes):
            raise problem(
                403,
                ErrorCode.MISSING_SCOPE,
                f"The API key {key.key_id} lacks the scope {self.scope}.",
                "Use a key that has it.",
                required=self.scope,
            )
        return key


def needs(scope: ComputeScope) -> Any:
    """Return the dependency of a route that only keys with ``scope`` may call."""
    return Depends(Needs(scope))
