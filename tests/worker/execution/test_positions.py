"""Positions in errors and in what is printed are those of the user's files."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.node import newer_node
from workflow_studio.worker.execution import executor, find_node, find_nodes
from workflow_studio.worker.ports import Handled, Undelivered

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.worker.ports import Delivery, Line

pytestmark = pytest.mark.node

HOST = executor.__file__.replace("executor.py", "host")
PRELUDE_LINES = 2
"""Lines that the fixture puts before a bundle."""

FIRST_LINE = 101
"""The line of the user's file that the first line of a bundle is mapped to."""

NODES = [
    pytest.param(lambda: find_nodes()[-1:], id="system"),
    pytest.param(lambda: find_nodes(newer_node()), id="newer"),
]


class Sink:
    """Keeps the lines."""

    in_order = False

    def __init__(self) -> None:
        self.lines: list[Line] = []

    async def append(self, delivery: Delivery, lines: Any, *, dropped: int = 0, attempt: int | None = None) -> None:
        self.lines += lines

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def with_map(code: str, source: str = "../../../workflows/order.ts") -> str:
    """Return code with a map: line n of the bundle is line n + 100 of the source, column 1."""
    lines = PRELUDE_LINES + code.count("\n") + 1
    described = {"version": 3, "sources": [source], "names": [], "mappings": ";".join(["AAoGA"] + ["AACA"] * lines)}
    encoded = base64.b64encode(json.dumps(described).encode()).decode()
    return f"{code}\n//# sourceMappingURL=data:application/json;base64,{encoded}\n"


def line_of(code: str, mark: str) -> int:
    """Return the line of the user's file that has a mark in the code."""
    (number,) = [number for number, line in enumerate(code.split("\n")) if mark in line]
    return FIRST_LINE + PRELUDE_LINES + number


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def run(make_pool: Any, artifact: Any, delivery: Any, sink: Sink) -> Callable[..., Any]:
    """Runs one step, or a replay, of the bundles that are given."""

    async def run_one(kind: str = "step", nodes: Any = None, **bundles: str) -> Any:
        artifact(**bundles)
        options = {} if nodes is None else {"nodes": nodes}
        message = delivery(kind, run_id="wrun_1", step_id=None if kind == "workflow" else "step_1")
        return await make_pool(output=sink, **options).deliver(message)

    return run_one


FAILING = """
function charge(amount) {
  throw new Error(`Refused: ${amount}`); // here
}
module.exports.POST = async () => {
  try {
    charge(5); // from here
  } catch (error) {
    console.error(error);
    await world.events.create('wrun_1', {
      eventType: 'step_failed', correlationId: 'step_1', eventData: { error: error.message, stack: error.stack },
    });
    await world.events.create('wrun_1', {
      eventType: 'run_failed', eventData: { error: { message: 'x', stack: error.stack } },
    });
  }
  return Response.json({});
};
"""


@pytest.mark.parametrize("nodes", NODES)
async def test_an_errors_stack_names_the_users_lines_where_it_is_recorded_and_printed(
    run: Any, world: Any, sink: Sink, nodes: Callable[[], Any]
) -> None:
    assert await run(step=with_map(FAILING), nodes=nodes()) == Handled()
    here, from_here = line_of(FAILING, "// here"), line_of(FAILING, "// from here")
    step_failed, run_failed = (call["event"]["eventData"] for call in world.made("events.create"))
    for stack in (step_failed["stack"], run_failed["error"]["stack"], sink.text):
        frames = stack.split("\n")
        assert frames[0] == "Error: Refused: 5"
        assert frames[1].strip() == f"at charge (workflows/order.ts:{here}:1)"
        assert f"(workflows/order.ts:{from_here}:1)" in frames[2]
    assert (step_failed["error"], run_failed["error"]["message"]) == ("Refused: 5", "x")


async def test_what_code_does_with_stacks_of_its_own_is_left_to_it(run: Any, sink: Sink) -> None:
    code = """
    const plain = new Error('plain').stack;
    Error.prepareStackTrace = (error, frames) => frames.map((frame) => frame.getLineNumber());
    const own = new Error('own').stack;
    module.exports.POST = async () => {
      console.log(/step\\.js:\\d+/.test(plain), Array.isArray(own), own[0] > 0);
      return Response.json({});
    };
    """
    assert await run(step=with_map(code)) == Handled()
    assert sink.text == "true true true"


async def test_errors_of_a_handler_have_stacks_once_it_has_waited(run: Any, sink: Sink) -> None:
    # Before that nothing runs but the SDK's code, which makes errors that nobody reads.
    code = """
    const frames = () => new Error('here').stack.split('\\n').length - 1;
    module.exports.POST = world.createQueueHandler('__wkf_step_', async () => {
      const before = frames();
      await undefined;
      console.log(before, frames() > 0, Error.stackTraceLimit);
    });
    """
    assert await run(step=code) == Handled()
    assert sink.text == "0 true 10"


@pytest.mark.parametrize(
    "end",
    [
        "",
        "//# sourceMappingURL=data:application/json;base64,bm8gSlNPTg==",
        "//# sourceMappingURL=data:application/json;base64,e30=",
        "//# sourceMappingURL=step.js.map",
    ],
    ids=["none", "broken", "empty", "elsewhere"],
)
async def test_without_a_map_positions_stay_as_they_are(run: Any, sink: Sink, end: str) -> None:
    assert await run(step=f"{FAILING}\n{end}\n") == Handled()
    assert "at charge (" in sink.text
    assert f"step.js:{line_of(FAILING, '// here') - FIRST_LINE + 1}:" in sink.text


async def test_files_of_packages_and_of_other_folders_are_named_so_that_they_are_known(run: Any, sink: Sink) -> None:
    for source, shown in (
        ("../../../../node_modules/.pnpm/zod@4/node_modules/zod/core.js", "node_modules/zod/core.js"),
        ("../../../../shared/money.ts", "../shared/money.ts"),
        ("src/steps.ts", "src/steps.ts"),
    ):
        assert await run(step=with_map(FAILING, source)) == Handled()
        assert f"at charge ({shown}:{line_of(FAILING, '// here')}:1)" in sink.text


async def test_an_artifact_that_cannot_be_loaded_says_where_in_the_users_file(run: Any) -> None:
    code = "\nundefined.nothing; // here\n"
    outcome = await run(step=with_map(code))
    assert isinstance(outcome, Undelivered)
    assert f"workflows/order.ts:{line_of(code, '// here')}:1" in outcome.message


async def test_what_a_workflow_function_prints_names_its_lines(run: Any, sink: Sink) -> None:
    inner = with_map("globalThis.order = (log) => {\n  log(new Error('looked at')); // here\n};")
    code = f"""
    const vm = require('node:vm');
    module.exports.POST = async () => {{
      const context = vm.createContext();
      new vm.Script({json.dumps(inner)}, {{ filename: './workflows/order' }}).runInContext(context);
      context.order(console.error);
      return Response.json({{}});
    }};
    """
    assert await run("workflow", flow=code) == Handled()
    assert f"workflows/order.ts:{FIRST_LINE + 1}:1)" in sink.text


def test_a_lookup_finds_what_nodes_own_reader_of_maps_finds() -> None:
    script = """
    const { SourceMap } = require('node:module');
    const { readSourceMap } = require(`${process.argv[1]}/source-map.cjs`);
    const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    let seed = 1;
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    const vlq = (value) => {
      let rest = value < 0 ? (-value << 1) | 1 : value << 1;
      let text = '';
      do {
        const digit = rest & 31;
        rest >>>= 5;
        text += DIGITS[rest ? digit | 32 : digit];
      } while (rest);
      return text;
    };
    let before = [0, 0, 0];
    const lines = Array.from({ length: 300 }, () => {
      let column = 0;
      return Array.from({ length: random(9) }, (_, n) => {
        const step = n ? 1 + random(40) : random(3);
        column += step;
        const now = [random(5), random(5000), random(200)];
        const fields = [step, ...now.map((value, at) => value - before[at])];
        before = now;
        if (random(4) === 0) fields.push(random(7) - 3);
        return fields.map(vlq).join('');
      }).join(',');
    });
    const map = { version: 3, sources: ['../../../0.ts', 'b/1.ts', '2.ts', '3.ts', '4.ts'], mappings: lines.join(';') };
    const encoded = Buffer.from(JSON.stringify(map)).toString('base64');
    const find = readSourceMap(`code\\n//# sourceMappingURL=data:application/json;base64,${encoded}\\n`);
    const theirs = new SourceMap(map);
    let found = 0;
    for (let line = 1; line <= 310; line += 1) {
      for (let column = 1; column < 200; column += 3) {
        const one = find(line, column);
        const other = theirs.findEntry(line - 1, column - 1);
        const isThere = other.originalSource !== undefined && other.generatedLine === line - 1;
        if (isThere !== (one !== undefined)) throw new Error(`${line}:${column}`);
        if (!one) continue;
        found += 1;
        const same = other.originalLine === one.line - 1 && other.originalColumn === one.column - 1;
        if (!same || !other.originalSource.endsWith(one.file)) throw new Error(`${line}:${column} differs`);
      }
    }
    console.log(found);
    """
    done = subprocess.run([find_node().path, "-e", script, HOST], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert int(done.stdout) > 5000
