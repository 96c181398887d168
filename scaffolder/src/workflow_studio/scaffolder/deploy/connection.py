"""Which worker a command talks to, and with which key.

Each of the two comes from the first place that has it: the option, the environment, the app's ``.env.local`` and
``.env``, and at last the worker that ``studio worker start`` runs in this folder.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from workflow_studio.client import ComputeClient, ComputeClientError, ScopeError, TransportError, UnauthorizedError
from workflow_studio.scaffolder.errors import DeployError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from workflow_studio.scaffolder.errors import StudioError

URL_VARIABLE: Final = "WORKFLOW_COMPUTE_BASE_URL"
KEY_VARIABLE: Final = "WORKFLOW_COMPUTE_API_KEY"  # the name of a variable, not a key
DEFAULT_URL: Final = "http://localhost:8787"
LOCAL_KEY_FILE: Final = ".workflow-studio/worker/api-key"
"""Where a worker started in the app's folder writes the key it made up for itself, below that folder."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ENV_FILES: Final = (".env.local", ".env")
_HINTS: Final = {
    "invalid_artifact": "Build it again: studio build",
    "invalid_manifest": "Build it again: studio build",
    "digest_mismatch": "Build it again: studio build",
    "artifact_too_large": "Import less into the workflows' files, or let the worker take more.",
    "unsupported_artifact": "Build it again with this version of the command: studio build",
    "deployment_not_found": "`studio compute list` shows the deployments the worker has.",
    "invalid_deployment_id": "An id is dep_ and 32 hexadecimal digits; `studio compute list` shows them.",
    "no_active_deployment": "Activate one: studio compute activate --deployment-id <id>",
    "rate_limited": "Wait a little and try again.",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A worker and the key for it.

    Attributes:
        url: The worker's base URL.
        api_key: The key; not part of the representation.
    """

    url: str
    api_key: str = field(repr=False)

    @contextmanager
    def client(self) -> Iterator[ComputeClient]:
        """Open a client; what the worker refuses inside the block is raised as :class:`DeployError`.

        Raises:
            DeployError: With the worker's own code, and a hint.
        """
        try:
            with ComputeClient(self.url, self.api_key) as client:
                yield client
        except ComputeClientError as error:
            raise explain(error, self.url) from error
        except UnicodeEncodeError as error:
            raise UsageError("The API key holds characters that no key has.", code="invalid_api_key") from error


def connect(
    directory: Path, *, url: str | None = None, api_key: str | None = None, environment: Mapping[str, str] | None = None
) -> Connection:
    """Work out the worker and the key.

    Args:
        directory: The app's folder.
        url: What ``--url`` gave.
        api_key: What ``--api-key`` gave.
        environment: The process's own environment by default.

    Raises:
        UsageError: If the URL is not one, or there is no key.
    """
    variables = _from_files(directory) | dict(os.environ if environment is None else environment)
    base_url = (url or variables.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
    if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
        raise UsageError(
            f"{base_url} is not the URL of a worker.", code="invalid_url", hint=f"It looks like {DEFAULT_URL}."
        )
    key = api_key or variables.get(KEY_VARIABLE) or _local_key(directory, base_url)
    if not key:
        raise UsageError(
            f"There is no API key for the worker at {base_url}.",
            code="api_key_missing",
            hint=f"Give it with {KEY_VARIABLE} (in the environment, .env.local or .env) or --api-key. A worker writes "
            "its key to the file api-key in its data folder; start one here with: studio worker start",
        )
    return Connection(base_url, key.strip())


def explain(error: ComputeClientError, url: str) -> StudioError:
    """Return what a person is told about a failed call: the worker's words where it has some, and always a hint."""
    if isinstance(error, ScopeError):
        hint = f"Use a key with the scope {error.required}."
    elif isinstance(error, UnauthorizedError):
        hint = f"Give the worker's key with {KEY_VARIABLE} or --api-key."
    elif isinstance(error, TransportError):
        hint = f"Check that a worker runs at {url} (studio worker start), or name another with --url."
    else:
        hint = _HINTS.get(error.code, f"The worker's log says more (correlation id {error.correlation_id}).")
    message = error.message if url in error.message or not isinstance(error, TransportError) else f"{error} ({url})"
    # This command knows how a worker is started; the client does not.
    known_here = error.code == "unreachable"
    return DeployError(message, code=error.code, hint=hint if known_here else error.recovery or hint)


def _from_files(directory: Path) -> dict[str, str]:
    """Return the variables of the app's ``.env`` files; the first file that sets one wins, as in the frameworks."""
    found: dict[str, str] = {}
    for name in reversed(_ENV_FILES):
        if (directory / name).is_file():
            # Interpolation would mix this process's environment into the file's values.
            values = dotenv_values(directory / name, interpolate=False, encoding="utf-8")
            found |= {variable: value for variable, value in values.items() if value}
    return found


def _local_key(directory: Path, url: str) -> str | None:
    """Return the key of the worker in this folder; it is sent to this machine only."""
    if urlsplit(url).hostname not in _LOOPBACK:
        return None
    try:
        return (directory / LOCAL_KEY_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
