"""A worker that lives as long as a block, a command or a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar, Self

import httpx
import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.errors import StudioError
from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker, WorkerFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]

STUDIO = Path(sys.executable).parent / "studio"
HOLD = """
import sys
from pathlib import Path
from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker
with ThrowawayWorker(Path(sys.argv[1]), artifact=Path(sys.argv[2])) as worker:
    print(worker.url, flush=True)
    sys.stdin.read()
"""


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/health", timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary folders made where they can be seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def test_it_has_the_apps_workflows_and_leaves_nothing_behind(
    shop: Path, artifact: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the key of another worker")
    with ThrowawayWorker(shop, artifact=artifact) as worker:
        assert answers(worker.url)
        assert "workflow//./workflows/approval//approval" in worker.workflows
        assert worker.environment["WORKFLOW_COMPUTE_BASE_URL"] == worker.url
        with worker.client() as client:
            assert client.get_active_deployment().deployment_id == worker.deployment.deployment_id
        assert [entry.name.startswith("workflow-studio-test-") for entry in temporary.iterdir()] == [True]
    assert not answers(worker.url)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_worker_that_cannot_start_says_why(shop: Path, artifact: Path, temporary: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerFailedError) as failure,
        ThrowawayWorker(shop, artifact=artifact, env_file=tmp_path / "missing"),
    ):
        pass
    assert failure.value.message.startswith("The worker ended (exit status 1) before its first answer.")
    assert "missing" in (failure.value.hint or "")
    assert list(temporary.iterdir()) == []


def test_an_app_that_cannot_be_built_leaves_nothing_either(temporary: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text('{"dependencies": {"workflow": "4.8.9"}}')
    with pytest.raises(StudioError) as failure, ThrowawayWorker(app):
        pass
    assert failure.value.code == "sdk_not_installed"
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_of_a_process_that_is_killed(
    shop: Path, artifact: Path, temporary: Path, wait_for: Callable[[Callable[[], object]], None]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, shop, artifact],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert answers(url)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not list(temporary.iterdir()))
    assert not answers(url)


def test_the_command_runs_until_its_input_ends(shop: Path, temporary: Path) -> None:
    process = subprocess.Popen(
        [STUDIO, "test-worker", "-C", shop, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, process.communicate()
        text += line
    document = json.loads(text)
    assert document["ok"]
    assert answers(document["url"])
    assert document["environment"]["WORKFLOW_COMPUTE_API_KEY"] == document["apiKey"]
    assert "workflow//./workflows/more//racing" in document["workflows"]
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert not answers(document["url"])
    assert list(temporary.iterdir()) == []


def test_the_command_ends_well_at_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Worker:
        environment: ClassVar = {"WORKFLOW_COMPUTE_BASE_URL": "http://127.0.0.1:1"}

        def __init__(self, *_: object, **__: object) -> None:
            self.url = self.api_key = "x"
            self.deployment = SimpleNamespace(deployment_id="dep_1")
            self.workflows = ()

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            stopped.append(self)

        def wait_until(self, _: object) -> None:
            signal.raise_signal(signal.SIGINT)

    stopped: list[Worker] = []
    monkeypatch.setattr("workflow_studio.scaffolder.testing.command.ThrowawayWorker", Worker)
    assert main(["test-worker"]) == 0
    assert len(stopped) == 1
    out, err = capsys.readouterr()
    assert out == "WORKFLOW_COMPUTE_BASE_URL=http://127.0.0.1:1\n"
    assert err.splitlines()[-1] == "Stopping the worker."
