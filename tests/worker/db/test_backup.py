"""Backups: what is in them, what is refused, and what a command leaves that is killed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.worker.engine.conftest import Clock
from workflow_studio.worker.db.__main__ import main
from workflow_studio.worker.db.backup import folder as files
from workflow_studio.worker.db.backup import taking
from workflow_studio.worker.db.backup.postgres import _without_password
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.object_rows import refer
from workflow_studio.worker.engine.objects import digest_of
from workflow_studio.worker.objects import LocalObjects
from workflow_studio.worker.store import Database

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

MASTER_KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="


class Service:
    """A service whose database is open, as a worker has it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.database = Database.open(data / "worker.db")
        self.engine = Engine(self.database, clock=Clock(), objects=LocalObjects(data / "objects"))

    async def keep(self, content: bytes) -> str:
        """Store an object that something refers to; return the end of its name."""
        stored = await self.engine.objects.keep({digest_of(content): content})
        await self.database.write(lambda transaction: refer(transaction, "dep_1", stored.values()))
        return digest_of(content)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
async def service(folder: Path):
    (folder / "data").mkdir()
    made = Service(folder / "data")
    await made.engine.identity()
    await made.keep(b"one")
    yield made
    await made.database.close()


def run(capsys: Capture, command: str, data: str = "data", *more: str, expect: int = 0) -> dict:
    capsys.readouterr()
    assert main([command, "backup", "--data-dir", data, *more]) == expect
    document: dict = json.loads(capsys.readouterr().out.splitlines()[-1])
    return document.get("error", document)


def objects_in(place: Path) -> dict[str, bytes]:
    return {path.name.partition("_")[0]: path.read_bytes() for path in place.rglob("*") if path.is_file()}


async def test_all_of_a_service_comes_back(service, folder, capsys):
    told = run(capsys, "backup")
    assert (told["objects"], told["copiedObjects"], told["missingObjects"], told["replaced"]) == (1, 1, [], False)
    with closing(sqlite3.connect(service.data / "worker.db")) as original:
        wanted = list(original.iterdump())
    run(capsys, "restore", "new")
    with closing(sqlite3.connect(folder / "new/worker.db")) as restored:
        assert list(restored.iterdump()) == wanted
    assert objects_in(folder / "new/objects") == {digest_of(b"one"): b"one"}
    back = Service(folder / "new")
    try:
        assert await back.engine.identity() == await service.engine.identity()
    finally:
        await back.database.close()


async def test_the_next_backup_copies_what_is_new_and_drops_what_is_gone(service, folder, capsys):
    run(capsys, "backup")
    await service.keep(b"two")
    await service.database.write(
        lambda transaction: transaction.connection.exec_driver_sql(
            f"DELETE FROM object_refs WHERE digest = '{digest_of(b'one')}'"
        )
    )
    await service.database.write(
        lambda transaction: transaction.connection.exec_driver_sql(
            f"DELETE FROM objects WHERE digest = '{digest_of(b'one')}'"
        )
    )
    told = run(capsys, "backup")
    assert (told["objects"], told["copiedObjects"], told["replaced"]) == (1, 1, True)
    assert objects_in(folder / "backup/objects") == {digest_of(b"two"): b"two"}
    assert len(list((folder / "backup").glob("database-*"))) == 1


async def test_an_object_that_retention_deletes_during_the_backup_is_in_it(service, folder, capsys, monkeypatch):
    copy_database = taking.snapshot.take

    def and_delete(*arguments):
        copy_database(*arguments)
        (path,) = (path for path in (service.data / "objects").rglob("*") if path.is_file())
        path.unlink()

    monkeypatch.setattr(taking.snapshot, "take", and_delete)
    assert run(capsys, "backup")["missingObjects"] == []
    assert objects_in(folder / "backup/objects") == {digest_of(b"one"): b"one"}


async def test_objects_that_the_service_has_lost_are_told(service, folder, capsys):
    (path,) = (path for path in (service.data / "objects").rglob("*") if path.is_file())
    path.write_bytes(b"other")
    told = run(capsys, "backup", expect=2)
    assert [name.rpartition("/")[2] for name in told["missingObjects"]] == [path.name]
    assert run(capsys, "restore", "new")["missingObjects"] == told["missingObjects"]


async def test_what_is_damaged_in_the_backup_is_copied_anew_or_refused(service, folder, capsys):
    run(capsys, "backup")
    (path,) = (path for path in (folder / "backup/objects").rglob("*") if path.is_file())
    path.write_bytes(b"rot")
    refused = run(capsys, "restore", "new", expect=1)
    assert refused["code"] == "backup_damaged"
    assert path.name in refused["message"]
    assert not (folder / "new").exists()
    assert run(capsys, "backup")["copiedObjects"] == 1
    (database,) = (folder / "backup").glob("database-*")
    database.write_bytes(database.read_bytes()[:-1])
    assert run(capsys, "restore", "new", expect=1)["code"] == "backup_damaged"


async def test_keys_are_in_it_only_when_they_are_asked_for(service, folder, capsys, monkeypatch):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_MASTER_KEY", MASTER_KEY)
    (service.data / "variables-key").write_bytes(b"secret")
    assert run(capsys, "backup")["keys"] == []
    assert not (folder / "backup/keys").exists()
    assert run(capsys, "backup", "data", "--include-keys")["keys"] == ["variables-key", "master-key"]
    assert (folder / "backup/keys/master-key").stat().st_mode & 0o077 == 0
    told = run(capsys, "restore", "new")
    assert told["masterKey"] == str(folder / "backup/keys/master-key")
    assert (folder / "new/variables-key").read_bytes() == b"secret"
    assert not (folder / "new/master-key").exists()


async def test_nothing_is_replaced(service, folder, capsys):
    run(capsys, "backup")
    assert run(capsys, "restore", expect=1)["code"] == "backup_refused"
    (folder / "new").mkdir()
    (folder / "new/worker.db-wal").touch()
    assert run(capsys, "restore", "new", expect=1)["code"] == "backup_refused"
    (folder / "backup").rename(folder / "earlier")
    (folder / "backup/objects").mkdir(parents=True)
    (folder / "backup/objects/mine").touch()
    assert "no backup.json" in run(capsys, "restore", "other", expect=1)["message"]
    assert "not empty" in run(capsys, "backup", expect=1)["message"]
    assert (folder / "backup/objects/mine").exists()


async def test_a_folder_is_one_services(service, folder, capsys):
    run(capsys, "backup")
    other = Service(folder / "other")
    await other.engine.identity()
    assert "another service" in run(capsys, "backup", "other", expect=1)["message"]
    await other.database.close()


async def test_a_backup_that_ends_anywhere_leaves_the_one_before(service, folder, capsys, monkeypatch):
    run(capsys, "backup")
    await service.keep(b"two")

    class KilledError(BaseException):
        """In the place of ``kill -9``."""

    def killed(*_, **__):
        raise KilledError

    for module, name in ((files.os, "fsync"), (taking.snapshot, "check"), (taking, "write_record"), (taking, "_tidy")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, killed)
            with pytest.raises(KilledError):
                run(capsys, "backup")
        told = run(capsys, "restore", f"after-{name}")
        assert told["objects"] == (2 if name == "_tidy" else 1)
    assert run(capsys, "backup")["objects"] == 2
    assert {path.name for path in (folder / "backup").iterdir()} - {".backup.lock", "objects", "backup.json"} == {
        path.name for path in (folder / "backup").glob("database-*.db")
    }


async def test_a_restore_that_is_interrupted_leaves_no_database_and_is_run_again(service, folder, capsys, monkeypatch):
    run(capsys, "backup")
    with monkeypatch.context() as patched:
        patched.setattr("workflow_studio.worker.db.backup.restoring._copy_database", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(capsys, "restore", "new")
    assert not (folder / "new/worker.db").exists()
    assert run(capsys, "restore", "new")["objects"] == 1


def test_without_a_database_there_is_nothing_to_back_up(folder, capsys):
    assert "no database" in run(capsys, "backup", expect=1)["message"]
    assert not (folder / "backup").exists()


class TestPostgres:
    @pytest.fixture
    async def url(self, postgres_place):
        database = postgres_place.open()
        await Engine(database).identity()
        await database.close()
        return postgres_place.location

    def test_without_its_programs_it_is_said_what_to_run(self, url, capsys, monkeypatch):
        monkeypatch.setenv("PATH", "")
        refused = run(capsys, "backup", "data", "--database-url", url, expect=1)
        assert refused["code"] == "tool_missing"
        assert "pg_dump --format=custom" in refused["hint"]

    def test_a_service_is_not_restored_over_another_nor_elsewhere(self, url, folder, capsys):
        files.make_folder(folder / "backup")
        about = {"database_id": "db_1", "revision": "0001", "taken_at": 1, "file": "database-1.dump", "size": 0}
        record = files.Record(**about, database="postgresql", sha256="", objects=None, encrypted=False)
        files.write_record(folder / "backup", record)
        refused = run(capsys, "restore", "data", "--database-url", url, expect=1)
        assert refused["code"] == "backup_refused"
        assert "studio db copy" in run(capsys, "restore", "data", expect=1)["hint"]


def test_a_password_is_no_part_of_a_command_line():
    assert _without_password("postgres://me:hu%2Fsh@db/x?sslmode=require") == (
        "postgresql://me@db/x?sslmode=require",
        "hu/sh",
    )
    assert _without_password("postgresql://me@/x?host=/run&password=hush")[1] == "hush"
