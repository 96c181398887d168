"""The World by method name: every method of the wire is there, bad parameters are refused, keys are derived."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_studio.compute.wire import ENDPOINTS
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.encryption import run_key
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import StoreError

METHODS = [endpoint.method for endpoint in ENDPOINTS]


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_of_the_wire_answers_or_refuses_in_its_own_words(world, method):
    try:
        await world.call(method)
    except WorldError as error:
        assert error.status in (400, 404)  # noqa: PT017  # to answer is right, too


async def test_an_unknown_method_is_a_400(world):
    for method in ("runs.delete", "", "__class__"):
        with pytest.raises(WorldError, match="no method") as refusal:
            await world.call(method)
        assert refusal.value.status == 400


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    sorted(
        {
            *("runId", "stepId", "hookId", "eventId", "token", "correlationId", "limit", "cursor", "sortOrder"),
            *("resolveData", "event", "queueName", "body", "headers", "isWake", "delaySeconds", "idempotencyKey"),
            *("name", "chunks", "writerId", "sequence", "startIndex", "workflowName", "status"),
        }
    )
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(METHODS), params=st.dictionaries(NAMES, ODD, max_size=6))
def test_hostile_parameters_are_refused_and_never_crash(hostile, method, params):
    hostile(method, params)


@pytest.fixture
def hostile(place):
    runner = asyncio.Runner()
    database = place.open()
    engine = Engine(database)

    def call(method, params):
        try:
            runner.run(engine.world.call(method, params, CallContext()))
        except WorldError as error:
            assert 400 <= error.status < 500  # noqa: PT017  # a 5xx would have the SDK try again for ever

    yield call
    runner.run(database.close())
    runner.close()


async def test_parameters_of_another_type_are_a_400(world):
    for params in (None, [], "x", 5, b"x"):
        with pytest.raises(WorldError) as refusal:
            await world.engine.world.call("runs.list", params, CallContext())
        assert refusal.value.status == 400


async def test_the_current_deployment_is_the_active_one(world):
    assert await world.call("deployments.current") == {"deploymentId": world.deployment_id, "alias": "latest"}


async def test_without_an_active_deployment_there_is_no_current_one(engine):
    with pytest.raises(WorldError) as refusal:
        await engine.world.call("deployments.current", {}, CallContext())
    assert (refusal.value.status, refusal.value.code) == (409, "no_active_deployment")


async def test_without_a_master_key_there_is_no_encryption(world):
    assert await world.call("encryption.key", runId="wrun_x") == {}


async def test_the_key_of_a_run_follows_from_the_master_key_and_the_run_alone(database):
    engine = Engine(database, master_key=b"m" * 32)
    keys = [await engine.world.call("encryption.key", {"runId": run}, CallContext()) for run in ("a", "a", "b")]
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]["key"]) == 32


def test_the_key_derivation_is_hkdf_sha256():
    # Worked out once with node:crypto: hkdfSync('sha256', Buffer.alloc(32, 1), Buffer.alloc(32), 'studio|wrun_x', 32)
    expected = "0c35438567d398b07c6355172361ecc6538fc203aa9a9a8d0e1c5a08a4184bae"
    assert run_key(b"\x01" * 32, "wrun_x").hex() == expected


async def test_a_failing_database_is_a_503_that_says_nothing_of_its_insides(world, monkeypatch, caplog):
    async def broken(_work):
        raise StoreError("secret path /data/worker.db")

    monkeypatch.setattr(type(world.engine.world._events._database), "write", lambda _self, work, **_: broken(work))
    with pytest.raises(WorldError) as refusal:
        await world.create(world.new_run_id(), "run_created", **world.run_data())
    assert refusal.value.status == 503
    assert "secret" not in refusal.value.message
    assert "secret path" in caplog.text


async def test_a_value_that_cannot_be_stored_is_a_400(world):
    run_id = await world.new_run()
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(WorldError) as refusal:
        await world.create(run_id, "step_created", "step_1", stepName="add", input=loop)
    assert refusal.value.status == 400
