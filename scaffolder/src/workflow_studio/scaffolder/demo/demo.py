"""The demo: an example app, a worker, a deployment, one request, and what came of it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workflow_studio.client import ComputeClient, ComputeClientError
from workflow_studio.compute.ids import RunId
from workflow_studio.scaffolder.build.artifact import build_artifact
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.demo.app import (
    ROUTE,
    DemoError,
    Framework,
    answers,
    clean_environment,
    place_order,
    remote_environment,
)
from workflow_studio.scaffolder.deploy.actions import activate, upload
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.operate.timeline import Row, timeline
from workflow_studio.scaffolder.processes import Child, free_port, stop_requests_as_interrupts, uninterrupted
from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._scaffold import Request, plan_new
from workflow_studio.scaffolder.worker.launch import worker_command, worker_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflow_studio.compute.api import Run
    from workflow_studio.scaffolder.build.artifact import BuiltArtifact
    from workflow_studio.scaffolder.node import NodeRuntime
    from workflow_studio.scaffolder.output import Output

_START_SECONDS: Final = 60
_RUN_SECONDS: Final = 120
_PAGE: Final = 1000
_APP_NAME: Final = "workflow-studio-demo"
_INSTALL: Final = ("install", "--prefer-offline", "--no-audit", "--no-fund", "--no-progress")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo found out.

    Attributes:
        run: The run, finished, with its result.
        rows: Its timeline.
        places: Names of the executors, by id: which process ran their steps.
        built: The artifact that was deployed.
        stages: Seconds by stage.
    """

    run: Run
    rows: list[Row]
    places: dict[str, str]
    built: BuiltArtifact
    stages: dict[str, float]

    @property
    def ran_on_worker_only(self) -> bool:
        """Whether every step was executed by a process of the worker."""
        return all(row.executor in self.places for row in self.rows if row.kind == "step")


@dataclass
class Demo:
    """One demo; :meth:`run` does all of it and leaves nothing behind.

    Attributes:
        framework: The example app's framework.
        output: Where progress is told.
        directory: Where the app and the worker's data go; a temporary folder by default.
        keep: Leave the folder in place.
    """

    framework: Framework
    output: Output
    directory: Path | None = None
    keep: bool = False
    _stages: dict[str, float] = field(default_factory=dict, init=False)
    _children: list[Child] = field(default_factory=list, init=False)
    _folder: Path | None = field(default=None, init=False)

    def run(self) -> DemoResult:
        """Do the demo.

        Raises:
            StudioError: If a stage fails; its process's last output is the hint.
            KeyboardInterrupt: If somebody asked to stop.
        """
        command = worker_command()  # says at once if there is no worker to install things for
        self.framework.require_packages()
        node = find_node(minimum=self.framework.node)
        with stop_requests_as_interrupts():
            try:
                with uninterrupted():
                    self._folder = self._make_folder()
                return self._run(self._folder, node, command)
            finally:
                with uninterrupted():
                    self._clean_up()

    def _run(self, folder: Path, node: NodeRuntime, worker: list[str]) -> DemoResult:
        app_dir = folder / _APP_NAME
        environment = node.environment(clean_environment())
        kind = "bundled " if node.bundled else ""
        self.output.note(f"Working in {folder} with {kind}Node.js {node.version_text}")

        with self._stage(f"Making a {self.framework.title} app from the template"):
            self._make_app(app_dir)
        # The worker starts while npm is busy with the network.
        process, connection = self._launch_worker(folder, worker, environment)
        with self._stage("Installing its npm packages"):
            self._finish("npm install", node.npm_command(*_INSTALL), app_dir, environment)
        if not self.framework.python:
            with self._stage("Building the app for production"):
                self._finish("npm run build", node.npm_command("run", "build"), app_dir, environment)
        with self._stage("Starting a worker"):
            process.wait_until(lambda: _healthy(connection), seconds=_START_SECONDS, what="its first answer")
        with self._stage("Building the workflows into an artifact"):
            built = build_artifact(app_dir, node=node)
        with connection.client() as client:
            started = time.monotonic()
            uploaded = upload(client, built.path, self.output)
            activate(client, uploaded.deployment_id, self.output)
            self._stages["Deploying"] = time.monotonic() - started
            with self._stage("Starting the app in remote mode"):
                app, app_url = self._start_app(app_dir, node, environment, connection)
            with self._stage(f"POST {ROUTE}, and waiting for the run"):
                run = self._order(client, app, app_url)
            steps = client.list_run_steps(run.run_id, limit=_PAGE).data
            events = client.list_run_timeline(run.run_id, limit=_PAGE, resolve_data="none").data
            executors = client.list_executors().data
            places: dict[str, str] = {entry.executor_id: f"worker, process {entry.pid}" for entry in executors}
        return DemoResult(run, timeline(run, steps, events), places, built, self._stages)

    # Stages --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _stage(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        with self.output.status(text):
            yield
        self._stages[text] = time.monotonic() - started

    def _make_app(self, app_dir: Path) -> None:
        planned = plan_new(app_dir.parent, app_dir.name, Request(framework=self.framework.name))
        apply(planned.plan)

    def _finish(self, name: str, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self._start(name, command, cwd, environment).wait()

    def _launch_worker(self, folder: Path, command: list[str], environment: dict[str, str]) -> tuple[Child, Connection]:
        port = free_port()
        connection = Connection(f"http://127.0.0.1:{port}", secrets.token_urlsafe(32))
        settings = {"host": "127.0.0.1", "port": port, "data_dir": folder / "worker"}
        variables = worker_environment(settings, environment) | {"WORKFLOW_COMPUTE_API_KEY": connection.api_key}
        return self._start("The worker", command, folder, variables), connection

    def _start_app(
        self, app_dir: Path, node: NodeRuntime, environment: dict[str, str], connection: Connection
    ) -> tuple[Child, str]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        variables = environment | remote_environment(
            self.framework, port=port, worker_url=connection.url, api_key=connection.api_key
        )
        command = node.npm_command("run", "start", *self.framework.start)
        if self.framework.python:
            command = [sys.executable, "-m", *(part.format(port=port) for part in self.framework.python)]
        app = self._start("The app", command, app_dir, variables)
        app.wait_until(lambda: answers(url), seconds=_START_SECONDS, what="its first answer")
        return app, url

    def _order(self, client: ComputeClient, app: Child, app_url: str) -> Run:
        try:
            run_id = place_order(app_url)
        except DemoError as error:
            raise app.failed(error.message) from error
        run = client.wait_for_run(RunId(run_id), within=_RUN_SECONDS)
        if not run.finished:
            raise self._worker().failed(f"Run {run_id} is still {run.status} after {_RUN_SECONDS} s.")
        if run.status != "completed":
            reason = run.error.message if run.error else "no reason given"
            raise self._worker().failed(f"Run {run_id} is {run.status}: {reason}")
        return run

    # Processes and folders -----------------------------------------------------------------------------------------

    def _start(self, name: str, command: list[str], cwd: Path, environment: dict[str, str]) -> Child:
        log = (self._folder or cwd) / f"{len(self._children) + 1}-{name.lower().replace(' ', '-')}.log"
        with uninterrupted():
            child = Child(name, command, cwd=cwd, env=environment, log=log, error=DemoError)
            self._children.append(child)
        return child

    def _worker(self) -> Child:
        return next(child for child in self._children if child.name == "The worker")

    def _make_folder(self) -> Path:
        if self.directory is None:
            return Path(tempfile.mkdtemp(prefix="workflow-studio-demo-")).resolve()
        if self.directory.exists() and any(self.directory.iterdir()):
            raise DemoError(
                f"{self.directory} is not empty.", code="directory_not_empty", hint="Name a folder that does not exist."
            )
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory.resolve()

    def _clean_up(self) -> None:
        for child in reversed(self._children):
            child.stop()
        if self._folder is None:
            return
        if self.keep:
            self.output.note(f"Kept: {self._folder} (the app, the worker's data, the logs)")
        else:
            shutil.rmtree(self._folder, ignore_errors=True)


def _healthy(connection: Connection) -> bool:
    try:
        with ComputeClient(connection.url, timeout=5, retries=0) as client:
            return client.health().healthy
    except ComputeClientError:
        return False
