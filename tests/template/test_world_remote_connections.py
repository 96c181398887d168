"""The connections of the app's World to the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.template.remote_world import RUN, WORLD, a_run, config, environment
from tests.template.support import Answer, FakeWorker, Request, cbor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


def test_a_connection_is_kept_as_long_as_its_server_says(app: App, worker: FakeWorker) -> None:
    def answer(request: Request) -> Answer:
        hint = {"keep-alive": "timeout=75"} if "X" in request.params["runId"] else {}
        return cbor(a_run(), **hint)

    worker.answer = answer
    kept = app.value(
        f"{WORLD} const {{Socket}} = require('node:net'); const {{setTimeout: original}} = Socket.prototype;"
        "const last = []; let set;"
        "Socket.prototype.setTimeout = function (ms, ...more) { set = ms; return original.call(this, ms, ...more); };"
        f"for (const runId of ['{RUN}', '{RUN}X', '{RUN}']) {{ await world.runs.get(runId);"
        " await new Promise(setImmediate); last.push(set); } return last",
        **environment(worker),
    )
    assert kept == [4_000, 74_000, 4_000]


def test_connections_are_kept_and_one_that_was_closed_is_no_failure(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    value = app.value(
        f"""
        const net = require('node:net');
        let connections = 0, requests = 0;
        const server = net.createServer((socket) => {{
          connections += 1;
          socket.on('error', () => {{}});
          socket.on('data', () => {{
            requests += 1;
            // The third request finds its connection reset.
            if (requests === 3) return socket.resetAndDestroy();
            const body = Buffer.from('a16474657374f5', 'hex');
            socket.write('HTTP/1.1 200 OK\\r\\ncontent-type: application/cbor\\r\\n');
            socket.write(`content-length: ${{body.length}}\\r\\n\\r\\n`);
            socket.write(body);
          }});
        }});
        await new Promise((done) => server.listen(0, '127.0.0.1', done));
        process.env.WORKFLOW_COMPUTE_BASE_URL = `http://127.0.0.1:${{server.address().port}}`;
        {WORLD}
        for (let n = 0; n < 3; n += 1) await world.steps.get('{RUN}', 'step_1');
        server.close();
        return [connections, requests];
        """,
        WORKFLOW_TARGET_WORLD="workflow-studio/world-remote",
    )
    assert value == [2, 4]


def test_an_app_that_has_its_requests_go_another_way_is_obeyed(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"deploymentId": "dep_1"}))
    value = app.value(
        f"""
        {WORLD}
        await fetch('data:,').catch(() => {{}});
        const name = Symbol.for('undici.globalDispatcher.1');
        const usual = globalThis[name];
        let dispatched = 0;
        class ProxyAgent {{
          dispatch(...args) {{ dispatched += 1; return usual.dispatch(...args); }}
        }}
        globalThis[name] = new ProxyAgent();
        return [await world.getDeploymentId(), dispatched];
        """,
        **environment(worker),
    )
    assert value == ["dep_1", 1]
