"""What functions print, on the real SDK: each line once, at its own step and attempt, whatever is replayed."""

from __future__ import annotations

import base64
import secrets
import shutil
import uuid
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support import Worker, run, studio, upload, wait_until
from workflow_studio.client import ComputeClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CODE = Path(__file__).parent / "printing" / "printing.ts"
MARK = "plum-blossom"
KEPT = 10_000
"""Lines that are kept of a run by default."""


@pytest.fixture(scope="module")
def printing(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared app whose artifact has the functions that print; nothing serves it."""
    directory = tmp_path_factory.mktemp("printing") / "app"
    prepared = prepared_app("nitro")
    built = {"node_modules", ".output", ".workflow-studio", ".swc", ".nitro"}
    shutil.copytree(prepared, directory, symlinks=True, ignore=lambda *_: built)
    run("cp", "-al", prepared / "node_modules", directory / "node_modules", cwd=directory)
    shutil.copy(CODE, directory / "workflows" / CODE.name)
    studio("build", cwd=directory)
    return directory


@pytest.fixture(scope="module")
def worker(printing: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    server = Worker(tmp_path_factory.mktemp("worker"))
    server.start()
    try:
        upload(printing, server)
        yield server
    finally:
        server.close()


def begin(worker: Worker, workflow: str, *arguments: object) -> str:
    answer = worker.http.post(
        "/v1/runs",
        headers={"idempotency-key": str(uuid.uuid4())},
        json={"workflowName": f"workflow//./workflows/printing//{workflow}", "input": arguments},
    )
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["runId"]
    return run_id


def printed(worker: Worker, run_id: str, **query: str) -> list[dict[str, Any]]:
    """Return everything that a run has printed."""
    lines: list[dict[str, Any]] = []
    cursor = "0"
    while True:
        page = worker.get(f"/v1/runs/{run_id}/output", limit="1000", cursor=cursor, **query)
        lines += page["data"]
        cursor = page["cursor"]
        if not page["hasMore"]:
            return lines


def done(worker: Worker, workflow: str, *arguments: object) -> str:
    run_id = begin(worker, workflow, *arguments)
    finished = worker.finished(run_id)
    assert finished["status"] == "completed", finished
    return run_id


def test_lines_of_steps_side_by_side_are_at_their_own_steps(worker: Worker) -> None:
    names = [f"step {letter}" for letter in "abcde"]
    run_id = done(worker, "sideBySide", names)
    at_the_end = printed(worker, run_id)
    own = [line["text"] for line in at_the_end if "stepId" not in line]
    assert own == [f"begins with [ {', '.join(map(repr, names))} ]", "ends"]
    steps = {line["stepId"] for line in at_the_end if "stepId" in line}
    assert len(steps) == len(names)
    spans = []
    for step_id in steps:
        lines = [line for line in at_the_end if line.get("stepId") == step_id and line["level"] == "info"]
        name = lines[0]["text"].rpartition(" ")[0]
        assert [line["text"] for line in lines] == [f"{name} {turn}" for turn in range(20)]
        assert {line["stepName"].rpartition("//")[2] for line in lines} == {"chat"}
        times = [datetime.fromisoformat(line["at"]) for line in lines]
        assert times == sorted(times)
        spans.append((times[0], times[-1]))
        wait_until(
            lambda step_id=step_id, name=name: (
                [line["text"] for line in printed(worker, run_id, stepId=step_id) if line["level"] == "debug"]
                == [f"{name} is over"]
            ),
            what="what the step left behind",
        )
    assert max(begin for begin, _ in spans) <= min(end for _, end in spans), "they were side by side"


def test_each_attempt_has_its_own_lines(worker: Worker) -> None:
    run_id = done(worker, "stubborn")
    lines = [line for line in printed(worker, run_id) if not line["text"].startswith(("[Workflow", " ", "}"))]
    steps = [(line["text"], line["attempt"]) for line in lines if line["text"].startswith("attempt")]
    assert steps == [("attempt 1", 1), ("attempt 2", 2), ("attempt 3", 3)]
    own = [line["text"] for line in lines if "stepId" not in line]
    assert own == ["tries", "did it"]


def test_a_replayed_function_has_each_line_once_and_in_order(worker: Worker) -> None:
    run_id = done(worker, "talkative")
    replays = sum(event["eventType"] in {"step_completed", "wait_completed"} for event in worker.events(run_id))
    assert replays > 5, "it was replayed"
    texts = [line["text"] for line in printed(worker, run_id)]
    expected = ["one: begins", "two: slept", "three: ends"]
    expected += [f"{name}: {turn}" for name in "abc" for turn in ("begins", 0, 1, 2)]
    assert Counter(texts) == Counter(expected)
    assert (texts[0], texts[-1]) == ("one: begins", "three: ends")
    for name in "abc":
        own = [text for text in texts if text.startswith(f"{name}:")]
        assert own == [f"{name}: begins", f"{name}: 0", f"{name}: 1", f"{name}: 2"]


def test_a_flood_is_bounded_and_what_comes_after_it_is_kept(worker: Worker) -> None:
    run_id = done(worker, "flood", 100_000)
    wait_until(lambda: printed(worker, run_id, level="debug")[-1]["text"].endswith("is over"), what="the last line")
    lines = printed(worker, run_id)
    assert len(lines) == KEPT
    poured = [line["text"] for line in lines if line["text"].startswith("line")]
    assert poured[-1] == "line 99999"
    numbers = [int(text.removeprefix("line ")) for text in poured]
    assert numbers == list(range(numbers[0], 100_000)), "the newest, without a gap"
    assert [
        line["text"] for line in lines if line.get("stepName", "").endswith("chat") and line["level"] == "info"
    ] == [f"after the flood {turn}" for turn in range(20)]
    dropped = worker.get(f"/v1/runs/{run_id}/output", limit="1")["dropped"]
    assert dropped >= 100_000 - KEPT
    assert dropped + len(poured) >= 100_000


def test_a_python_program_follows_a_run(worker: Worker) -> None:
    run_id = begin(worker, "sideBySide", ["x", "y"])
    with ComputeClient(worker.url, worker.cli["WORKFLOW_COMPUTE_API_KEY"]) as client:
        texts = [line.text for line in client.follow_run_output(run_id, level="info")]
    assert texts[0].startswith("begins")
    assert texts[-1] == "ends"
    assert len(texts) == 42


def test_what_is_printed_is_in_the_workers_log_too(worker: Worker) -> None:
    done(worker, "secretive")
    assert f"{MARK} in the step" in worker.log.read_text()


def test_with_a_master_key_it_is_unreadable_in_the_data_folder(printing: Path, tmp_path: Path) -> None:
    master_key = base64.b64encode(secrets.token_bytes(32)).decode()
    worker = Worker(tmp_path / "sealed", WORKFLOW_STUDIO_WORKER_MASTER_KEY=master_key)
    worker.start()
    try:
        upload(printing, worker)
        run_id = done(worker, "secretive")
        texts = [line["text"] for line in printed(worker, run_id)]
        assert texts == [f"{MARK} in the workflow function", f"{MARK} in the step"]
    finally:
        worker.close()
    data = tmp_path / "sealed" / "data"
    code = {content for file, content in contents(data) if data / "artifacts" in file.parents}
    files = {file: content for file, content in contents(data) if content not in code}
    assert data / "worker.db" in files
    for file, content in files.items():
        assert MARK.encode() not in content, f"{file.name} has it in clear"


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Return the files below a folder with what is in them."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield file, file.read_bytes()
