"""``studio db``: what the worker's code says, shown to a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.newer_schema import old_database
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.db.place import readable
from workflow_studio.worker.store._migrate import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", raising=False)
    return tmp_path


def run(capsys: Capture, *arguments: str, expect: int = 0) -> list[str]:
    code = main(["db", *arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (expect, "")
    return out.splitlines()


def test_an_old_database_is_found_upgraded_and_found_to_be_new(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", "0003")
    title = "How much of its output a run has printed, beside how much of it is kept."
    assert run(capsys, "check", "--data-dir", "data", expect=4)[:2] == [
        f"The database has the schema 0003; the newest is {HEAD}.",
        f"  0004  {title} (with all workers stopped)",
    ]
    assert run(capsys, "upgrade", "--data-dir", "data")[:2] == [
        f"The database has the schema {HEAD}, the newest.",
        f"Applied 0004: {title}",
    ]
    document = json.loads("\n".join(run(capsys, "check", "--data-dir", "data", "--json")))
    assert document["status"] == "current"


def test_a_copy_tells_how_far_it_is_and_what_to_bring(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", HEAD)
    (folder / "data/variables-key").touch()
    assert main(["db", "copy", "sqlite:///data/worker.db", "new.db"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "0 runs are in the target and verified; 0 were copied now."
    assert f"  {folder / 'data/variables-key'}" in out.splitlines()
    assert [line.partition(":")[0] for line in err.splitlines() if "done" in line] == [
        "Copying runs",
        "Copying the rest",
        "Verifying runs",
    ]


def test_a_backup_is_taken_and_put_back(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", HEAD)
    assert main(["db", "backup", "kept", "--data-dir", "data"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith(f"The backup is in {folder / 'kept'}; its database has ")
    assert out.splitlines()[1:] == ["Objects: 0, 0 of them copied now."]
    assert "Copying the database: done" in err
    assert main(["db", "restore", "kept", "--data-dir", "new", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["dataDir"], document["keys"], document["masterKey"]) == (str(folder / "new"), [], None)
    assert main(["db", "restore", "kept", "--data-dir", "new", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "backup_refused"


def test_a_refusal_of_the_worker_is_an_error_with_its_code(capsys: Capture) -> None:
    assert main(["db", "check", "--database-url", "mysql://me:hush@here", "--json"]) == 2
    answer = capsys.readouterr().out
    assert json.loads(answer)["error"]["code"] == "invalid_settings"
    assert "hush" not in answer


def test_the_size_is_told_in_a_table_and_a_few_sentences(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", "0005")
    run(capsys, "upgrade", "--data-dir", "data")
    lines = run(capsys, "size", "--data-dir", "data")
    assert lines[0].split() == ["TABLE", "ROWS", "SIZE"]
    assert lines[-2:] == [
        "Objects: 0 with 0 bytes, 0 of them unused.",
        "Retention would delete 0 runs, the output of 0 and the chunks of 0 streams.",
    ]
    document = json.loads("\n".join(run(capsys, "size", "--data-dir", "data", "--json")))
    assert document["bytes"] > 0


@pytest.mark.parametrize(
    ("number", "text"), [(None, "-"), (999, "999 bytes"), (1000, "1.0 KB"), (1_234_567, "1.2 MB"), (5e15, "5,000.0 TB")]
)
def test_bytes_are_told_in_a_unit(number: int | None, text: str) -> None:
    assert readable(number) == text


def test_a_master_key_is_forgotten_when_that_is_confirmed(folder: Path, capsys: Capture) -> None:
    old_database(folder / "data/worker.db", HEAD)
    assert main(["db", "forget-key", "--data-dir", "data"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(capsys, "forget-key", "--data-dir", "data", "--yes") == ["There was no master key to forget."]
