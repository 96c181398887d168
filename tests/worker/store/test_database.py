"""Grouped writes, snapshot reads, the lock and crashes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from workflow_studio.worker.store import Database, StoreError, StoreLockedError, _sqlite
from workflow_studio.worker.store.tables import settings


@pytest.fixture
async def database(tmp_path):
    opened = Database.open(tmp_path / "data" / "worker.db")
    yield opened
    await opened.close()


def put(key, value="x"):
    return lambda transaction: transaction.execute(insert(settings), {"key": key, "value": value})


async def keys(database):
    return await database.read(lambda connection: set(connection.execute(select(settings.c.key)).scalars()))


@contextlib.contextmanager
def busy_writer(database):
    """Hold the writer, so that what is written meanwhile ends up in one commit."""
    release = threading.Event()
    holder = asyncio.ensure_future(database.write(lambda _: release.wait(10)))
    try:
        yield
    finally:
        release.set()
        assert holder is not None


async def test_a_failing_write_is_undone_alone_and_its_neighbours_commit(database):
    with busy_writer(database):
        await asyncio.sleep(0.01)
        writes = [asyncio.ensure_future(database.write(put(f"k{number}"))) for number in range(5)]

        def half_way(transaction):
            put("half")(transaction)
            raise ZeroDivisionError

        broken = asyncio.ensure_future(database.write(half_way))
        repeated = asyncio.ensure_future(database.write(put("k0")))
        last = asyncio.ensure_future(database.write(put("last")))
        await asyncio.sleep(0.01)
    await asyncio.gather(*writes, last)
    with pytest.raises(ZeroDivisionError):
        await broken
    with pytest.raises(IntegrityError):
        await repeated
    assert await keys(database) == {"k0", "k1", "k2", "k3", "k4", "last"}


async def test_waiting_writes_share_a_commit_and_resolve_after_it(database):
    seen_by_reader = []

    async def write_then_look(number):
        await database.write(put(f"k{number:02d}"))
        seen_by_reader.append(f"k{number:02d}" in await keys(database))

    await asyncio.gather(*(write_then_look(number) for number in range(50)))
    assert seen_by_reader == [True] * 50


async def test_after_commit_callbacks_run_on_the_loop_and_only_for_what_was_committed(database):
    loop_thread = threading.get_ident()
    called = []

    def good(transaction):
        transaction.after_commit(lambda: called.append(threading.get_ident()))

    def bad(transaction):
        transaction.after_commit(lambda: called.append("undone"))
        raise ValueError("undo me")

    await database.write(good)
    with pytest.raises(ValueError, match="undo me"):
        await database.write(bad)
    assert called == [loop_thread]


async def test_a_broken_callback_does_not_keep_its_caller_or_others_waiting(database, caplog):
    def work(transaction):
        transaction.after_commit(lambda: 1 / 0)
        return "done"

    assert await database.write(work) == "done"
    assert "after-commit callback failed" in caplog.text


async def test_a_cancelled_caller_does_not_undo_the_write(database):
    with busy_writer(database):
        await asyncio.sleep(0.01)
        write = asyncio.ensure_future(database.write(put("kept")))
        await asyncio.sleep(0.01)
        write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    await database.write(put("next"))
    assert await keys(database) == {"kept", "next"}


async def test_all_reads_of_one_call_see_one_state(database):
    first_done, written = threading.Event(), threading.Event()

    def look_twice(connection):
        before = connection.execute(select(settings.c.key)).all()
        first_done.set()
        assert written.wait(5)
        return before, connection.execute(select(settings.c.key)).all()

    reading = asyncio.ensure_future(database.read(look_twice))
    await asyncio.to_thread(first_done.wait, 5)
    await database.write(put("new"))
    written.set()
    assert await reading == ([], [])
    assert await keys(database) == {"new"}


async def test_a_failed_read_leaves_a_usable_connection(database):
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            await database.read(lambda _: 1 / 0)
    assert await keys(database) == set()


async def test_foreign_keys_wal_and_full_synchronous_are_on(database):
    def pragmas(connection):
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous")
        ]

    assert await database.read(pragmas) == [1, "wal", 2]


async def test_a_second_worker_is_told_that_the_database_is_in_use(database, tmp_path):
    with pytest.raises(StoreLockedError, match="Another worker is using the database") as refusal:
        Database.open(tmp_path / "data" / "worker.db")
    assert "a database file of its own" in refusal.value.recovery


async def test_closing_lets_the_next_worker_in_and_refuses_further_work(tmp_path):
    first = Database.open(tmp_path / "worker.db")
    await first.write(put("kept"))
    await first.close()
    await first.close()
    with pytest.raises(StoreError, match="closed"):
        await first.write(put("late"))
    with pytest.raises(StoreError, match="closed"):
        await first.read(lambda _: None)
    second = Database.open(f"sqlite:///{tmp_path / 'worker.db'}")
    assert await keys(second) == {"kept"}
    await second.close()


async def test_what_was_acknowledged_survives_a_crash(database, tmp_path):
    await asyncio.gather(*(database.write(put(f"k{number}")) for number in range(200)))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    # A copy of the files as they are, nothing closed, nothing checkpointed: what a killed process leaves on the disk.
    for file in (tmp_path / "data").glob("worker.db*"):
        if not file.name.endswith((".lock", "-shm")):
            shutil.copy(file, crashed / file.name)
    reopened = Database.open(crashed / "worker.db")
    assert len(await keys(reopened)) == 200
    await reopened.close()


async def test_the_database_file_is_readable_by_its_owner_only(database, tmp_path):
    await database.write(put("k"))
    assert (tmp_path / "data" / "worker.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / "worker.db-wal").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("location", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "no-such-dialect://x"])
def test_an_unusable_url_is_refused_with_a_hint(location):
    with pytest.raises(StoreError) as refusal:
        Database.open(location)
    assert "sqlite:///path" in refusal.value.recovery


def test_a_folder_that_cannot_be_written_is_refused_with_a_hint(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Database.open(tmp_path / "file" / "worker.db")


async def test_a_lost_commit_fails_every_caller_and_the_writer_goes_on(database, monkeypatch):
    commit = _sqlite.commit

    def failing(connection):
        monkeypatch.setattr(_sqlite, "commit", commit)
        raise OSError("disk full")

    monkeypatch.setattr(_sqlite, "commit", failing)
    with pytest.raises(StoreError, match="disk full"):
        await database.write(put("lost"))
    await database.write(put("kept"))
    assert await keys(database) == {"kept"}


async def test_a_database_that_fails_is_a_store_error_for_reads_and_writes(database):
    def failing(session):
        (session.connection if hasattr(session, "after_commit") else session).exec_driver_sql("SELECT * FROM nowhere")

    for method in (database.write, database.read):
        with pytest.raises(StoreError, match="no such table") as refusal:
            await method(failing)
        assert "disk" in refusal.value.recovery
    await database.write(put("kept"))
    assert await keys(database) == {"kept"}


async def test_a_percent_sign_in_the_path_is_harmless(tmp_path):
    opened = Database.open(Path(tmp_path) / "100%" / "worker.db")
    assert await keys(opened) == set()
    await opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sec%ret@127.0.0.1:1/db",
        "postgresql://u:sec ret@127.0.0.1:1/db",
        "postgresql://u:secret@[::1/db",
        "postgresql://u:secret@127.0.0.1:1/db",
    ],
)
def test_no_error_shows_the_password_of_a_database(url):
    pytest.importorskip("psycopg", reason="it comes with the extra postgres")
    with pytest.raises(StoreError) as caught:
        Database.open(url)
    assert "sec" not in f"{caught.value} {caught.value.recovery} {caught.value.__cause__}"


def test_a_file_that_is_no_database_is_refused_with_a_hint_and_left_alone(tmp_path):
    path = tmp_path / "worker.db"
    path.write_bytes(b"something else" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="file is not a database") as caught:
            Database.open(path)
        assert caught.value.recovery
    assert path.read_bytes() == b"something else" * 1000
