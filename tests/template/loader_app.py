"""An app that listens itself: its folder sees the packages of real servers, which are installed once for all tests."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from filelock import FileLock

from tests.e2e.support import Server, free_port, run, wait_until
from tests.support.npm import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PACKAGES = {
    "@hono/node-server": "2.1.8", "express": "5.3.0", "fastify": "5.12.8", "hono": "4.13.19", "workflow": "4.8.9",
}  # fmt: skip
START = ("node", "--import", "workflow-studio/register")
DEV = ("node", "--watch", "--import", "workflow-studio/dev")
BUILD = ("node", "workflow-studio/loader/build.mjs")

JOB = """
import { sleep } from 'workflow';
import { label } from '../src/label';
import { decide } from './rules';

export async function job(wait: string) {
  'use workflow';
  const first = decide();
  if (wait) await sleep(wait as '1s');
  return `${first} ${await work()}`;
}

async function work() {
  'use step';
  return label();
}
"""
RULES = "export const decide = () => 'rules-1';\n"
LABEL = "export const label = () => 'label-1';\n"
MAIN = """
import { createServer } from 'node:http';
import { getRun, start } from 'workflow/api';
import { withWorkflowStudioNode } from 'workflow-studio/node';
import { job } from '../workflows/job';

const answer = async (url: URL): Promise<unknown> => {
  if (url.pathname === '/start') {
    return (await start(job, [url.searchParams.get('wait') ?? ''])).runId;
  }
  if (url.pathname === '/run') {
    const run = getRun(url.searchParams.get('id') ?? '');
    const status = await run.status;
    return [status, status === 'completed' ? await run.returnValue : null];
  }
  return 'up';
};

createServer(
  withWorkflowStudioNode(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://app');
    response.end(JSON.stringify(await answer(url)));
  }),
).listen(Number(process.env.PORT));
"""


def packages() -> Path:
    """Return a folder with the packages in its ``node_modules``."""
    wanted = json.dumps({"private": True, "dependencies": PACKAGES})
    folder = cache_folder() / f"loader-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "installed").exists():
            (folder / "package.json").write_text(wanted)
            run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder)
            (folder / "installed").touch()
    return folder


@dataclass
class LoaderApp:
    """A folder with an app in it.

    Attributes:
        folder: The folder.
        env: Variables of all its processes.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        modules = self.folder / "node_modules"
        modules.mkdir(parents=True, exist_ok=True)
        (modules / "workflow-studio").symlink_to("../workflow-studio")

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def build(self) -> None:
        self.run(*BUILD)

    def run(self, *command: str) -> None:
        run(*command, cwd=self.folder, env=self.env)

    def refused(self, entry: str, **env: str) -> str:
        """Start what must end at once; return what it says."""
        done = subprocess.run(
            (*START, entry), cwd=self.folder, env={**clean(), **self.env, **env}, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout
        return done.stderr

    @contextmanager
    def serve(self, entry: str, command: tuple[str, ...] = START) -> Iterator[RunningApp]:
        server = RunningApp((*command, entry), self.folder, self.env)
        server.start()
        try:
            yield server
        finally:
            server.close()


def clean() -> dict[str, str]:
    """Return an environment that says nothing to the product."""
    node = shutil.which("node")
    assert node
    return {"PATH": str(node).removesuffix("/node"), "NO_COLOR": "1"}


class RunningApp(Server):
    """A started app."""

    def __init__(self, command: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> None:
        port = free_port()
        super().__init__(
            command=command,
            cwd=folder,
            env={"PORT": str(port), **env},
            log=folder / "server.log",
            url=f"http://localhost:{port}",
        )
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def ask(self, path: str, **query: str) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, f"{answer.text}\n{self.log.read_text()}"
        return answer.json()

    def result(self, run_id: str) -> Any:
        """Return what a run returned, once it has."""

        def ended() -> Any:
            status, value = self.ask("/run", id=run_id)
            assert status != "failed", self.log.read_text()
            return value if status == "completed" else None

        return wait_until(ended, what=f"the end of {run_id}")

    def job(self) -> Any:
        """Return what a new run of the job returns."""
        return self.result(self.ask("/start"))
