"""What the process says of itself: that it is ready, or why it does not start. In words, or as one JSON document."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import ValidationError

from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.master_key import MasterKeyError
from workflow_studio.worker.env_file import EnvFileError
from workflow_studio.worker.execution import NodeNotFoundError
from workflow_studio.worker.loading import PartError
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.store import StoreError, StoreLockedError

if TYPE_CHECKING:
    from workflow_studio.worker.settings import WorkerSettings

_VALUE_ERROR: Final = "Value error, "  # what pydantic puts before the words of a validator


class CannotListenError(OSError):
    """The address is taken, or is not one of this machine.

    Args:
        address: Host and port.
        cause: What the operating system says.
        setting: The setting that names them, where no option does.
    """

    def __init__(self, address: str, cause: OSError, setting: str | None = None) -> None:
        super().__init__(f"Cannot listen on {address}: {_reason(cause)}.")
        self.code = "port_in_use" if cause.errno == errno.EADDRINUSE else "cannot_listen"
        self.recovery = (
            "Is a worker running there already? --port takes another one; 0 takes a free one."
            if cause.errno == errno.EADDRINUSE
            else "--host must be an address of this machine."
        )
        if setting is not None:
            self.recovery = f"Set {setting} to another address of this machine."


class Refusal(NamedTuple):
    """Why a worker does not start.

    Attributes:
        code: A stable code.
        message: In a sentence.
        hint: What to do about it.
    """

    code: str
    message: str
    hint: str | None = None


def ready(settings: WorkerSettings, *, as_json: bool) -> None:
    """Say on standard output that the worker answers now."""
    url = f"{settings.scheme}://{in_url(settings.host)}:{settings.port}"
    if as_json:
        document = {"ok": True, "url": url, "pid": os.getpid(), "dataDir": str(settings.data_dir.absolute())}
        print(json.dumps(document, indent=2), flush=True)  # noqa: T201
    else:
        print(f"The worker is ready at {url}; its data is in {settings.data_dir}", flush=True)  # noqa: T201


def refuse(error: Exception, *, as_json: bool) -> None:
    """Say why the worker does not start: on standard error, or as a document on standard output."""
    refusal = _explained(error)
    if as_json:
        details = {name: value for name, value in refusal._asdict().items() if value}
        print(json.dumps({"ok": False, "error": details}, indent=2), flush=True)  # noqa: T201
        return
    print(f"Error: {refusal.message}", file=sys.stderr)  # noqa: T201
    if refusal.hint:
        print(refusal.hint, file=sys.stderr)  # noqa: T201


def in_url(host: str) -> str:
    """Return a host as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def explained(error: Exception) -> list[Refusal]:
    """Return why a worker does not start: one refusal for each setting that is wrong, else one."""
    if isinstance(error, ValidationError):
        return [Refusal("invalid_settings", wrong) for wrong in _wrong_settings(error)]
    return [_explained(error)]


def _explained(error: Exception) -> Refusal:
    if isinstance(error, EngineError | PartError | ObjectStoreError):
        return Refusal(str(error.code), error.message, error.recovery)
    if isinstance(error, StoreError):
        return Refusal(_code_of(error), error.message, error.recovery)
    if isinstance(error, OSError):
        return _explained_by_the_system(error)
    if isinstance(error, EnvFileError):
        return Refusal("invalid_env_file", error.message, error.recovery)
    if isinstance(error, NodeNotFoundError):
        return Refusal("node_not_found", str(error))
    wrong = "\n".join(_wrong_settings(error)) if isinstance(error, ValidationError) else str(error)
    return Refusal("invalid_settings", wrong)


def _code_of(error: StoreError) -> str:
    if isinstance(error, MasterKeyError):
        return "master_key_mismatch"
    return "database_in_use" if isinstance(error, StoreLockedError) else "database_failed"


def _explained_by_the_system(error: OSError) -> Refusal:
    if isinstance(error, CannotListenError):
        return Refusal(error.code, str(error), error.recovery)
    if error.filename:
        return Refusal("file_error", f"{error.filename} cannot be used: {_reason(error)}.")
    return Refusal("worker_failed", str(error))


def _wrong_settings(error: ValidationError) -> list[str]:
    return [
        f"The setting {'.'.join(str(part) for part in entry['loc'])} is wrong: "
        f"{entry['msg'].removeprefix(_VALUE_ERROR)}."
        for entry in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
