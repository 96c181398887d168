"""What runs print: in order, once although workflow functions are replayed, bounded, sealed, followed."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

import pytest
from sqlalchemy import select

from workflow_studio.worker.engine import Engine, EngineError, OutputLimits, OutputQuery
from workflow_studio.worker.ports import Delivery, Line
from workflow_studio.worker.store import tables

RUN = "wrun_01ARYZ6S41TSV4RRFFQ69G5FAV"
_numbers = itertools.count(1)


def delivery(run_id=RUN, step_id="step_1", attempt=1):
    number = next(_numbers)
    kind = "workflow" if step_id is None else "step"
    return Delivery(f"dlv_{number}", f"msg_{number}", kind, "q", "dep_1", attempt, b"", run_id, step_id)


def lines(*texts, level="info", at=1000):
    return [Line(at, level, str(text)) for text in texts]


def replayed(*texts, start=0):
    return [Line(1000, "info", str(text), start + number) for number, text in enumerate(texts)]


async def texts_of(engine, run_id, **query):
    page = await engine.output.list(OutputQuery(run_id, **{"limit": 1000, **query}))
    return [line.text for line in page.lines]


@pytest.fixture
def bounded(database, clock):
    """Return an engine that keeps so much."""
    return lambda lines=1000, size=100_000: Engine(database, clock=clock, output_limits=OutputLimits(lines, size))


async def test_lines_come_back_in_order_with_where_they_came_from(world, engine):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="step//./w//add", input=b"devl[[]]")
    await engine.output.append(delivery(run_id, attempt=2), lines("a", "b", level="warn"))
    await engine.output.append(delivery(run_id, None), replayed("w"))
    await engine.output.append(delivery(run_id, attempt=5), lines("third"), attempt=3)
    page = await engine.output.list(OutputQuery(run_id))
    first, _, of_workflow, third = page.lines
    assert [line.position for line in page.lines] == [1, 2, 3, 4]
    assert (first.step_id, first.step_name, first.attempt, first.level, first.at) == (
        "step_1",
        "step//./w//add",
        2,
        "warn",
        1000,
    )
    assert (of_workflow.step_id, of_workflow.step_name, of_workflow.text) == (None, None, "w")
    assert third.attempt == 3
    assert (page.has_more, page.dropped, page.finished, page.last) == (False, 0, False, 4)


async def test_output_is_listed_by_step_by_level_and_page_by_page(world, engine):
    run_id = await world.new_run()
    for level in ("debug", "info", "warn", "error"):
        for step_id in ("step_1", "step_2"):
            await engine.output.append(delivery(run_id, step_id), lines(f"{level} of {step_id}", level=level))
    assert await texts_of(engine, run_id, step_id="step_2", level="warn") == ["warn of step_2", "error of step_2"]
    assert await texts_of(engine, run_id, level="info", limit=2) == ["info of step_1", "info of step_2"]
    seen, after = [], 0
    while True:
        page = await engine.output.list(OutputQuery(run_id, after=after, limit=3))
        seen += [line.position for line in page.lines]
        after = page.last
        if not page.has_more:
            break
    assert seen == list(range(1, 9))


async def test_a_cursor_passes_by_what_a_filter_left_out(world, engine):
    run_id = await world.new_run()
    await engine.output.append(delivery(run_id), lines("a", "b"))
    page = await engine.output.list(OutputQuery(run_id, level="error"))
    assert (page.lines, page.last, page.has_more) == ((), 2, False)


async def test_a_run_that_is_not_there_has_no_output(world, engine):
    with pytest.raises(EngineError) as refused:
        await engine.output.list(OutputQuery(world.new_run_id()))
    assert refused.value.code == "run_not_found"


async def test_what_belongs_to_no_run_is_not_kept(engine, database):
    await engine.output.append(delivery(None), lines("health"))
    assert await database.read(lambda connection: connection.execute(select(tables.run_output)).all()) == []


async def test_a_replay_adds_only_what_is_new(world, engine):
    run_id = await world.new_run()
    await engine.output.append(delivery(run_id, None), replayed("a", "b"))
    await engine.output.append(delivery(run_id), lines("of the step"))
    await engine.output.append(delivery(run_id, None), replayed("a", "b"))
    await engine.output.append(delivery(run_id, None), [*replayed("a", "b", "c"), *lines("a warning")])
    await engine.output.append(delivery(run_id, None), [*replayed("a", "b", "c", "d"), *lines("a warning")])
    assert await texts_of(engine, run_id) == ["a", "b", "of the step", "c", "a warning", "d", "a warning"]


async def test_a_replay_that_died_halfway_is_taken_up_where_it_broke_off(world, engine, after_crash):
    run_id = await world.new_run()
    await engine.output.append(delivery(run_id, None), replayed("a", "b"))
    restarted = (await after_crash()).engine
    await restarted.output.append(delivery(run_id, None), replayed("a"))
    await restarted.output.append(delivery(run_id, None), replayed("b", "c", start=1))
    assert await texts_of(restarted, run_id) == ["a", "b", "c"]


async def test_the_newest_lines_are_kept_and_the_others_counted(world, bounded):
    run_id = await world.new_run()
    engine = bounded(lines=5)
    for text in range(7):
        await engine.output.append(delivery(run_id), lines(text))
    await engine.output.append(delivery(run_id), lines("x", "y"), dropped=10)
    page = await engine.output.list(OutputQuery(run_id))
    assert [line.text for line in page.lines] == ["4", "5", "6", "x", "y"]
    assert [line.position for line in page.lines] == [5, 6, 7, 8, 9]
    assert page.dropped == 14
    await engine.output.append(delivery(run_id), lines(*range(100)))
    assert await texts_of(engine, run_id) == ["95", "96", "97", "98", "99"]


async def test_a_chatty_run_costs_no_other_run_its_output(world, bounded):
    quiet, loud = await world.new_run(), await world.new_run()
    engine = bounded(lines=10)
    await engine.output.append(delivery(quiet), lines("quiet"))
    await engine.output.append(delivery(loud), lines(*range(1000)))
    assert await texts_of(engine, quiet) == ["quiet"]


async def test_nothing_is_kept_if_nothing_is_to_be_kept(world, bounded):
    run_id = await world.new_run()
    engine = bounded(lines=0)
    await engine.output.append(delivery(run_id), lines("a", "b"))
    page = await engine.output.list(OutputQuery(run_id))
    assert (page.lines, page.dropped) == ((), 2)


@pytest.mark.parametrize("master_key", [None, b"k" * 32])
async def test_the_size_in_bytes_is_bounded(world, database, clock, master_key):
    run_id = await world.new_run()
    engine = Engine(database, clock=clock, master_key=master_key, output_limits=OutputLimits(1000, 100))
    for _ in range(30):
        await engine.output.append(delivery(run_id), lines("é" * 10))
    assert await texts_of(engine, run_id) == ["é" * 10] * 5
    await engine.output.append(delivery(run_id), lines("x" * 101))
    page = await engine.output.list(OutputQuery(run_id))
    assert (page.lines, page.dropped) == ((), 31)


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_kept_is_what_a_plain_queue_would_keep(world, bounded, seed):
    random = Random(seed)
    most, size = random.randint(1, 12), random.randint(1, 120)
    run_id, engine = await world.new_run(), bounded(most, size)
    kept, printed = [], 0
    for _ in range(25):
        batch = ["x" * random.randint(0, 30) for _ in range(random.randint(1, 8))]
        await engine.output.append(delivery(run_id), lines(*batch))
        printed += len(batch)
        kept += batch
        while kept and (len(kept) > most or sum(map(len, kept)) > size):
            kept.pop(0)
        page = await engine.output.list(OutputQuery(run_id, limit=1000))
        assert [line.text for line in page.lines] == kept
        assert page.dropped == printed - len(kept)


async def test_batches_at_the_same_time_are_all_kept(world, engine):
    run_id = await world.new_run()
    await asyncio.gather(
        *(engine.output.append(delivery(run_id), lines(f"{batch} a", f"{batch} b")) for batch in range(30)),
    )
    page = await engine.output.list(OutputQuery(run_id, limit=1000))
    assert [line.position for line in page.lines] == list(range(1, 61))
    texts = [line.text for line in page.lines]
    assert all(texts.index(f"{batch} b") == texts.index(f"{batch} a") + 1 for batch in range(30))


async def test_a_follower_hears_of_lines_and_of_the_end(world, engine):
    run_id = await world.new_run()
    waiting = asyncio.ensure_future(engine.output.list(OutputQuery(run_id), 20_000))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await engine.output.append(delivery(run_id), lines("a"))
    page = await asyncio.wait_for(waiting, 5)
    assert [line.text for line in page.lines] == ["a"]
    waiting = asyncio.ensure_future(engine.output.list(OutputQuery(run_id, after=page.last), 20_000))
    await asyncio.sleep(0.05)
    await engine.runs.cancel(run_id)
    page = await asyncio.wait_for(waiting, 5)
    assert (page.lines, page.finished) == ((), True)
    assert (await asyncio.wait_for(engine.output.list(OutputQuery(run_id, after=1), 20_000), 5)).finished


async def test_a_follower_of_errors_sleeps_through_other_lines(world, engine):
    run_id = await world.new_run()
    waiting = asyncio.ensure_future(engine.output.list(OutputQuery(run_id, level="error"), 20_000))
    await engine.output.append(delivery(run_id), lines("fine"))
    await engine.output.append(delivery(run_id), lines("fine too"))
    assert not waiting.done()
    await engine.output.append(delivery(run_id), lines("broken", level="error"))
    assert [line.text for line in (await asyncio.wait_for(waiting, 5)).lines] == ["broken"]


async def test_a_wait_is_over_in_time(world, engine):
    run_id = await world.new_run()
    page = await asyncio.wait_for(engine.output.list(OutputQuery(run_id), 20), 5)
    assert (page.lines, page.last, page.finished) == ((), 0, False)


async def test_output_is_sealed_with_the_runs_key_and_bound_to_its_place(world, database, clock):
    run_id = await world.new_run()
    engine = Engine(database, clock=clock, master_key=b"k" * 32)
    await engine.output.append(delivery(run_id), lines("a secret", "another"))
    query = select(tables.run_output.c.text).order_by(tables.run_output.c.position)
    stored = await database.read(lambda connection: list(connection.execute(query).scalars()))
    assert not any(b"secret" in text or b"another" in text for text in stored)
    assert await texts_of(engine, run_id) == ["a secret", "another"]
    for other in (Engine(database, clock=clock, master_key=b"x" * 32), Engine(database, clock=clock)):
        assert await texts_of(other, run_id) == ["(encrypted with a key that this worker does not have)"] * 2
    swap = tables.run_output.update().values(text=stored[0])
    await database.write(lambda transaction: transaction.execute(swap.where(tables.run_output.c.position == 2)))
    assert (await texts_of(engine, run_id))[1].startswith("(encrypted")


async def test_lines_from_before_there_was_a_key_stay_readable(world, engine, database, clock):
    run_id = await world.new_run()
    await engine.output.append(delivery(run_id), lines("in clear"))
    sealed = Engine(database, clock=clock, master_key=b"k" * 32)
    await sealed.output.append(delivery(run_id), lines("sealed"))
    assert await texts_of(sealed, run_id) == ["in clear", "sealed"]
