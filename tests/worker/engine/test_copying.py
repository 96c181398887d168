"""A whole service moves to another database: all of it, verified, and resumed after whatever happens."""

from __future__ import annotations

import itertools
import sys
from contextlib import closing

import pytest
from sqlalchemy import create_engine, insert, select

from tests.support.databases import PostgresPlace, SqlitePlace
from tests.support.json_process import JsonProcess
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.engine import Engine, NewKey
from workflow_studio.worker.store import Database, StoreLockedError, StoreVersionError, _migrate, tables
from workflow_studio.worker.store.copying import CopyDamagedError, CopyRefusedError, _copy, copy, rows

_NUMBERS = itertools.count(1)


@pytest.fixture
def target(place, tmp_path, request):
    """Return an empty place of the other kind."""
    if place.kind == "postgresql":
        yield SqlitePlace(tmp_path / "target")
        return
    made = PostgresPlace(request.getfixturevalue("postgres"), f"target_{next(_NUMBERS)}")
    yield made
    made.drop()


@pytest.fixture(autouse=True)
def few_runs_at_a_time(monkeypatch):
    monkeypatch.setattr(_copy, "_RUNS", 2)


@pytest.fixture
async def service(world, engine, database):
    """Make a service with some of everything, stop it, and return its runs."""
    await engine.identity()
    await engine.keys.create(NewKey("default", "test", (ComputeScope.ADMIN,)))
    runs = [await world.new_run() for _ in range(5)]
    for number, run_id in enumerate(runs[:4]):
        await world.create(run_id, "step_created", "step_1", stepName="add", input=b"\x00\xff" * 10)
        await world.create(run_id, "hook_created", "hook_1", token=f"token-{number}")
        await world.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + 60_000)
        await world.wake(run_id)
        await world.publish_step(run_id)
        for name in ("out", "err"):
            chunks = [b"a" * 10, b"", b"\x00"]
            await world.call(
                "streams.write", name=f"{run_id}-{name}", runId=run_id, chunks=chunks, writerId="w", sequence=1
            )
    await world.call("streams.write", name="nobody's", runId="wrun_gone", chunks=[b"x"], writerId="w", sequence=1)

    def without_a_run(transaction):
        values = {"kind": "workflow", "queue_name": "q", "body": b"b", "run_at": 1, "created_at": 1}
        transaction.execute(insert(tables.messages).values(message_id="msg_alone", **values))
        chunk = {"name": "orphan", "chunk_index": 0, "data": b"o", "writer_id": "w", "sequence": 1, "part": 0}
        transaction.execute(insert(tables.stream_chunks).values(chunk))
        transaction.execute(
            insert(tables.run_output).values(run_id=runs[0], position=1, attempt=1, level="info", at=1, text=b"\x01")
        )

    await database.write(without_a_run)
    await database.close()
    return runs


def content(location):
    url = f"sqlite:///{location}" if "://" not in location else location.replace("://", "+psycopg://")
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: connection.execute(select(table).order_by(*table.primary_key.columns)).all()
            for table in tables.metadata.sorted_tables
            if table.name not in rows.LEFT_BEHIND
        }
        schema = _migrate.read_schema(connection)
    engine.dispose()
    return found, schema


def execute(location, *statements):
    url = f"sqlite:///{location}" if "://" not in location else location.replace("://", "+psycopg://")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


async def test_everything_moves_and_the_service_goes_on(place, target, service, world, helpers):
    told = []
    done = copy(place.location, target.location, lambda *step: told.append(step))
    assert content(target.location) == content(place.location)
    assert (done.runs, done.copied) == (5, 5)
    assert done.rows["runs"] == 5
    assert done.rows["streams"] == 9
    assert [step for step in told if step[0] == "Copying runs"] == [
        ("Copying runs", 2, 5),
        ("Copying runs", 4, 5),
        ("Copying runs", 5, 5),
    ]
    assert told[-1] == ("Verifying runs", 5, 5)

    database = target.open()
    _, driver, _ = helpers
    moved = driver(Engine(database, clock=world.clock), world.clock, world.deployment_id)
    await moved.create(service[0], "run_completed", output=b"done")
    assert await moved.log(service[0]) == [
        "run_created",
        "run_started",
        "step_created",
        "hook_created",
        "wait_created",
        "run_completed",
    ]
    await database.close()


async def test_a_copy_that_ends_anywhere_goes_on_where_it_ended(place, target, service, monkeypatch):
    """Each statement that writes is the last one, once; a database undoes what is not committed."""
    calls = itertools.count()
    dies_at = itertools.count(1, 5)
    original = rows._copied
    last = next(dies_at)

    def copied(*arguments):
        nonlocal last
        for batch in original(*arguments):
            if next(calls) == last:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(rows, "_copied", copied)
    ends = 0
    while True:
        try:
            done = copy(place.location, target.location)
        except KeyboardInterrupt:
            ends += 1
            with pytest.raises(StoreVersionError, match="an unfinished copy"):
                target.open()
            calls, last = itertools.count(), next(dies_at)
        else:
            break
    assert ends > 3
    assert done.copied < 5, "what was there already was left alone"
    assert content(target.location) == content(place.location)


async def test_what_changes_in_the_source_in_between_is_copied_anew(place, target, service, monkeypatch):
    end_before_verifying(place, target, monkeypatch)
    execute(
        place.location,
        f"UPDATE runs SET status = 'cancelled' WHERE run_id = '{service[1]}'",
        *(
            f"DELETE FROM {table} WHERE run_id = '{service[2]}'"
            for table in ("messages", "events", "steps", "hooks", "waits", "runs")
        ),
        "DELETE FROM messages WHERE message_id = 'msg_alone'",
        "UPDATE api_keys SET name = 'other'",
    )
    done = copy(place.location, target.location)
    assert done.runs == 4
    assert content(target.location) == content(place.location)


def end_before_verifying(place, target, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_copy._Copy, "verify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            copy(place.location, target.location)


async def test_rows_that_are_not_what_they_were_are_found_and_then_mended(place, target, service, monkeypatch):
    verify = _copy._Copy.verify

    def damaged(self):
        self._target.dispose()
        execute(
            target.location,
            f"UPDATE steps SET input = NULL WHERE run_id = '{service[0]}'",
            f"DELETE FROM events WHERE run_id = '{service[1]}' AND slot = 2",
            f"UPDATE stream_chunks SET data = '' WHERE name = '{service[3]}-out'",
            "INSERT INTO stream_runs (run_id, name) VALUES ('wrun_extra', 'n')",
            "UPDATE api_keys SET scopes = 'admin more'",
        )
        verify(self)

    with monkeypatch.context() as patched:
        patched.setattr(_copy._Copy, "verify", damaged)
        with pytest.raises(CopyDamagedError) as found:
            copy(place.location, target.location)
    assert found.value.units == (service[0], service[1], service[3], "wrun_extra", "api_keys")
    with pytest.raises(StoreVersionError, match="an unfinished copy"):
        target.open()
    assert copy(place.location, target.location).copied == 3
    assert content(target.location) == content(place.location)


async def test_what_cannot_be_copied_is_refused(place, target, service, tmp_path):
    running = place.open()
    with pytest.raises(StoreLockedError, match="is using the"):
        copy(place.location, target.location)
    await running.close()
    copy(place.location, target.location)
    with pytest.raises(CopyRefusedError, match="The target is not empty"):
        copy(place.location, target.location)
    execute(str(tmp_path / "nothing.db"), "PRAGMA user_version = 1")
    with pytest.raises(CopyRefusedError, match="of nothing yet"):
        copy(tmp_path / "nothing.db", tmp_path / "other.db")


async def test_a_part_of_another_database_is_no_beginning(place, target, service, tmp_path, monkeypatch):
    end_before_verifying(place, target, monkeypatch)
    other = Database.open(tmp_path / "other.db")
    await Engine(other).identity()
    await other.close()
    with pytest.raises(CopyRefusedError, match="a part of the copy of another database"):
        copy(tmp_path / "other.db", target.location)


def test_every_table_is_copied_or_is_left_behind_on_purpose():
    copied = {part.table.name for part in rows.parts_of_runs()}
    copied |= {part.table.name for section in rows.sections().values() for part in section}
    assert copied | rows.LEFT_BEHIND >= set(tables.metadata.tables)


async def test_a_copy_that_is_killed_goes_on(tmp_path, place_of, helpers):
    place = place_of("sqlite", tmp_path)
    database = place.open()

    def many(transaction):
        values = {"status": "running", "deployment_id": "d", "workflow_name": "w", "created_at": 1, "updated_at": 1}
        runs = [{"run_id": f"wrun_{number:04}", **values} for number in range(450)]
        transaction.execute(insert(tables.runs), runs)

    await database.write(many)
    await database.close()
    command = [sys.executable, "-m", "workflow_studio.worker.db", "copy", place.location, str(tmp_path / "target.db")]
    with closing(JsonProcess(command)) as process:
        process.wait_for(lambda line: "progress" in line)
        process.process.kill()
        process.ended()
    with closing(JsonProcess(command)) as again:
        again.wait_for(lambda line: line.get("ok"))
        assert again.ended() == 0
    assert content(str(tmp_path / "target.db")) == content(place.location)
