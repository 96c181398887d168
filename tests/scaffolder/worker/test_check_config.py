"""``studio worker check-config``: what the worker says of its settings, for people and for programs."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.node

COMMAND = "`openssl rand -base64 32`"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("NODE_ENV", "PORT", "WORKFLOW_COMPUTE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "production.env").write_text(
        "WORKFLOW_STUDIO_WORKER_PUBLIC_URL=https://worker.test\n"
        f"WORKFLOW_STUDIO_WORKER_MASTER_KEY={base64.b64encode(b'k' * 32).decode()}\n"
    )
    return tmp_path


def check(capsys: Capture, *arguments: str) -> tuple[int, list[str]]:
    code = main(["worker", "check-config", "--port", "0", *arguments])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out.splitlines()


def test_valid(folder: Path, capsys: Capture) -> None:
    assert check(capsys, "--settings", "production.env") == (0, ["The settings are valid."])
    assert [path.name for path in folder.iterdir()] == ["production.env"], "nothing is made"


def test_valid_with_warnings(capsys: Capture) -> None:
    code, out = check(capsys)
    assert code == 2
    assert out == [
        "[WARN] no_public_url: There is no PUBLIC_URL: webhook addresses lead to localhost.",
        "       Set WORKFLOW_STUDIO_WORKER_PUBLIC_URL=https://….",
        "[WARN] no_master_key: There is no MASTER_KEY: payloads are kept as they are.",
        f"       Set WORKFLOW_STUDIO_WORKER_MASTER_KEY to what {COMMAND} prints, and keep it apart from the data.",
        "The settings are valid, with 2 warnings.",
    ]


def test_invalid(folder: Path, capsys: Capture) -> None:
    (folder / "app.env").write_text("A=1\nno sense\n")
    code, out = check(capsys, "--settings", "production.env", "--env-file", "app.env")
    assert code == 1
    assert out == [
        "[FAIL] invalid_env_file: app.env:2 is wrong.",
        "       Write one NAME=value a line; put a value with spaces, quotes or # in single quotes.",
        "A worker with these settings does not start.",
    ]


def test_a_program_gets_the_workers_own_document(capsys: Capture) -> None:
    assert main(["worker", "check-config", "--port", "0", "--host", "0.0.0.0", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["status"]) == (True, "warnings")
    assert [finding["code"] for finding in document["findings"]] == ["plain_http", "no_public_url", "no_master_key"]
    assert document["settings"]["host"] == "0.0.0.0"


def test_a_node_that_cannot_be_found_is_a_finding_beside_the_others(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_NODE", "/nonexistent/node")
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out = check(capsys, "--node", "/nonexistent/node")
    assert code == 1
    assert out[0].startswith("[FAIL] node_not_found: ")
    assert any("no_master_key" in line for line in out)
