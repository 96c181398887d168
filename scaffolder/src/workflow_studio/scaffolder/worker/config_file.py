"""The ``worker`` section of a ``workflow.config.*``, as settings of the worker."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.worker.launch import ENV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.scaffolder.node import NodeRuntime

# The app's own package finds, reads and checks the file, as it does for the app. Written to a file, because a
# configuration may print what it likes.
_READ: Final = """
const { createRequire } = require('node:module');
const { writeFileSync } = require('node:fs');
const [folder, answer, target] = process.argv.slice(1);
const plain = (_, value) => (typeof value === 'function' ? '(function)' : value);
const say = (found) => writeFileSync(answer, JSON.stringify(found, plain));
try {
  const studio = createRequire(folder + '/index.js')('workflow-studio');
  const { file, config } = studio.loadWorkflowStudioConfig(folder);
  const world = config.remoteWorldTarget ?? target;
  process.env.WORKFLOW_TARGET_WORLD = world;
  const resolve = () => {
    const resolved = studio.resolveWorkflowStudioAdapterConfig(undefined, { cwd: folder });
    const meant = studio.normalizeBaseUrl(process.env.WORKFLOW_COMPUTE_BASE_URL);
    return { ...resolved, isMeant: resolved.baseUrl === meant };
  };
  say({ file, worker: config.worker ?? {}, target: world, app: target ? resolve() : null });
} catch (error) {
  say({ problem: String(error?.message ?? error), isMissing: error?.code === 'MODULE_NOT_FOUND' });
}
"""
_SECONDS: Final = 60
DEFAULT_TARGET: Final = "workflow-studio/world-remote"
"""What ``WORKFLOW_TARGET_WORLD`` must be in an app whose configuration does not say otherwise."""

# Field of the section: setting of the worker.
_SETTINGS: Final = {
    "server.host": "host",
    "server.port": "port",
    "server.requestOrigin": "public_url",
    "security.requireHttps": "require_https",
    "auth.seedApiKeys": "seed_api_keys",
    "rateLimitPerMinute": "rate_limit_per_minute",
}
_REFUSED: Final = {
    "world": "This worker is a World of its own; take worker.world out. Its parts can be exchanged: "
    f"{ENV_PREFIX}STORAGE, {ENV_PREFIX}QUEUE and {ENV_PREFIX}STREAMS name factories in Python.",
    "compute": "A factory in JavaScript cannot run in this worker; take worker.compute out. "
    f"{ENV_PREFIX}COMPUTE=package.module:factory names one in Python.",
    "storage.sqlitePath": "This worker keeps its database and its artifacts in one folder; name it with --data-dir.",
    "storage.artifactDir": "This worker keeps its database and its artifacts in one folder; name it with --data-dir.",
}


def settings_from_config(config: Path, node: NodeRuntime) -> dict[str, str]:
    """Return the worker settings that a ``workflow.config.*`` holds.

    Args:
        config: The file, or the folder of the app it belongs to.
        node: Reads it.

    Raises:
        WorkerError: If there is no such file, it cannot be read, or it asks for what this worker does not do.
    """
    found = _found(config, node)
    settings: dict[str, str] = {}
    for field, value in _flatten(found["worker"]).items():
        if field in _REFUSED:
            raise WorkerError(f"{found['file']} sets worker.{field}.", code="unsupported_config", hint=_REFUSED[field])
        if field in _SETTINGS:
            settings[_SETTINGS[field]] = value if isinstance(value, str) else json.dumps(value)
    return settings


@dataclass(frozen=True, slots=True)
class AppSettings:
    """Where an app sends its runs, with everything that has a say in it.

    Attributes:
        file: The configuration, if there is one.
        target: What ``WORKFLOW_TARGET_WORLD`` must be.
        mode: ``remote``, or ``local`` when the configuration says so.
        worker: The worker's URL.
        is_meant: Whether that is the worker that the variables name.
        environment: The environment there.
        key_variable: The variable that holds the key.
    """

    file: str | None
    target: str
    mode: str
    worker: str | None
    is_meant: bool
    environment: str | None
    key_variable: str


def app_settings(app_dir: Path, node: NodeRuntime, variables: Mapping[str, str]) -> AppSettings:
    """Return where an app would send its runs.

    Args:
        app_dir: The app's folder.
        node: Reads the configuration.
        variables: The environment that the app gets, but for ``WORKFLOW_TARGET_WORLD``, which is what it must be.

    Raises:
        WorkerError: If the app's package is not installed, or the configuration cannot be read.
    """
    found = _read(app_dir.resolve(), node, variables, DEFAULT_TARGET)
    app = found["app"]
    return AppSettings(
        file=found.get("file"),
        target=found["target"],
        mode=app["executionMode"],
        worker=app.get("baseUrl"),
        is_meant=app["isMeant"],
        environment=app.get("environment"),
        key_variable=app["apiKeyEnv"],
    )


def target_world(config: Path, node: NodeRuntime) -> str:
    """Return what ``WORKFLOW_TARGET_WORLD`` must be in the app that a ``workflow.config.*`` belongs to.

    Args:
        config: The file, or the folder of the app it belongs to.
        node: Reads it.

    Raises:
        WorkerError: If there is no such file, or it cannot be read.
    """
    target = _found(config, node).get("target")
    return target if isinstance(target, str) and target else DEFAULT_TARGET


def _found(config: Path, node: NodeRuntime) -> dict[str, Any]:
    folder = (config if config.is_dir() else config.parent).resolve()
    found = _read(folder, node)
    if found.get("file") is None or (config.is_file() and Path(found["file"]).name != config.name):
        raise WorkerError(
            f"There is no configuration to read at {config}.",
            code="config_not_found",
            hint="Name the app's workflow.config.ts, or leave --config out.",
        )
    return found


def _read(
    folder: Path, node: NodeRuntime, variables: Mapping[str, str] | None = None, target: str = ""
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="workflow-studio-") as scratch:
        answer = Path(scratch, "worker.json")
        subprocess.run(  # noqa: S603 - our script, the user's own configuration
            [node.node, "-e", _READ, folder, answer, target],
            cwd=folder if folder.is_dir() else None,
            env=node.environment(variables),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {"problem": "Node.js ended before it had read it."}
    if found.get("isMissing"):
        hint = "Run `studio scaffold` and install the app's packages first."
        raise WorkerError(f"{folder} has no package workflow-studio.", code="not_scaffolded", hint=hint)
    if "problem" in found:
        hint = "Correct the file; the app reads it too."
        raise WorkerError(found["problem"].partition("\n")[0], code="invalid_config", hint=hint)
    return found


def _flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the fields of a section by dotted name; what is listed whole stays whole."""
    fields: dict[str, Any] = {}
    for key, value in section.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in _REFUSED:
            fields |= _flatten(value, f"{name}.")
        else:
            fields[name] = value
    return fields
