"""Writes about the same run share a transaction on PostgreSQL, and statements nobody waits for share a round trip."""

from __future__ import annotations

import asyncio
import threading

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError

from workflow_studio.worker.store import StoreError, tables
from workflow_studio.worker.store._session import Session
from workflow_studio.worker.store.statements import Statement, insert_row
from workflow_studio.worker.store.tables import settings

KEYS = Statement(select(settings.c.key).where(settings.c.key.like("key_%")).order_by(settings.c.key))
VALUE = Statement(select(settings.c.value).where(settings.c.key == bindparam("named")))
CHANGE = Statement(update(settings).where(settings.c.key == bindparam("named")).values(value=bindparam("new")))


@pytest.fixture
async def database(place_of, tmp_path):
    opened = place_of("postgresql", tmp_path).open()
    await opened.read(lambda connection: list(KEYS.rows(connection)))
    yield opened
    await opened.close()


def put(key, value="x"):
    return lambda transaction: insert_row(transaction.connection, settings, {"key": key, "value": value})


async def keys(database):
    return await database.read(lambda connection: [row["key"] for row in KEYS.rows(connection)])


async def together(database, *works):
    """Begin a write, and others about the same run while it is under way; return what came of the others."""
    has_begun, may_end = threading.Event(), threading.Event()

    def first(_):
        has_begun.set()
        may_end.wait(10)

    begun = asyncio.ensure_future(database.write(first, about="run"))
    await asyncio.to_thread(has_begun.wait, 10)
    others = [asyncio.ensure_future(database.write(work, about="run")) for work in works]
    await asyncio.sleep(0)  # they are submitted by then
    may_end.set()
    await begun
    return await asyncio.gather(*others, return_exceptions=True)


async def test_writes_about_a_run_that_is_written_share_the_next_commit(database):
    commits, writes = database.tally.commits, database.tally.writes
    assert await together(database, put("key_a"), put("key_b"), put("key_c")) == [None, None, None]
    assert await keys(database) == ["key_a", "key_b", "key_c"]
    assert (database.tally.commits - commits, database.tally.writes - writes) == (2, 4)


async def test_writes_about_a_run_that_are_asked_for_in_one_turn_share_a_commit(database):
    commits, writes = database.tally.commits, database.tally.writes
    await asyncio.gather(*(database.write(put(f"key_{n:02}"), about="run") for n in range(50)))
    assert (database.tally.commits - commits, database.tally.writes - writes) == (1, 50)


async def test_a_write_that_is_asked_for_just_before_the_end_is_done_or_refused(place_of, tmp_path):
    for _ in range(20):
        closing = place_of("postgresql", tmp_path).open()
        async with asyncio.timeout(20):
            written, _ = await asyncio.gather(
                closing.write(lambda _: "done", about="run"), closing.close(), return_exceptions=True
            )
        assert written == "done" or isinstance(written, StoreError)


async def test_writes_about_other_runs_do_not_wait_for_each_other(database):
    both_are_in = threading.Barrier(2)
    await asyncio.gather(*(database.write(lambda _: both_are_in.wait(10), about=run) for run in ("run", "other")))


async def test_one_that_fails_undoes_none_that_it_was_together_with(database):
    undone, committed = [], []

    def refused(transaction):
        transaction.when_undone(lambda: undone.append("refused"))
        put("key_b")(transaction)
        raise ValueError("no")

    def told(transaction):
        transaction.after_commit(lambda: committed.append("told"))
        put("key_c")(transaction)

    outcomes = await together(database, put("key_a"), refused, told)
    assert outcomes[0] is outcomes[2] is None
    assert isinstance(outcomes[1], ValueError)
    assert await keys(database) == ["key_a", "key_c"]
    assert committed == ["told"]
    assert "refused" in undone


async def test_what_they_leave_to_be_done_is_done_once_after_the_last_of_them(database):
    finished = []
    database.finish_writes(lambda transaction, _: finished.append(sorted(transaction.due)))

    def leaving(key):
        return lambda transaction: transaction.due.update({key: "step"})

    await together(database, leaving("a"), leaving("b"), lambda _: None)
    assert finished == [["a", "b"]]


async def test_what_is_sent_goes_with_what_is_asked_next(database, monkeypatch):
    trips = []
    flush = Session.flush
    monkeypatch.setattr(Session, "flush", lambda self: trips.append(len(self._kept)) or flush(self))

    def write(transaction):
        put("key_a")(transaction)
        CHANGE.send(transaction.connection, {"named": "key_a", "new": "y"})
        found = [row["key"] for row in KEYS.rows(transaction.connection)]
        put("key_b")(transaction)
        return found

    assert await database.write(write) == ["key_a"]
    assert len(trips) == 2, "with the question, and with the commit"


async def test_what_is_asked_ahead_comes_with_what_is_asked_first(database, monkeypatch):
    await database.write(lambda transaction: (put("key_a")(transaction), put("key_b")(transaction)))
    trips = []
    flush = Session.flush
    monkeypatch.setattr(Session, "flush", lambda self: trips.append(len(self._kept)) or flush(self))

    def ahead(transaction):
        for key in ("key_a", "key_b", "key_c"):
            transaction.ask_ahead(VALUE, {"named": key})

    def work(transaction):
        return [VALUE.scalar(transaction.connection, {"named": key}) for key in ("key_b", "key_c", "key_a")]

    assert await database.write(work, ahead=ahead) == ["x", None, "x"]
    assert len(trips) == 1


async def test_what_is_asked_ahead_is_answered_once_and_then_anew(database):
    await database.write(put("key_a"))

    def work(transaction):
        transaction.ask_ahead(VALUE, {"named": "key_a"})
        CHANGE.send(transaction.connection, {"named": "key_a", "new": "y"})
        return [VALUE.scalar(transaction.connection, {"named": "key_a"}) for _ in range(2)]

    assert await database.write(work) == ["x", "y"]


@pytest.mark.parametrize("which", [(), (VALUE, {"named": "key_a"})], ids=["all", "one"])
async def test_what_is_asked_ahead_can_be_forgotten(database, which):
    await database.write(put("key_a"))

    def work(transaction):
        transaction.ask_ahead(VALUE, {"named": "key_a"})
        CHANGE.send(transaction.connection, {"named": "key_a", "new": "y"})
        transaction.forget_ahead(*which)
        return VALUE.scalar(transaction.connection, {"named": "key_a"})

    assert await database.write(work) == "y"


async def test_nothing_that_was_asked_ahead_outlives_its_transaction(database):
    await database.write(put("key_a"))

    def given_up(transaction):
        transaction.ask_ahead(VALUE, {"named": "key_a"})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(given_up)
    await database.write(lambda transaction: transaction.ask_ahead(VALUE, {"named": "key_a"}))

    def work(transaction):
        CHANGE.send(transaction.connection, {"named": "key_a", "new": "y"})
        return VALUE.scalar(transaction.connection, {"named": "key_a"})

    assert await database.write(work) == "y"


async def test_writes_that_share_a_commit_ask_ahead_before_the_first_of_them(database):
    await database.write(put("key_a"))
    seen = []

    def writing(name):
        def ahead(transaction):
            seen.append(f"{name} asks")
            transaction.ask_ahead(VALUE, {"named": "key_a"})

        return database.write(lambda _: seen.append(f"{name} writes"), about="run", ahead=ahead)

    await asyncio.gather(writing("first"), writing("second"))
    assert seen == ["first asks", "second asks", "first writes", "second writes"]


async def test_a_lock_that_is_held_is_not_taken_again(database, monkeypatch):
    sent = []
    send = Session.send
    monkeypatch.setattr(Session, "send", lambda self, *args: sent.append(args[1]) or send(self, *args))

    def locking(transaction):
        transaction.lock("queue", "run")
        transaction.lock("queue", "run")

    await asyncio.gather(*(database.write(locking, about="run") for _ in range(2)))
    assert [name for name, _ in sent] == ["queue\nrun"]


async def test_a_read_that_is_one_query_takes_one_round_trip_and_leaves_no_transaction(database, monkeypatch):
    await database.write(put("key_a"))
    begun = []
    flush = Session.flush

    def noted(self):
        flush(self)
        begun.append(self.pgconn.transaction_status)

    monkeypatch.setattr(Session, "flush", noted)
    found = await database.first(VALUE, {"named": "key_a"})
    assert found == {"value": "x"}
    assert begun == [TransactionStatus.IDLE]
    # The session is as it was: what follows sees one state again.
    assert await keys(database) == ["key_a"]
    assert begun[1:] == [TransactionStatus.INTRANS]


async def test_sqlalchemy_sees_what_was_sent_before(database):
    def write(transaction):
        put("key_a")(transaction)
        return transaction.execute(select(settings.c.value).where(settings.c.key == "key_a")).scalar()

    assert await database.write(write) == "x"


async def test_what_was_sent_and_is_refused_undoes_the_write_and_leaves_the_session_in_order(database):
    await database.write(put("key_a"))
    for _ in range(3):
        with pytest.raises(IntegrityError):
            await database.write(lambda transaction: (put("key_b")(transaction), put("key_a")(transaction)))
    assert await keys(database) == ["key_a"]
    await database.write(put("key_b"))
    assert await keys(database) == ["key_a", "key_b"]


async def test_a_plan_that_was_never_sent_is_sent_when_it_is_needed(database):
    def undecided(transaction):
        put("key_a")(transaction)
        CHANGE.send(transaction.connection, {"named": "key_a", "new": "y"})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(undecided)
    await database.write(put("key_a"))
    assert await database.write(lambda transaction: CHANGE.run(transaction.connection, {"named": "key_a", "new": "y"}))


async def test_much_that_is_sent_at_once_arrives(database):
    large = "ä" * 1_000_000
    run = {"run_id": "wrun_1", "status": "pending", "deployment_id": "d", "workflow_name": "w", "updated_at": 1}
    of_run = Statement(select(tables.runs.c.input).where(tables.runs.c.run_id == bindparam("run")))

    def write(transaction):
        for number in range(8):
            put(f"key_{number}", large)(transaction)
        insert_row(transaction.connection, tables.runs, {**run, "created_at": 1, "input": b"\0\xff" * 1_000_000})
        return of_run.scalar(transaction.connection, {"run": "wrun_1"})

    assert await database.write(write) == b"\0\xff" * 1_000_000
    assert len(await keys(database)) == 8
