"""Grouped writes, snapshot reads, the lock and crashes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from workflow_studio.worker.store import Database, StoreError, StoreLockedError, _sqlite
from workflow_studio.worker.store.tables import settings


@pytest.fixture
async def database(place):
    opened = place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def file_database(tmp_path):
    """Return a database in a file, for what holds for files only."""
    opened = Database.open(tmp_path / "data" / "worker.db")
    yield opened
    await opened.close()


def put(key, value="x"):
    return lambda transaction: transaction.execute(insert(settings), {"key": key, "value": value})


async def keys(database):
    query = select(settings.c.key).where(settings.c.key != "database_owner")
    return await database.read(lambda connection: set(connection.execute(query).scalars()))


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


async def test_a_failing_write_is_undone_alone_and_its_neighbours_commit(file_database):
    with busy_writer(file_database):
        await asyncio.sleep(0.01)
        writes = [asyncio.ensure_future(file_database.write(put(f"k{number}"))) for number in range(5)]

        def half_way(transaction):
            put("half")(transaction)
            raise ZeroDivisionError

        broken = asyncio.ensure_future(file_database.write(half_way))
        repeated = asyncio.ensure_future(file_database.write(put("k0")))
        last = asyncio.ensure_future(file_database.write(put("last")))
        await asyncio.sleep(0.01)
    await asyncio.gather(*writes, last)
    with pytest.raises(ZeroDivisionError):
        await broken
    with pytest.raises(IntegrityError):
        await repeated
    assert await keys(file_database) == {"k0", "k1", "k2", "k3", "k4", "last"}


async def test_a_failing_write_is_undone(database):
    def half_way(transaction):
        put("half")(transaction)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(half_way)
    await database.write(put("whole"))
    with pytest.raises(IntegrityError):
        await database.write(put("whole"))
    assert await keys(database) == {"whole"}


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


async def test_a_cancelled_caller_does_not_undo_the_write(database, place):
    begun, go_on = threading.Event(), threading.Event()

    def slow(transaction):
        begun.set()
        assert go_on.wait(10)
        put("kept")(transaction)

    write = asyncio.ensure_future(database.write(slow))
    assert await asyncio.to_thread(begun.wait, 10)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    go_on.set()
    await database.close()
    reopened = place.open()
    assert await keys(reopened) == {"kept"}
    await reopened.close()


async def test_all_reads_of_one_call_see_one_state(database):
    first_done, written = threading.Event(), threading.Event()

    def look_twice(connection):
        query = select(settings.c.key).where(settings.c.key == "new")
        before = connection.execute(query).all()
        first_done.set()
        assert written.wait(5)
        return before, connection.execute(query).all()

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


async def test_foreign_keys_wal_and_full_synchronous_are_on(file_database):
    def pragmas(connection):
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous")
        ]

    assert await file_database.read(pragmas) == [1, "wal", 2]


async def test_a_second_worker_is_told_that_a_file_is_in_use_and_takes_part_in_a_database_server(database, place):
    if database.is_shared:
        second = place.open()
        await second.write(put("of-the-second"))
        await second.close()
        assert await keys(database) == {"of-the-second"}
        return
    with pytest.raises(StoreLockedError, match="Another worker is using the") as refusal:
        place.open()
    assert "of its own" in refusal.value.recovery
    await database.write(put("k"))


async def test_closing_lets_the_next_worker_in_and_refuses_further_work(place):
    first = place.open()
    await first.write(put("kept"))
    await first.close()
    await first.close()
    with pytest.raises(StoreError, match="closed"):
        await first.write(put("late"))
    with pytest.raises(StoreError, match="closed"):
        await first.read(lambda _: None)
    second = place.open()
    assert await keys(second) == {"kept"}
    await second.close()


async def test_a_url_names_a_file(tmp_path):
    await Database.open(f"sqlite:///{tmp_path / 'worker.db'}").close()
    assert (tmp_path / "worker.db").exists()


async def test_what_was_acknowledged_survives_a_crash(database, place):
    await asyncio.gather(*(database.write(put(f"k{number}")) for number in range(200)))
    reopened = place.crash()
    assert len(await keys(reopened)) == 200
    await reopened.close()


async def test_the_database_file_is_readable_by_its_owner_only(file_database, tmp_path):
    await file_database.write(put("k"))
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


async def test_a_lost_commit_fails_every_caller_and_the_writer_goes_on(file_database, monkeypatch):
    commit = _sqlite.commit

    def failing(connection):
        monkeypatch.setattr(_sqlite, "commit", commit)
        raise OSError("disk full")

    monkeypatch.setattr(_sqlite, "commit", failing)
    with pytest.raises(StoreError, match="disk full"):
        await file_database.write(put("lost"))
    await file_database.write(put("kept"))
    assert await keys(file_database) == {"kept"}


async def test_a_database_that_fails_is_a_store_error_for_reads_and_writes(database):
    def failing(session):
        (session.connection if hasattr(session, "after_commit") else session).exec_driver_sql("SELECT * FROM nowhere")

    for method in (database.write, database.read):
        with pytest.raises(StoreError, match=r"no such table|does not exist") as refusal:
            await method(failing)
        assert refusal.value.recovery.startswith("Check the ")
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
