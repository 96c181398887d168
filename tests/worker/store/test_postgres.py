"""What is particular to PostgreSQL: several transactions at a time, sessions that end, and values it does not take."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from tests.support.databases import PostgresPlace
from tests.support.until import until
from workflow_studio.worker.store import LAZILY, Database, StoreError, StoreLockedError, StoreValueError
from workflow_studio.worker.store.tables import settings


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("postgresql", tmp_path)


@pytest.fixture
async def database(place):
    opened = place.open()
    yield opened
    await opened.close()


def put(key, value="x"):
    return lambda transaction: transaction.execute(insert(settings), {"key": key, "value": value})


def value_of(connection, key):
    return connection.execute(select(settings.c.value).where(settings.c.key == key)).scalar()


async def test_writes_do_not_wait_for_each_other(database):
    both_are_in = threading.Barrier(2)
    await asyncio.gather(*(database.write(lambda _: both_are_in.wait(10)) for _ in range(2)))


async def test_a_lock_is_held_to_the_end_of_the_transaction(database):
    await database.write(put("n", "0"))

    def count(transaction):
        transaction.lock("counter", "n")
        number = int(value_of(transaction.connection, "n"))
        transaction.execute(update(settings).where(settings.c.key == "n").values(value=str(number + 1)))

    await asyncio.gather(*(database.write(count) for _ in range(50)))
    assert await database.read(lambda connection: value_of(connection, "n")) == "50"


async def test_who_loses_a_race_for_a_new_row_is_run_again_and_finds_it(database):
    both_have_looked = threading.Barrier(2)
    looks = []

    def claim(transaction):
        found = value_of(transaction.connection, "token")
        looks.append(found)
        if len(looks) <= 2:
            both_have_looked.wait(10)
        if found is None:
            put("token", "mine")(transaction)
            return "claimed"
        return "taken"

    outcomes = await asyncio.gather(*(database.write(claim) for _ in range(2)))
    assert sorted(outcomes) == ["claimed", "taken"]
    assert looks == [None, None, "mine"]


async def test_a_deadlock_is_resolved_and_both_are_done(database):
    await database.write(lambda transaction: (put("a", "")(transaction), put("b", "")(transaction)))
    crossing = threading.Barrier(2)
    rounds = []

    def change(order):
        def work(transaction):
            rounds.append(order)
            for number, key in enumerate(order):
                row = settings.c.key == key
                transaction.execute(update(settings).where(row).values(value=settings.c.value + "+"))
                if number == 0 and len(rounds) <= 2:
                    crossing.wait(10)

        return work

    await asyncio.gather(database.write(change("ab")), database.write(change("ba")))
    assert len(rounds) >= 3, "one at least was begun again"
    for key in "ab":
        assert await database.read(lambda connection, key=key: value_of(connection, key)) == "++"


async def test_after_a_repetition_callbacks_of_the_last_run_alone_are_called(database):
    called, runs = [], []

    def work(transaction):
        runs.append(None)
        number = len(runs)
        transaction.after_commit(lambda: called.append(number))
        if number == 1:
            transaction.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    await database.write(work)
    assert called == [2]


async def test_a_violation_that_stays_reaches_the_caller(database):
    await database.write(put("k"))
    with pytest.raises(IntegrityError):
        await database.write(put("k"))


async def test_ended_sessions_are_replaced_without_the_caller_noticing(database, place):
    await asyncio.gather(*(database.write(put(f"k{number}")) for number in range(20)))
    await asyncio.gather(*(database.read(lambda connection: value_of(connection, "k1")) for _ in range(10)))
    place._end_sessions()
    await asyncio.gather(*(database.write(put(f"again{number}")) for number in range(20)))
    for _ in range(10):
        assert await database.read(lambda connection: value_of(connection, "again1")) == "x"


async def test_a_commit_that_may_have_happened_is_not_repeated(database, place):
    runs = []

    def work(transaction):
        runs.append(None)
        put("k")(transaction)
        place._end_sessions()

    with pytest.raises(StoreError, match="lost during a commit"):
        await database.write(work)
    assert len(runs) == 1


async def test_who_opens_the_database_waits_for_a_migration_that_needs_it_alone(place):
    holder = psycopg.connect(place.location, autocommit=True)
    holder.execute("SELECT pg_advisory_lock(hashtextextended('workflow-studio ' || current_schema(), 0))")
    opening = asyncio.ensure_future(asyncio.to_thread(place.open))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s"
    shares = ("SELECT pg_try_advisory_lock_shared%",)
    await until(lambda: holder.execute(waiting, shares).fetchone() != (0,))
    assert not opening.done()
    holder.close()
    await (await opening).close()


async def test_a_migration_does_not_get_the_database_alone_while_a_worker_uses_it(database, place):
    alone = "SELECT pg_try_advisory_lock(hashtextextended('workflow-studio ' || current_schema(), 0))"
    place._end_sessions()
    await database.write(put("k"))
    with psycopg.connect(place.location, autocommit=True) as migration:
        assert migration.execute(alone).fetchone() == (False,)
    await database.close()
    with psycopg.connect(place.location, autocommit=True) as migration:
        assert migration.execute(alone).fetchone() == (True,)


async def test_a_worker_learns_for_good_that_the_schema_does_not_serve_it_any_more(postgres):
    place = PostgresPlace(postgres, "outgrown")
    database = place.open()
    try:
        waiting = asyncio.ensure_future(database.wait_until_lost())
        await database.write(put("k"))
        assert not database.is_lost
        with psycopg.connect(place.location) as migration:
            migration.execute("UPDATE schema_serves SET revision = '9999'")
        place._end_sessions()
        with pytest.raises(StoreLockedError):
            await database.read(lambda connection: value_of(connection, "k"))
        error = await asyncio.wait_for(waiting, 5)
        assert "9999" in error.message
        assert error.recovery
        assert database.is_lost
    finally:
        await database.close()
        place.drop()


async def test_many_that_open_an_empty_database_at_once_make_its_tables_once(postgres):
    place = PostgresPlace(postgres, "opened_by_many")
    try:
        opened = await asyncio.gather(*(asyncio.to_thread(place.open) for _ in range(4)))
        await asyncio.gather(*(database.write(put(f"k{number}")) for number, database in enumerate(opened)))
        for database in opened:
            await database.close()
    finally:
        place.drop()


async def test_a_session_that_stands_still_in_a_transaction_does_not_keep_others_waiting_for_ever(database):
    timeout = text("SHOW idle_in_transaction_session_timeout")
    assert await database.write(lambda transaction: transaction.execute(timeout).scalar()) == "15s"


async def test_two_schemas_of_a_database_are_two_databases(database, place):
    with psycopg.connect(place.location) as connection:
        connection.execute("DROP SCHEMA IF EXISTS other CASCADE")
        connection.execute("CREATE SCHEMA other")
    other = Database.open(f"{place.location}&options=-csearch_path%3Dother")
    await other.write(put("only-here"))
    assert await database.read(lambda connection: value_of(connection, "only-here")) is None
    await other.close()


@pytest.mark.parametrize("value", ["null \x00 character", "lone \ud800 surrogate"])
async def test_a_text_that_postgresql_does_not_take_is_the_callers_mistake(database, value):
    with pytest.raises((StoreValueError, UnicodeEncodeError)):
        await database.write(put("k", value))
    with pytest.raises((StoreValueError, UnicodeEncodeError)):
        await database.read(lambda connection: value_of(connection, value))


async def test_a_key_that_is_too_long_for_an_index_is_the_callers_mistake(database):
    with pytest.raises(StoreValueError):
        await database.write(put("".join(map(chr, range(0x4E00, 0x4E00 + 8000)))))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:hunter2secret@127.0.0.1:1/x",
        "postgres://nobody:hunter2secret@127.0.0.1:1/x?connect_timeout=2",
    ],
)
def test_a_server_that_cannot_be_reached_is_said_so_without_the_password(url):
    with pytest.raises(StoreError, match="cannot be reached") as refusal:
        Database.open(url)
    assert "hunter2secret" not in str(refusal.value)
    assert refusal.value.recovery


async def test_rows_that_may_be_large_are_fetched_as_they_are_read(database):
    query = text("SELECT repeat('x', 1000) FROM generate_series(1, 1000)").execution_options(**LAZILY)

    def look(connection):
        with connection.execute(query) as rows:
            next(iter(rows))
            return type(rows.cursor)

    assert await database.read(look) is psycopg.ServerCursor


async def test_what_is_told_in_a_transaction_is_heard_once_it_is_committed_by_everybody(database, place):
    other = place.open()
    said = [database.listen(), other.listen()]
    try:
        assert [await anext(listener) for listener in said] == [None, None]

        def undone(transaction):
            database.tell(transaction, "never")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await database.write(undone)
        await database.write(lambda transaction: database.tell(transaction, "hello"))
        assert [await anext(listener) for listener in said] == ["hello", "hello"]
    finally:
        for listener in said:
            await listener.aclose()
        await other.close()


async def test_who_listens_learns_that_something_may_have_been_missed(database, place):
    listener = database.listen()
    try:
        assert await anext(listener) is None
        place._end_sessions()
        assert await anext(listener) is None
        await database.write(lambda transaction: database.tell(transaction, "again"))
        assert await anext(listener) == "again"
    finally:
        await listener.aclose()
