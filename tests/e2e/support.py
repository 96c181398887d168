"""What the end-to-end tests do, in a user's words: prepare an app, start a worker, start the app, ask it for things."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.rotation import part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

APPS = Path(__file__).parent / "apps"
KEY = "key-of-the-end-to-end-tests-0123456789abcdef"
STUDIO = Path(sys.executable).parent / "studio"


@dataclass(frozen=True)
class Framework:
    """How one framework lays an app out and starts it."""

    name: str
    workflows: str
    start: tuple[str, ...]


FRAMEWORKS = {
    "nextjs": Framework("nextjs", "workflows", ("node_modules/.bin/next", "start")),
    "nitro": Framework("nitro", "workflows", ("node", ".output/server/index.mjs")),
    "sveltekit": Framework("sveltekit", "src/workflows", ("node", "build")),
}

ROTATING = ["nitro", *part_of(FRAMEWORKS.keys() - {"nitro"}, 1)]
"""Nitro, whose app other suites need as well, and one of the others."""


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def wait_until(probe: Callable[[], Any], *, seconds: float = 60, what: str) -> Any:
    """Call ``probe`` until it gives something; connection errors count as nothing."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := probe():
                return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.1)


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything that would tell the product what to do."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "STUDIO_", "VERCEL"))
    }
    return {**kept, "NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1", **extra}


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, expect: int = 0) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=clean_environment(**(env or {})), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == expect, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def studio(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, expect: int = 0) -> Any:
    """Run ``studio … --json`` and return the document it prints."""
    return json.loads(run(STUDIO, *arguments, "--json", cwd=cwd, env=env, expect=expect))


@dataclass
class Server:
    """A process that serves HTTP, with its output kept in a file."""

    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    log: Path
    url: str
    health: str = "/"
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    http: httpx.Client = field(init=False)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=clean_environment(**self.env),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answers, what=f"the start of {self.command}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.command} ended:\n{self.log.read_text()}"
        return httpx.get(self.url + self.health, timeout=10).status_code < 500

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=20)
        self.process = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self.http.close()


class Worker(Server):
    """``studio worker start`` on a data folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        super().__init__(
            command=(str(STUDIO), "worker", "start", "--port", str(port), "--data-dir", str(folder / "data")),
            cwd=folder,
            env={"WORKFLOW_COMPUTE_API_KEY": KEY, **settings},
            log=folder / "worker.log",
            url=f"http://localhost:{port}",
            health="/v1/health",
        )
        self.http = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30)

    @property
    def cli(self) -> dict[str, str]:
        """The environment that points the CLI at this worker."""
        return {"WORKFLOW_COMPUTE_BASE_URL": self.url, "WORKFLOW_COMPUTE_API_KEY": KEY}

    def get(self, path: str, **query: str) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, run_id: str) -> Any:
        return self.get(f"/v1/runs/{run_id}")

    def finished(self, run_id: str, *, seconds: float = 60) -> Any:
        def ended() -> Any:
            found = self.run(run_id)
            return found if found["status"] in {"completed", "failed", "cancelled"} else None

        return wait_until(ended, seconds=seconds, what=f"the end of run {run_id}")

    def steps(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/v1/runs/{run_id}/steps")["data"]
        return sorted(found, key=lambda step: step["createdAt"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/v1/events", runId=run_id, limit="1000")["data"]
        return found


class App(Server):
    """A built app in remote mode."""

    def __init__(self, framework: Framework, directory: Path, worker: Worker) -> None:
        port = free_port()
        super().__init__(
            command=framework.start,
            cwd=directory,
            env={
                "PORT": str(port),
                "NODE_ENV": "production",
                "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
                "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": "token-of-the-tests",
                **worker.cli,
            },
            log=worker.cwd / f"app-{port}.log",
            url=f"http://localhost:{port}",
        )
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def begin(self, workflow: str, *arguments: object) -> str:
        answer = self.http.post("/api/start", json={"workflow": workflow, "args": arguments})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}\n{self.log.read_text()}"
        run_id: str = answer.json()["runId"]
        return run_id

    def ask(self, run_id: str) -> Any:
        answer = self.http.get("/api/run", params={"id": run_id})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def resume(self, token: str, payload: object) -> httpx.Response:
        return self.http.post("/api/hook", json={"token": token, "payload": payload})

    def processes(self) -> set[int]:
        """The process ids of the app and everything below it."""
        return set(descendants(self.pid))


def descendants(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from descendants(int(child))


def prepare(framework: Framework, directory: Path) -> Path:
    """Make an app as its team has it, then put Workflow Studio into it and build it."""
    shutil.copytree(APPS / framework.name, directory)
    shutil.copytree(APPS / "_shared", directory / framework.workflows)
    untouched = fingerprints(directory, framework)
    run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", cwd=directory)
    studio("scaffold", "--yes", cwd=directory)
    run("npm", "run", "build", cwd=directory)
    studio("build", cwd=directory)
    assert fingerprints(directory, framework) == untouched, "the functions and the trigger routes are the team's own"
    return directory


def upload(directory: Path, worker: Worker) -> str:
    """Upload and activate the artifact that :func:`prepare` built; return the deployment's id."""
    deployment_id: str = studio("compute", "deploy", cwd=directory, env=worker.cli)["deploymentId"]
    studio("compute", "activate", "--deployment-id", deployment_id, cwd=directory, env=worker.cli)
    return deployment_id


def fingerprints(directory: Path, framework: Framework) -> dict[str, bytes]:
    """Return the content of the team's own functions and routes."""
    found: dict[str, bytes] = {}
    for file in sorted(directory.rglob("*.ts")):
        path = file.relative_to(directory)
        made = any(part.startswith(".") or part in {"node_modules", "build", "workflow-studio"} for part in path.parts)
        if not made and (path.is_relative_to(framework.workflows) or "api" in path.parts):
            found[str(path)] = file.read_bytes()
    assert len(found) > 3
    return found
