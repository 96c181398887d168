"""A worker that lives as long as a block, with an app's workflows deployed; nothing of it is left behind."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from workflow_studio.client import ComputeClient
from workflow_studio.compute.ids import DeploymentId
from workflow_studio.scaffolder.build.artifact import build_artifact, make_state_dir
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.processes import Child, ProcessError
from workflow_studio.scaffolder.testing import janitor
from workflow_studio.scaffolder.worker.launch import ENV_PREFIX, worker_command, worker_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workflow_studio.compute.api import Deployment

WORLD: Final = "workflow-studio/world-remote"
LOCK: Final = "test-build.lock"

_READY: Final = re.compile(r"ready at (http://\S+?);")
_START_SECONDS: Final = 120
_SETTINGS: Final = {
    "host": "127.0.0.1",
    "port": 0,
    "shutdown_grace": 1,
    # Tests ask without pause, and their runs are short.
    "rate_limit_per_minute": 10_000_000,
}
# They would lead the worker to data, parts or keys of another one.
_FOREIGN: Final = ("WORKFLOW_", "PORT")


class WorkerFailedError(ProcessError):
    """The worker of the tests did not start, or ended too early."""

    code = "worker_failed"


class ThrowawayWorker:
    """A worker for tests: a free port, a key of its own, data in a temporary folder, an app's workflows deployed.

    To be used in a ``with`` block. Nothing of it is left afterwards, not even if this process is killed.

    Args:
        app_dir: The app's folder; its packages are installed.
        artifact: What to deploy; built from the app if None.
        env_file: Variables for the workflows' code, one ``NAME=value`` a line.
        progress: Called with the name of each stage as it begins.

    Attributes:
        url: Its address.
        api_key: A key that may do everything.
        deployment: The app's workflows.
    """

    def __init__(
        self,
        app_dir: Path,
        *,
        artifact: Path | None = None,
        env_file: Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.app_dir = app_dir.resolve()
        self.url = ""
        self.api_key = secrets.token_urlsafe(32)
        self.deployment: Deployment
        self._artifact = artifact
        self._env_file = env_file
        self._say = progress or (lambda _stage: None)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start it and deploy.

        Raises:
            StudioError: If the app cannot be built, or there is no worker or no Node.js, or the worker does not start.
        """
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="workflow-studio-test-")).resolve()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._worker = self._start(folder)
            stack.callback(self._worker.stop)
            # Both take their time, so the one does not wait for the other.
            artifact = self._artifact or built_once(self.app_dir, folder, self._say)
            self._say("Starting the worker")
            self._worker.wait_until(self._has_started, seconds=_START_SECONDS, what="its first answer")
            self._deploy(artifact)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End it and remove its data."""
        self._stack.close()

    @property
    def workflows(self) -> tuple[str, ...]:
        """The ids of the workflows."""
        return self.deployment.workflows

    @property
    def environment(self) -> dict[str, str]:
        """The variables that have an app run its workflows here."""
        return {
            "WORKFLOW_TARGET_WORLD": WORLD,
            "WORKFLOW_COMPUTE_BASE_URL": self.url,
            "WORKFLOW_COMPUTE_API_KEY": self.api_key,
            "WORKFLOW_COMPUTE_ENVIRONMENT": "",  # the one that a developer's shell may name is not there
        }

    def client(self, **options: Any) -> ComputeClient:
        """Return a client; it is to be closed."""
        return ComputeClient(self.url, self.api_key, **options)

    def wait_until(self, told: Callable[[], bool]) -> None:
        """Let the worker run until ``told`` says so.

        Raises:
            WorkerFailedError: If it ends before.
        """
        self._worker.wait_until(told, seconds=float("inf"), what="it was told to")

    def log(self) -> list[str]:
        """Return the last lines of its log."""
        return self._worker.tail()

    def _start(self, folder: Path) -> Child:
        settings: Mapping[str, object] = {**_SETTINGS, "data_dir": folder / "data", "env_file": self._env_file}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        # The key of a project's own worker must not be found either, so nothing of the app's folder is looked at.
        environment = worker_environment(settings, kept) | {"WORKFLOW_COMPUTE_API_KEY": self.api_key}
        if chosen := os.environ.get(f"{ENV_PREFIX}NODE"):
            environment[f"{ENV_PREFIX}NODE"] = chosen
        command = [sys.executable, "-I", "-S", janitor.__file__, str(os.getpid()), str(folder), *worker_command()]
        return Child(
            "The worker", command, cwd=folder, env=environment, log=folder / "log", grace=5, error=WorkerFailedError
        )

    def _has_started(self) -> bool:
        found = next((match for line in self._worker.tail() if (match := _READY.search(line))), None)
        if found is None:
            return False
        self.url = found[1]
        return True

    def _deploy(self, artifact: Path) -> None:
        with Connection(self.url, self.api_key).client() as client:
            self._say("Deploying the workflows")
            uploaded = client.create_deployment(artifact)
            client.activate_deployment(DeploymentId(uploaded.deployment_id))
            self.deployment = client.get_deployment(DeploymentId(uploaded.deployment_id))


def built_once(app_dir: Path, output_dir: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Return the artifact of an app in a folder; build it unless another process has done so.

    The Workflow SDK builds in a place within the app, so only one process at a time may.

    Args:
        app_dir: The app's folder.
        output_dir: Where the artifact is, or will be.
        progress: Called with the name of each stage as it begins.

    Raises:
        StudioError: If the app cannot be built.
    """
    done = output_dir / "artifact-built"
    with _locked(make_state_dir(app_dir) / LOCK):
        if done.exists():
            return Path(done.read_text(encoding="utf-8"))
        built = build_artifact(app_dir, output_dir=output_dir, node=find_node(), progress=progress)
        done.write_text(str(built.path), encoding="utf-8")
        return built.path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise WorkerError(f"{path} cannot be written: {error.strerror}", code="state_not_writable") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
