"""What the tests of ``studio dev`` do: edit the files of an app that runs, and look what comes of it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.support import STUDIO, clean_environment, descendants, free_port, run, wait_until
from tests.support.json_process import JsonProcess
from tests.support.lives import lives
from workflow_studio.client import ComputeClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.json_process import Line
    from workflow_studio.client import Run

HERE = Path(__file__).parent
_TOLD = 150
NOT_COPIED = ("node_modules", ".next", ".output", ".svelte-kit", "build", ".workflow-studio", ".well-known")


@dataclass(frozen=True)
class DevApp:
    """How the app of a framework is laid out.

    Attributes:
        name: The framework.
        workflows: Folder of the workflows.
        route: The file that answers at ``/api/dev``.
        code: What is in it.
    """

    name: str
    workflows: str
    route: str
    code: str

    def copy(self, prepared: Path, folder: Path) -> Path:
        """Copy an app, so that what is edited is not what others have, and add the workflows and the route."""
        shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
        run("cp", "-al", prepared / "node_modules", folder / "node_modules", cwd=folder)
        for name in ("loop.ts", "words.ts"):
            shutil.copyfile(HERE / name, folder / self.workflows / name)
        route = folder / self.route
        route.parent.mkdir(parents=True, exist_ok=True)
        route.write_text(self.code)
        return folder

    def workflow(self, name: str) -> str:
        return f"workflow//./{self.workflows}/loop//{name}"


class DevSession(JsonProcess):
    """``studio dev --json`` in an app's folder.

    Attributes:
        app_url: Where the app answers.
        worker_url: Where the worker does.
    """

    def __init__(
        self, app: DevApp, folder: Path, *options: str, env: Mapping[str, str] | None = None, key: str | None = None
    ) -> None:
        # A port of its own: Nitro does not say when another app has the usual one.
        variables = clean_environment(PORT=str(free_port()), **(env or {}))
        super().__init__([STUDIO, "dev", "--json", *options], cwd=folder, env=variables)
        self.app = app
        self.folder = folder
        self._key = key
        self.app_url = self.worker_url = ""

    def start(self) -> None:
        """Wait until the code is deployed and the app answers."""
        self.wait_for(lambda _: {"deployed", "app"} <= self._happened(), seconds=120)
        self.worker_url = next(line["worker"] for line in self.seen if line["type"] == "session")
        self.app_url = next(line["url"] for line in self.seen if line.get("source") == "app" and "url" in line)

        def answers() -> bool:
            return httpx.get(f"{self.app_url}/api/dev", timeout=60).status_code == 200

        wait_until(answers, seconds=120, what="an answer of the app")

    def _happened(self) -> set[str]:
        return {line["source"] if line["type"] == "ready" else line["type"] for line in self.seen}

    @property
    def key(self) -> str:
        return self._key or (self.folder / ".workflow-studio/dev/api-key").read_text()

    @contextlib.contextmanager
    def client(self) -> Iterator[ComputeClient]:
        with ComputeClient(self.worker_url, self.key) as client:
            yield client

    def close(self) -> None:
        """Kill it; what it said last is told with a test that failed."""
        super().close()
        self.read_available()
        for line in self.seen[-_TOLD:]:
            sys.stderr.write(f"{line}\n")

    # The app ---------------------------------------------------------------------------------------------------------

    def page(self) -> str:
        """Return what the route says of itself."""
        answer = httpx.get(f"{self.app_url}/api/dev", timeout=60)
        return answer.text if answer.status_code == 200 else ""

    def begin(self, workflow: str, *arguments: object) -> dict[str, Any]:
        """Start a run by the app's route; return its answer. A server that just loads its code anew is asked again."""

        def post() -> dict[str, Any] | None:
            answer = httpx.post(f"{self.app_url}/api/dev", json={"workflow": workflow, "args": arguments}, timeout=60)
            return answer.json() if answer.status_code == 200 else None

        found: dict[str, Any] = wait_until(post, what=f"the start of {workflow}")
        return found

    def result(self, run_id: str) -> Any:
        with self.client() as client:
            run: Run = client.wait_for_run(run_id, within=60)
        assert run.status == "completed", run
        return run.output

    def greeted(self, who: str = "ada") -> str:
        """Return the result of a run that the app's route starts."""
        return str(self.result(self.begin("loop", who)["runId"]))

    # The session -----------------------------------------------------------------------------------------------------

    def processes(self) -> set[int]:
        return set(descendants(self.process.pid))

    def builds(self, start: int) -> list[Line]:
        """Return the builds since so many lines were seen."""
        self.read_available()
        return [line for line in self.seen[start:] if line["type"] == "build_started"]

    def deployed(self) -> str:
        """Wait for the next deployment."""
        return str(self.wait_for(lambda line: line["type"] == "deployed" and not line["unchanged"])["deploymentId"])

    def interrupt(self) -> int:
        """Press Ctrl-C; return the status."""
        self.process.send_signal(signal.SIGINT)
        return self.ended(seconds=30)


def edit(file: Path, before: str, after: str) -> None:
    """Change a text in a file as editors do: a new file takes the place of the old one."""
    text = file.read_text()
    assert text.count(before) >= 1, f"{before!r} is not in {file}"
    save(file, text.replace(before, after))


def save(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.swp")
    temporary.write_text(text)
    temporary.replace(file)


def gone(pids: set[int]) -> bool:
    """Whether none of the processes lives."""
    return not any(lives(pid) for pid in pids)


def pid_of(pids: set[int], word: str) -> int:
    """Return the process whose command line holds a word, and that is the last to do so."""
    found = [pid for pid in pids if word in _command(pid) and "keeper.py" not in _command(pid)]
    assert found, f"no process with {word}"
    return max(found)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
