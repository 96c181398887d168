"""``js_eval``: evaluates JavaScript expressions in one Node process, cheaply enough for property tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Self

import pytest

from workflow_studio.compute import js

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT = """
const path = process.argv[1];
const cbor = require(path + '/cbor.cjs');
const errors = require(path + '/errors.cjs');
const { createWorld, createQueueHandler } = require(path + '/world.cjs');
const { withRunOptions } = require(path + '/run-options.cjs');
const evaluate = async (line) => {
  const { expression, input } = JSON.parse(line);
  try {
    const run = eval(`(async (input) => (${expression}))`);
    return { value: await run(input) };
  } catch (error) {
    return { error: { name: error.name, message: error.message, ...error } };
  }
};
require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  process.stdout.write(JSON.stringify(await evaluate(line)) + '\\n');
});
"""


class JavaScriptError(Exception):
    """What an expression threw; its own fields are in ``fields``."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['name']}: {error['message']}")
        self.fields = error


class NodeRepl:
    def __enter__(self) -> Self:
        node = shutil.which("node")
        assert node is not None, "these tests need node on PATH"
        self.process = subprocess.Popen(
            [node, "-e", _SCRIPT, str(js.path())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=10)

    def __call__(self, expression: str, **values: Any) -> Any:
        """Evaluate an expression, with ``values`` as ``input``; return its value (through JSON)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"expression": expression, "input": values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise JavaScriptError(answer["error"])
        return answer.get("value")


@pytest.fixture(scope="session")
def js_eval() -> Iterator[NodeRepl]:
    with NodeRepl() as repl:
        yield repl
