"""Which worker a command talks to, with which key, and about which environment of it.

The worker and the key each come from the first place that has it: the option, the profile that is named, the
environment, the app's ``.env.local`` and ``.env``, the default profile, and at last the worker that ``studio dev`` or
``studio worker start`` runs in this folder. A profile's key comes from the variable that the profile names and from
nowhere else. The environment of the worker comes from the option, the profile, ``WORKFLOW_COMPUTE_ENVIRONMENT``, or is
the worker's default one.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from workflow_studio.client import ComputeClient, ComputeClientError, ScopeError, TransportError, UnauthorizedError
from workflow_studio.compute.ids import parse_environment_name
from workflow_studio.scaffolder.dev.announcement import session_worker
from workflow_studio.scaffolder.errors import DeployError, UsageError
from workflow_studio.scaffolder.profiles import DEFAULT_KEY_VARIABLE, PROFILE_VARIABLE, read_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from workflow_studio.scaffolder.errors import StudioError

URL_VARIABLE: Final = "WORKFLOW_COMPUTE_BASE_URL"
KEY_VARIABLE: Final = DEFAULT_KEY_VARIABLE
ENVIRONMENT_VARIABLE: Final = "WORKFLOW_COMPUTE_ENVIRONMENT"
DEFAULT_URL: Final = "http://localhost:8787"
LOCAL_KEY_FILE: Final = ".workflow-studio/worker/api-key"
"""Where a worker started in the app's folder writes the key it made up for itself, below that folder."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine, in a URL."""

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
    "environment_not_found": "`studio environments list` shows those in which a deployment is active.",
    "run_finished": "Nothing is left to do; `studio runs show` tells how it ended.",
    "not_found": "Check the id, and that the worker's URL has no path that does not belong to it.",
    "rate_limited": "Wait a little and try again.",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Which worker is meant, before a key is looked for.

    Attributes:
        url: The worker's base URL.
        source: Where that comes from, in a few words.
        profile: The profile it comes from.
        key_variable: The variable that may hold the key.
        environment: The environment of the worker; its default one if None.
    """

    url: str
    source: str
    profile: str | None = None
    key_variable: str = KEY_VARIABLE
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A worker and the key for it.

    Attributes:
        url: The worker's base URL.
        api_key: The key; not part of the representation.
        key_source: Where the key comes from, in a few words.
        environment: The environment of the worker; its default one if None.
    """

    url: str
    api_key: str = field(repr=False)
    key_source: str = "the command"
    environment: str | None = None

    @contextmanager
    def client(self, **options: Any) -> Iterator[ComputeClient]:
        """Open a client; what the worker refuses inside the block is raised as :class:`DeployError`.

        Args:
            options: Such as ``timeout`` and ``retries``, as :class:`ComputeClient` takes them.

        Raises:
            DeployError: With the worker's own code, and a hint.
        """
        try:
            with ComputeClient(self.url, self.api_key, environment=self.environment, **options) as client:
                yield client
        except ComputeClientError as error:
            raise explain(error, self.url) from error
        except UnicodeEncodeError as error:
            raise UsageError("The API key holds characters that no key has.", code="invalid_api_key") from error


def connect(
    directory: Path,
    *,
    url: str | None = None,
    api_key: str | None = None,
    profile: str | None = None,
    worker_environment: str | None = None,
    environment: Mapping[str, str] | None = None,
    ask: Callable[[str], str] | None = None,
) -> Connection:
    """Work out the worker and the key.

    Args:
        directory: The app's folder.
        url: What ``--url`` gave.
        api_key: The key that was handed to the command.
        profile: What ``--profile`` gave.
        worker_environment: What ``--environment`` gave.
        environment: The process's own environment by default.
        ask: Asks a person for the key of a worker's URL; None where nobody can be asked.

    Raises:
        UsageError: If the URL or the environment is not one, the profile is unknown, or there is no key.
    """
    env = dict(os.environ if environment is None else environment)
    target = find_target(directory, url=url, profile=profile, worker_environment=worker_environment, environment=env)
    if api_key:
        return Connection(target.url, api_key.strip(), environment=target.environment)
    found = find_key(directory, target, env)
    if found is not None:
        return Connection(target.url, found[0], found[1], target.environment)
    if ask is not None and (typed := ask(target.url).strip()):
        return Connection(target.url, typed, "the prompt", target.environment)
    where = "in the environment" if target.profile else "in the environment, .env.local or .env"
    raise UsageError(
        f"There is no API key for the worker at {target.url}.",
        code="api_key_missing",
        hint=f"Give it with {target.key_variable} ({where}) or --api-key-stdin. A worker writes its first key to the "
        "file api-key in its data folder; start one here with: studio worker start",
    )


def find_target(
    directory: Path,
    *,
    url: str | None = None,
    profile: str | None = None,
    worker_environment: str | None = None,
    environment: Mapping[str, str],
) -> Target:
    """Work out which worker is meant, and which environment of it.

    Args:
        directory: The app's folder.
        url: What ``--url`` gave.
        profile: What ``--profile`` gave.
        worker_environment: What ``--environment`` gave.
        environment: The process's own environment.

    Raises:
        UsageError: If the URL or the environment is not one, or the profile is unknown.
    """
    if url and profile:
        raise UsageError("--url and --profile both name a worker.", hint="Give one of the two.")
    target = _target(directory, url, profile, environment)
    parts = urlsplit(target.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            f"{target.url} is not the URL of a worker.", code="invalid_url", hint=f"It looks like {DEFAULT_URL}."
        )
    return replace(target, environment=_worker_environment(directory, target, worker_environment, environment))


def _worker_environment(
    directory: Path, target: Target, option: str | None, environment: Mapping[str, str]
) -> str | None:
    name, source = option, "--environment"
    if name is None and target.environment is not None:
        name, source = target.environment, f"the profile {target.profile}"
    if name is None:
        name, source = environment.get(ENVIRONMENT_VARIABLE) or None, ENVIRONMENT_VARIABLE
    if name is None and target.profile is None:
        name = app_variables(directory).get(ENVIRONMENT_VARIABLE)
    try:
        return None if name is None else parse_environment_name(name)
    except ValueError as error:
        raise UsageError(f"{source}: {error}", code="invalid_environment") from error


def _target(directory: Path, url: str | None, profile: str | None, environment: Mapping[str, str]) -> Target:
    if url:
        return Target(url.rstrip("/"), "--url")
    named = profile or environment.get(PROFILE_VARIABLE)
    if named:
        return _of_profile(named)
    files = app_variables(directory)
    if given := environment.get(URL_VARIABLE) or files.get(URL_VARIABLE):
        return Target(given.rstrip("/"), URL_VARIABLE)
    if default := read_profiles().default_profile:
        return _of_profile(default)
    session = session_worker(directory)
    return Target(session[0], "the session of studio dev") if session else Target(DEFAULT_URL, "the default")


def _of_profile(name: str) -> Target:
    profile = read_profiles().get(name)
    return Target(profile.url.rstrip("/"), f"the profile {name}", name, profile.api_key_env, profile.environment)


def find_key(directory: Path, target: Target, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the key for a worker and where it comes from, or None if there is none."""
    if key := environment.get(target.key_variable, "").strip():
        return key, target.key_variable
    if target.profile is None and (key := app_variables(directory).get(KEY_VARIABLE, "").strip()):
        return key, f"{KEY_VARIABLE} in an env file of the app"
    local = _local_key(directory, target.url)
    return (local, LOCAL_KEY_FILE) if local else None


def explain(error: ComputeClientError, url: str) -> StudioError:
    """Return what a person is told about a failed call: the worker's words where it has some, and always a hint."""
    if isinstance(error, ScopeError):
        hint = f"Use a key with the scope {error.required}."
    elif isinstance(error, UnauthorizedError):
        hint = f"Give the worker's key with {KEY_VARIABLE} or --api-key-stdin."
    elif isinstance(error, TransportError):
        hint = f"Check that a worker runs at {url} (studio worker start), or name another with --url or --profile."
    else:
        hint = _HINTS.get(error.code, f"The worker's log says more (correlation id {error.correlation_id}).")
    message = error.message if url in error.message or not isinstance(error, TransportError) else f"{error} ({url})"
    # This command knows how a worker is started; the client does not.
    known_here = error.code == "unreachable"
    return DeployError(message, code=error.code, hint=hint if known_here else error.recovery or hint)


def app_variables(directory: Path) -> dict[str, str]:
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
    if urlsplit(url).hostname not in LOOPBACK:
        return None
    session = session_worker(directory)
    if session and session[0] == url:
        return session[1]
    try:
        return (directory / LOCAL_KEY_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
