"""A delivery waits while a World call of its own does, and not merely because it makes one."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from workflow_studio.worker.engine import deliveries as module
from workflow_studio.worker.engine.deliveries import Deliveries, InFlight


@pytest.fixture
def heard():
    return asyncio.Event()


@pytest.fixture
def deliveries(monkeypatch, heard):
    monkeypatch.setattr(module, "_WAITS_AFTER_SECONDS", 0.01)
    made = Deliveries()
    made.begin("dlv_1", InFlight())
    made.on_waiting(heard.set)
    return made


async def test_a_call_that_takes_long_makes_its_delivery_wait(deliveries, heard):
    with deliveries.awaiting("dlv_1"):
        assert deliveries.waiting == frozenset()
        await asyncio.wait_for(heard.wait(), 5)
        assert deliveries.waiting == {"dlv_1"}
    assert deliveries.waiting == frozenset()


async def test_a_call_that_is_answered_at_once_does_not(deliveries, heard):
    with deliveries.awaiting("dlv_1"):
        pass
    await asyncio.sleep(0.05)
    assert not heard.is_set()
    assert deliveries.waiting == frozenset()


async def test_it_waits_until_the_last_of_its_calls_is_answered(deliveries, heard):
    with deliveries.awaiting("dlv_1"):
        await asyncio.wait_for(heard.wait(), 5)
        heard.clear()
        with deliveries.awaiting("dlv_1"):
            await asyncio.wait_for(heard.wait(), 5)
        assert deliveries.waiting == {"dlv_1"}
    assert deliveries.waiting == frozenset()


async def test_a_call_that_fails_waits_no_longer(deliveries, heard):
    with suppress(ValueError), deliveries.awaiting("dlv_1"):
        await asyncio.wait_for(heard.wait(), 5)
        raise ValueError("no")
    assert deliveries.waiting == frozenset()


@pytest.mark.parametrize("delivery_id", [None, "dlv_of_another"])
async def test_nobody_else_is_said_to_wait(deliveries, heard, delivery_id):
    with deliveries.awaiting(delivery_id):
        await asyncio.sleep(0.05)
        assert deliveries.waiting == frozenset()
    assert not heard.is_set()
