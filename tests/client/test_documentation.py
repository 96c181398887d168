"""That the examples of the client's documentation do what it says, and that it names every method."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.worker.artifacts.archives import artifact, manifest_of, redigested
from tests.worker.routes.conftest import ADMIN, FakePool, make_settings
from workflow_studio.client import ComputeClient
from workflow_studio.compute import wire
from workflow_studio.worker.app import create_app

PAGE = (Path(__file__).parents[2] / "docs/reference/client.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<output>.*?)```)?", re.DOTALL)
WORKFLOW = "workflow//./workflows/order//processOrder"


@pytest.fixture
def url(tmp_path):
    """Serve a worker whose executors take messages and do nothing, with a deployment that is active."""
    app = create_app(make_settings(tmp_path / "data"), pool=FakePool())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        archive = tmp_path / "artifact.tgz"
        archive.write_bytes(artifact(manifest=redigested(manifest_of(workflows=[WORKFLOW]))))
        with ComputeClient(url, ADMIN) as client:
            client.activate_deployment(client.create_deployment(archive).deployment_id)
        yield url
    finally:
        server.should_exit = True
        thread.join()


def write_stream(url, run_id):
    body = {"name": "progress", "runId": run_id, "chunks": [b"half ", b"done"], "writerId": "w", "sequence": 0}
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/cbor"}
    httpx.post(f"{url}/v1/world/streams/write", content=wire.encode(body), headers=headers).raise_for_status()


def test_the_examples_do_what_the_page_says(url):
    names = {"url": url, "api_key": ADMIN}
    examples = list(EXAMPLE.finditer(PAGE))
    assert len(examples) >= 8
    for example in examples:
        if "read_run_stream(" in example["code"]:
            write_stream(url, names["started"].run_id)
        printed = io.StringIO()
        code = compile(example["code"], "client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(printed):
            awaited = eval(code, names)
            if inspect.iscoroutine(awaited):
                asyncio.run(awaited)
        assert printed.getvalue() == (example["output"] or ""), example["code"]


def test_the_page_names_every_method():
    methods = {name for name, _ in inspect.getmembers(ComputeClient, inspect.isfunction) if name[0] != "_"}
    twins = {
        name
        for name in methods
        if name.startswith("iter_") and f"`list_{name.removeprefix('iter_')}`" in PAGE and "`iter_` twins" in PAGE
    }
    assert [name for name in sorted(methods - twins) if f"`{name}`" not in PAGE] == []
