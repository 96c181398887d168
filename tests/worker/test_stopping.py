import asyncio
import signal
from functools import partial

import pytest

from tests.support.until import until
from tests.support.worker_process import ADMIN, received, worker_process
from tests.worker.routes.conftest import Driver, FakePool, make_settings
from workflow_studio.worker.app import create_app
from workflow_studio.worker.stopping import Stopping


class Busy(FakePool):
    """Takes deliveries and never ends them."""

    def __init__(self):
        super().__init__()
        self.graces = []

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        await asyncio.Event().wait()

    async def close(self, *, grace):
        self.graces.append(grace)


def test_the_time_that_is_left_runs_from_the_beginning_of_the_end():
    now = 0.0
    called = []
    stopping = Stopping(20, clock=lambda: now)
    stopping.at_once(lambda: called.append(now))
    now = 100.0
    assert stopping.left() == 20
    stopping.set()
    now = 115.0
    stopping.set()
    assert (stopping.left(), called, stopping.is_set()) == (5, [100.0], True)
    now = 200.0
    assert stopping.left() == 0


@pytest.mark.parametrize(("spent", "grace"), [(18, 2), (25, 2), (0.5, 5)])
async def test_requests_deliveries_and_executors_share_one_deadline(tmp_path, monkeypatch, spent, grace):
    now = 0.0
    monkeypatch.setattr("workflow_studio.worker.boot.Stopping", partial(Stopping, clock=lambda: now))
    pool = Busy()
    app = create_app(make_settings(tmp_path, shutdown_grace=20), pool=pool)
    async with app.router.lifespan_context(app):
        app.state.services.stopping.set()
        now = spent
    assert pool.graces == [grace]


async def test_a_worker_that_is_about_to_end_takes_up_nothing_new(tmp_path):
    pool = Busy()
    app = create_app(make_settings(tmp_path, shutdown_grace=0), pool=pool)
    async with app.router.lifespan_context(app):
        driver = Driver(app, pool)
        async with driver.http:
            for _ in range(2):
                await driver.start()
                run_id = await driver.start()
                publish = {"queueName": "__wkf_workflow_workflow//./w//f", "body": b"x", "runId": run_id}
                await driver.world("queue.publish", publish)
                if not app.state.services.stopping.is_set():
                    await until(lambda: pool.deliveries)
                    taken = len(pool.deliveries)
                    app.state.services.stopping.set()
            await asyncio.sleep(0.1)  # a dispatcher that went on would have claimed by now
            assert len(pool.deliveries) == taken
    after = Busy()
    app = create_app(make_settings(tmp_path, shutdown_grace=0), pool=after)
    async with app.router.lifespan_context(app):
        await until(lambda: len(after.deliveries) > taken)


@pytest.mark.node
def test_a_process_ends_in_time_whoever_holds_on_to_it(tmp_path):
    """Someone sends a body for ever, someone waits for a stream, someone is connected and says nothing."""
    head = f"host: x\r\nauthorization: Bearer {ADMIN}\r\n"
    read = b"\xa2dnameasfwaitMs\x19\x4e\x20"
    poll = f"POST /v1/world/streams/read HTTP/1.1\r\n{head}content-type: application/cbor\r\n"
    with worker_process(tmp_path, SHUTDOWN_GRACE="2") as worker:
        with worker.connect() as sending, worker.connect() as polling, worker.connect() as silent:
            sending.sendall(f"POST /v1/deployments HTTP/1.1\r\n{head}content-length: 1000000\r\n\r\nx".encode())
            polling.sendall(f"{poll}content-length: {len(read)}\r\n\r\n".encode() + read)
            silent.sendall(f"GET /v1/keys/current HTTP/1.1\r\n{head}\r\n".encode())
            assert b"200 OK" in silent.recv(65536)  # by now the others are in, too
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(timeout=20) == 0
            assert received(polling).startswith(b"HTTP/1.1 200")
            assert b"shutting down" in received(sending)
        assert "Traceback" not in worker.log.read_text()
