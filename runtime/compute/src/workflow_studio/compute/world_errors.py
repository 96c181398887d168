"""The errors a World may raise.

The Workflow SDK tells them apart by ``error.name`` alone (source: ``@workflow/errors`` 4.x), so the name and the fields
are the protocol, and the classes here mirror them one to one::

    WorldError                    everything else; status and code decide whether the SDK retries
    ├── EntityConflictError       409: it exists already, or is finished already
    ├── RunExpiredError           410: the run is finished or gone
    ├── TooEarlyError             425: a step was started before its retryAfter
    ├── ThrottleError             429
    ├── HookNotFoundError         404: no live hook has this token or id
    ├── RunNotFoundError          404
    └── RunNotSupportedError      400: the run was written by a newer SDK
"""

from __future__ import annotations

from typing import ClassVar

Wire = dict[str, str | int | float]


class WorldError(Exception):
    """A refusal that the Workflow SDK understands.

    Args:
        message: What happened. The SDK matches some messages, so reword them with care.
        status: The HTTP status; 500 and above mean "deliver again".
        code: A transport-level code such as ``TRANSPORT``.
        fields: Fields of the error by name, as the SDK reads them.
    """

    name: ClassVar[str] = "WorkflowWorldError"
    default_status: ClassVar[int] = 400

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, **fields: str | float
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.default_status if status is None else status
        self.code = code
        self.fields: dict[str, str | int | float] = fields

    def to_wire(self) -> Wire:
        """Return the error as the JavaScript side rebuilds it: ``name``, ``message`` and the fields that are set."""
        wire: Wire = {"name": self.name, "message": self.message, **self.fields}
        if self.name == WorldError.name:
            wire["status"] = self.status
        if self.code is not None:
            wire["code"] = self.code
        return wire


class EntityConflictError(WorldError):
    """The entity exists already, or is finished already."""

    name = "EntityConflictError"
    default_status = 409


class RunExpiredError(WorldError):
    """The run is finished or gone."""

    name = "RunExpiredError"
    default_status = 410


class TooEarlyError(WorldError):
    """A step was started before its ``retryAfter``.

    Args:
        message: What happened.
        retry_after: Whole seconds to wait, rounded up.
    """

    name = "TooEarlyError"
    default_status = 425

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class ThrottleError(WorldError):
    """Too many requests.

    Args:
        message: What happened.
        retry_after: Whole seconds to wait, rounded up.
    """

    name = "ThrottleError"
    default_status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class HookNotFoundError(WorldError):
    """No live hook has this token (or id)."""

    name = "HookNotFoundError"
    default_status = 404

    def __init__(self, token: str) -> None:
        super().__init__("Hook not found", token=token)


class RunNotFoundError(WorldError):
    """No run has this id."""

    name = "WorkflowRunNotFoundError"
    default_status = 404

    def __init__(self, run_id: str) -> None:
        super().__init__(f'Workflow run "{run_id}" not found', runId=run_id)


class RunNotSupportedError(WorldError):
    """The run was created at a spec version this World does not speak."""

    name = "RunNotSupportedError"

    def __init__(self, run_spec_version: int, world_spec_version: int) -> None:
        super().__init__(
            f"Run requires spec version {run_spec_version}, but this World supports up to {world_spec_version}.",
            runSpecVersion=run_spec_version,
            worldSpecVersion=world_spec_version,
        )
