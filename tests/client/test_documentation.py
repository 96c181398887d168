"""That the examples of the client's documentation do what it says, and that it names every method."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path

import httpx

from tests.worker.routes.conftest import ADMIN
from workflow_studio.client import ComputeClient
from workflow_studio.compute import wire

PAGE = (Path(__file__).parents[2] / "docs/reference/client.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<output>.*?)```)?", re.DOTALL)


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
