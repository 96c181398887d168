"""The commands ``current``, ``check`` and ``upgrade``, on databases as a worker leaves them."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.newer_schema import old_database
from workflow_studio.worker.db.__main__ import main
from workflow_studio.worker.store import _migrate, _sqlite

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

HEAD = _migrate.HEAD


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path


def run(capsys: Capture, command: str, *arguments: str, expect: int = 0) -> dict[str, Any]:
    assert main([command, "--data-dir", "data", *arguments]) == expect
    (line,) = capsys.readouterr().out.splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def test_where_no_worker_was_there_is_nothing_yet_and_looking_makes_nothing(folder: Path, capsys: Capture) -> None:
    assert run(capsys, "check", expect=4)["status"] == "empty"
    assert list((folder / "data").iterdir()) == []


def test_an_upgrade_of_an_old_database_says_what_it_did(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", "0003")
    told = run(capsys, "check", expect=4)
    assert (told["status"], told["schema"], told["serves"], told["knows"]) == ("outdated", "0003", "0002", HEAD)
    assert told["pending"][0] == {
        "revision": "0004",
        "title": "How much of its output a run has printed, beside how much of it is kept.",
        "additive": False,
    }
    done = run(capsys, "upgrade")
    assert (done["status"], done["from"], done["applied"]) == ("current", "0003", told["pending"])
    assert run(capsys, "check")["status"] == "current"
    assert run(capsys, "upgrade")["applied"] == []


def test_a_dry_run_prints_sql_and_does_nothing(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", "0004")
    assert "CREATE TABLE environments (" in run(capsys, "upgrade", "--dry-run")["sql"]
    assert run(capsys, "current")["schema"] == "0004"
    run(capsys, "upgrade")
    assert run(capsys, "upgrade", "--dry-run")["sql"] == ""


def test_a_newer_schema_that_this_version_cannot_use(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", HEAD)
    with sqlite3.connect(folder / "data/worker.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
    connection.close()
    assert run(capsys, "current")["status"] == "newer"
    with sqlite3.connect(folder / "data/worker.db") as connection:
        connection.execute("UPDATE schema_serves SET revision = '9000'")
    connection.close()
    assert run(capsys, "current")["status"] == "refused"
    assert run(capsys, "check", expect=1)["error"] == {
        "code": "database_failed",
        "message": f"The database has the schema 9000, which this worker does not know: it knows {HEAD}.",
        "hint": "Run the worker version that wrote it, or a newer one.",
    }


def test_a_running_worker_keeps_an_upgrade_out(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", "0004")
    lock = _sqlite.lock(folder / "data/worker.db")
    try:
        assert run(capsys, "current")["inUse"] is True
        assert run(capsys, "upgrade", expect=1)["error"]["code"] == "database_in_use"
    finally:
        lock.release()


def test_a_password_is_in_no_message(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["check", "--database-url", "postgresql://me:hush@127.0.0.1:1/x"]) == 1
    assert "hush" not in "".join(capsys.readouterr())


def test_settings_that_are_wrong(capsys: Capture) -> None:
    assert main(["check", "--database-url", "mysql://here"]) == 2
    assert "must be postgresql://user@host/database" in capsys.readouterr().out
