"""Variables of deployments: set, listed by name, inherited, sealed, and never shown."""

from __future__ import annotations

import logging
import stat

import pytest
from sqlalchemy import select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import Engine, EngineError
from workflow_studio.worker.engine.environment import MAX_VALUE_BYTES, MAX_VARIABLES, VariableKeys
from workflow_studio.worker.store import tables

MASTER = b"m" * 32
SECRET = "the-value-that-nobody-may-see"


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "data" / "variables-key"


@pytest.fixture
def open_engine(database, clock, key_file):
    """Return a function that makes an engine over the database, as a worker with these keys would."""

    def make(master_key=None, file=key_file):
        return Engine(database, clock=clock, master_key=master_key, variable_key_file=file)

    return make


@pytest.fixture(params=[None, MASTER], ids=["key file", "master key"])
def engine(open_engine, request):
    return open_engine(request.param)


@pytest.fixture
async def deployment(engine, manifest):
    made, _ = await engine.deployments.register(manifest())
    return made.id


async def stored(database):
    rows = await database.read(lambda connection: connection.execute(select(tables.deployment_variables)).all())
    return {(row.deployment_id, row.name): row.value for row in rows}


async def refused(awaitable):
    with pytest.raises(EngineError) as refusal:
        await awaitable
    assert SECRET not in refusal.value.message + (refusal.value.recovery or "")
    return refusal.value.code


async def test_variables_are_set_unset_and_listed_by_name(engine, deployment, clock):
    change, names, values = engine.environment.change, engine.environment.names, engine.environment.values
    first = await change(deployment, {"B": SECRET, "A": ""}, by="ops")
    assert [(entry.name, entry.updated_at, entry.updated_by) for entry in first] == [
        ("A", clock.now, "ops"),
        ("B", clock.now, "ops"),
    ]
    assert SECRET not in repr(first)
    clock.tick(10)
    await change(deployment, {"B": None, "C": "ü\n=x", "NEVER_SET": None}, by="other")
    assert [(entry.name, entry.updated_at, entry.updated_by) for entry in await names(deployment)] == [
        ("A", clock.now - 10, "ops"),
        ("C", clock.now, "other"),
    ]
    assert await values(deployment) == {"A": "", "C": "ü\n=x"}
    assert await values("dep_" + "0" * 32) == {}


async def test_a_value_is_nowhere_in_the_database_nor_in_the_log(engine, deployment, place, caplog):
    caplog.set_level(logging.DEBUG)
    await engine.environment.change(deployment, {"API_TOKEN": SECRET})
    content = place.content()
    assert b"API_TOKEN" in content
    assert SECRET.encode() not in content
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1A",
        "A-B",
        "A B",
        "A=B",
        "Ä",
        "A\0",
        "A\n",
        "A" * 129,
        "NODE_OPTIONS",
        "NODE_CHANNEL_FD",
        "NODE_V8_COVERAGE",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "WORKFLOW_TARGET_WORLD",
        "VERCEL",
        "VERCEL_URL",
    ],
)
async def test_a_name_that_is_none_or_belongs_to_somebody_else_is_refused(engine, deployment, name):
    change = engine.environment.change(deployment, {"GOOD": SECRET, name: SECRET})
    assert await refused(change) is ErrorCode.INVALID_VARIABLE
    assert await engine.environment.names(deployment) == []


async def test_a_name_that_belongs_to_somebody_else_says_whose_it_is(engine, deployment):
    with pytest.raises(EngineError, match=r"NODE_OPTIONS belongs to Node\.js"):
        await engine.environment.change(deployment, {"NODE_OPTIONS": "--inspect"})


@pytest.mark.parametrize("value", [SECRET + "\0", SECRET + "\ud800", SECRET + "x" * MAX_VALUE_BYTES])
async def test_a_value_that_an_environment_cannot_hold_is_refused_and_not_shown(engine, deployment, value):
    assert await refused(engine.environment.change(deployment, {"A": value})) is ErrorCode.INVALID_VARIABLE


async def test_a_deployment_has_so_many_variables_and_no_more(engine, deployment):
    many = {f"V{number}": "x" for number in range(MAX_VARIABLES)}
    await engine.environment.change(deployment, many)
    assert await refused(engine.environment.change(deployment, {"ONE_MORE": "x"})) is ErrorCode.INVALID_VARIABLE
    await engine.environment.change(deployment, {"ONE_MORE": "x", "V0": None})
    large = {f"V{number}": "x" * MAX_VALUE_BYTES for number in range(1, 10)}
    assert await refused(engine.environment.change(deployment, large)) is ErrorCode.INVALID_VARIABLE
    assert len(await engine.environment.names(deployment)) == MAX_VARIABLES


async def test_variables_of_no_deployment_are_refused(engine):
    for call in (engine.environment.names, lambda name: engine.environment.change(name, {"A": "x"})):
        assert await refused(call("dep_x")) is ErrorCode.INVALID_DEPLOYMENT_ID
        assert await refused(call("dep_" + "0" * 32)) is ErrorCode.DEPLOYMENT_NOT_FOUND


async def test_a_new_deployment_begins_with_the_variables_of_the_active_one(engine, deployment, manifest):
    await engine.environment.change(deployment, {"A": SECRET, "B": "b"}, by="ops")
    before, _ = await engine.deployments.register(manifest("1"))
    assert await engine.environment.values(before.id) == {}, "none was active"
    await engine.deployments.activate(deployment)
    after, _ = await engine.deployments.register(manifest("2"), by="ci")
    assert await engine.environment.values(after.id) == {"A": SECRET, "B": "b"}
    assert {entry.updated_by for entry in await engine.environment.names(after.id)} == {"ci"}
    await engine.environment.change(deployment, {"A": "changed"})
    again, is_new = await engine.deployments.register(manifest("2"))
    assert (again.id, is_new) == (after.id, False)
    assert await engine.environment.values(after.id) == {"A": SECRET, "B": "b"}, "each has its own"


async def test_variables_are_deleted_with_their_deployment(engine, deployment, manifest, database):
    await engine.environment.change(deployment, {"A": SECRET})
    await engine.deployments.delete(deployment)
    assert await stored(database) == {}
    again, _ = await engine.deployments.register(manifest())
    assert await engine.environment.values(again.id) == {}


async def test_a_sealed_value_opens_at_its_place_alone(key_file):
    for keys in (VariableKeys(MASTER, None), VariableKeys(None, key_file)):
        sealed = keys.seal("dep_a", "A", SECRET)
        assert keys.open("dep_a", "A", sealed) == SECRET
        assert keys.open("dep_b", "A", sealed) is None
        assert keys.open("dep_a", "B", sealed) is None
        assert keys.open("dep_a", "A", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
        assert keys.open("dep_a", "A", b"") is None
        assert keys.seal("dep_a", "A", SECRET) != sealed, "no nonce is used twice"


async def test_the_key_file_is_its_owners_alone_and_is_made_once(open_engine, manifest, key_file):
    engine = open_engine()
    made, _ = await engine.deployments.register(manifest())
    assert not key_file.exists()
    await engine.environment.change(made.id, {"A": SECRET})
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert len(key_file.read_bytes()) == 32
    assert [entry.name for entry in key_file.parent.iterdir()] == ["variables-key"]
    assert await open_engine().environment.values(made.id) == {"A": SECRET}
    key = key_file.read_bytes()
    await open_engine().environment.change(made.id, {"B": "b"})
    assert key_file.read_bytes() == key


async def test_a_master_key_that_came_later_leaves_the_older_values_readable(open_engine, manifest):
    made, _ = await open_engine().deployments.register(manifest())
    await open_engine().environment.change(made.id, {"OLD": "old"})
    later = open_engine(MASTER)
    await later.environment.change(made.id, {"NEW": "new"})
    assert await later.environment.values(made.id) == {"OLD": "old", "NEW": "new"}


@pytest.mark.parametrize("loss", ["another master key", "no master key", "no key file"])
async def test_a_lost_key_is_said_and_no_executor_starts_with_half_its_variables(
    open_engine, manifest, key_file, loss, caplog
):
    first = open_engine(None if loss == "no key file" else MASTER)
    made, _ = await first.deployments.register(manifest())
    await first.environment.change(made.id, {"A": SECRET, "B": "b"})
    await first.deployments.activate(made.id)
    key_file.unlink(missing_ok=True)
    engine = open_engine(b"x" * 32 if loss == "another master key" else None)
    with pytest.raises(EngineError, match="sealed under another key: A, B") as refusal:
        await engine.environment.values(made.id)
    assert (refusal.value.code, refusal.value.status) == (ErrorCode.VARIABLES_UNREADABLE, 409)
    assert [entry.name for entry in await engine.environment.names(made.id)] == ["A", "B"]
    newer, is_new = await engine.deployments.register(manifest("1"))
    assert is_new
    assert await engine.environment.names(newer.id) == []
    assert "cannot be opened" in caplog.text
    assert SECRET not in caplog.text
    await engine.environment.change(made.id, {"A": "again", "B": None})
    assert await engine.environment.values(made.id) == {"A": "again"}
