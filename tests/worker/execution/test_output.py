"""What deliveries print: kept apart, in order, with levels, bounded, and never in the way of what prints it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from workflow_studio.worker.ports import Failed, Handled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workflow_studio.worker.ports import Delivery, Line

pytestmark = pytest.mark.node


class Sink:
    """Keeps everything in memory; ``gate`` holds it up."""

    in_order = False

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[Line], int, int | None]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(
        self, delivery: Delivery, lines: Sequence[Line], *, dropped: int = 0, attempt: int | None = None
    ) -> None:
        await self.gate.wait()
        self.batches.append((delivery.id, list(lines), dropped, attempt))

    def lines(self, delivery: Delivery) -> list[Line]:
        return [line for name, lines, _, _ in self.batches if name == delivery.id for line in lines]

    def texts(self, delivery: Delivery) -> list[str]:
        return [line.text for line in self.lines(delivery)]

    def dropped(self, delivery: Delivery) -> int:
        return sum(dropped for name, _, dropped, _ in self.batches if name == delivery.id)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def run(make_pool: Any, artifact: Any, delivery: Any, sink: Sink) -> Callable[..., Any]:
    """Runs a step whose code is given, in a pool of its own, and returns its delivery."""

    async def run_step(code: str, kind: str = "step", **given: Any) -> Delivery:
        artifact(**{"flow" if kind == "workflow" else kind: handler(code)})
        message = delivery(kind, run_id="wrun_1", step_id=None if kind == "workflow" else "step_1", **given)
        assert await make_pool(output=sink).deliver(message) == Handled()
        return message

    return run_step


def handler(code: str) -> str:
    return f"module.exports.POST = async (request) => {{ {code}; return Response.json({{ ok: true }}); }};"


async def test_every_console_method_has_its_level(run: Any, sink: Sink) -> None:
    message = await run("for (const level of ['debug', 'log', 'info', 'warn', 'error']) console[level](level, 1)")
    assert [(line.level, line.text) for line in sink.lines(message)] == [
        ("debug", "debug 1"),
        ("info", "log 1"),
        ("info", "info 1"),
        ("warn", "warn 1"),
        ("error", "error 1"),
    ]


async def test_a_trace_is_a_debug_line_and_its_stack(run: Any, sink: Sink) -> None:
    message = await run("console.trace('here')")
    lines = sink.lines(message)
    assert lines[0].text == "Trace: here"
    assert len(lines) > 1
    assert {line.level for line in lines} == {"debug"}


async def test_values_are_formatted_as_node_prints_them(run: Any, sink: Sink) -> None:
    message = await run(
        "console.log('%s has %d: %o', 'x', 2, [1]); console.log({ a: { b: { c: { d: 1 } } } }, 5n, 'é')"
    )
    assert sink.texts(message) == ["x has 2: [ 1, [length]: 1 ]", "{ a: { b: { c: [Object] } } } 5n é"]


async def test_direct_writes_are_put_together_to_lines(run: Any, sink: Sink) -> None:
    code = """process.stdout.write('one, ');
        await sleep(120);
        process.stdout.write('still one\\ntwo\\nth');
        process.stderr.write(Buffer.from('apart\\n'));
        process.stdout.write('ree')"""
    message = await run(code)
    assert [(line.level, line.text) for line in sink.lines(message)] == [
        ("info", "one, still one"),
        ("info", "two"),
        ("warn", "apart"),
        ("info", "three"),
    ]


async def test_steps_side_by_side_keep_their_lines_apart(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink
) -> None:
    code = """const name = request.headers.get('x-vqs-message-id');
        for (let round = 0; round < 20; round++) {
            console.log(`${name} ${round}`);
            await sleep(round % 3);
        }"""
    artifact(step=handler(code))
    messages = [delivery(run_id=f"wrun_{number}", step_id="step_1") for number in range(20)]
    pool = make_pool(output=sink)
    assert await asyncio.gather(*(pool.deliver(message) for message in messages)) == [Handled()] * 20
    for message in messages:
        assert sink.texts(message) == [f"{message.message_id} {turn}" for turn in range(20)]


async def test_all_lines_are_stored_before_an_event_is_made_and_before_the_outcome_is_known(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, world: Any, eventually: Any
) -> None:
    code = """console.log('before the event');
        await world.events.create('wrun_1', { eventType: 'step_completed', correlationId: 'step_1' });
        console.log('before the end')"""
    artifact(step=handler(code))
    seen = []
    world.answers["events.create"] = lambda params: (seen.append(sink.texts(message)), params)[1]
    message = delivery(run_id="wrun_1", step_id="step_1")
    sink.gate.clear()
    delivering = asyncio.ensure_future(make_pool(output=sink).deliver(message))
    await asyncio.sleep(0.5)
    assert not world.made("events.create")
    sink.gate.set()
    await delivering
    assert seen == [["before the event"]]
    assert sink.texts(message) == ["before the event", "before the end"]


async def test_what_a_step_left_behind_prints_is_still_its_own(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, eventually: Any
) -> None:
    code = "setTimeout(() => console.log('a timer'), 80); sleep(100).then(() => process.stdout.write('a promise'))"
    artifact(step=handler(code))
    pool = make_pool(output=sink)
    first, second = delivery(run_id="wrun_1"), delivery(run_id="wrun_2")
    await pool.deliver(first)
    await pool.deliver(second)
    await eventually(lambda: len(sink.lines(first)) == len(sink.lines(second)) == 2)
    assert sink.texts(first) == ["a timer", "a promise"]


async def test_what_belongs_to_no_delivery_is_kept_for_none_and_everything_is_logged(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, caplog: Any, eventually: Any
) -> None:
    caplog.set_level(logging.INFO)
    artifact(step="console.log('loading');\n" + handler("console.warn('at work')"))
    message = delivery(run_id="wrun_1")
    await make_pool(output=sink).deliver(message)
    assert sink.texts(message) == ["at work"]
    await eventually(lambda: "at work" in caplog.text)
    assert "loading" in caplog.text


async def test_a_line_is_cut_and_says_so(run: Any, sink: Sink) -> None:
    message = await run("console.log('x'.repeat(100_000)); process.stdout.write('é'.repeat(20_000) + '\\nnext\\n')")
    long, wide, after = sink.texts(message)
    assert long == "x" * 16384 + " … (83616 more characters)"
    assert wide == "é" * 8192 + " … (11808 more characters)"
    assert after == "next"


async def test_escape_sequences_and_garbage_are_kept_out(run: Any, sink: Sink) -> None:
    code = r"""console.log('\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x00\x07\b',
            'tab\t.');
        process.stdout.write(Buffer.from([0xff, 0xfe, 0x41, 0x0d, 0x0a]));
        console.log('\ud800 lone', '\u202egnp.exe', '\u009b31mC1', '\x1b[')"""
    message = await run(code)
    assert sink.texts(message) == [
        "red link \\x00\\x07\\x08 tab\t.",
        "\ufffd\ufffdA",
        "\ufffd lone \\u202egnp.exe C1 \\x1b[",
    ]


async def test_a_step_that_prints_without_a_pause_loses_its_oldest_lines_and_they_are_counted(
    run: Any, sink: Sink
) -> None:
    message = await run("for (let i = 0; i < 30_000; i++) console.log(i)")
    texts = sink.texts(message)
    assert texts == [str(number) for number in range(20_000, 30_000)]
    assert sink.dropped(message) == 20_000


async def test_when_the_worker_is_slow_the_step_is_not_held_up_and_the_newest_lines_are_kept(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, world: Any, eventually: Any
) -> None:
    code = """for (let i = 0; i < 25_000; i++) { console.log(i); if (i % 1000 === 999) await sleep(1); }
        await world.runs.get('printed')"""
    artifact(step=handler(code))
    message = delivery(run_id="wrun_1")
    sink.gate.clear()
    delivering = asyncio.ensure_future(make_pool(output=sink).deliver(message))
    await eventually(lambda: world.made("runs.get"))
    assert not sink.batches
    sink.gate.set()
    assert await delivering == Handled()
    texts = sink.texts(message)
    assert texts[-10_000:] == [str(number) for number in range(15_000, 25_000)]
    assert len(texts) + sink.dropped(message) == 25_000


@pytest.mark.parametrize(
    "code",
    [
        "const log = console.log; console.log = (...all) => log('mine:', ...all); console.log('hello')",
        "console.log = (text) => process.stdout.write(`mine: ${text}\\n`); console.log('hello')",
        """const write = process.stdout.write;
            process.stdout.write = (text, ...rest) => write.call(process.stdout, 'mine: ' + text, ...rest);
            console.log('hello')""",
        "globalThis.console = new console.Console(process.stdout); console.log('mine: hello')",
    ],
)
async def test_a_console_of_the_apps_own_neither_breaks_it_nor_recurses(run: Any, sink: Sink, code: str) -> None:
    message = await run(code)
    assert sink.texts(message) == ["mine: hello"]


async def test_the_lines_of_a_crashed_executor_that_reached_the_worker_are_kept(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, world: Any
) -> None:
    code = """console.log('last words');
        await world.events.create('wrun_1', { eventType: 'step_started', correlationId: 'step_1' });
        process.kill(process.pid, 'SIGKILL')"""
    artifact(step=handler(code))
    message = delivery(run_id="wrun_1")
    outcome = await make_pool(output=sink).deliver(message)
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    assert sink.texts(message) == ["last words"]


async def test_a_sink_that_fails_fails_no_step(run: Any, sink: Sink, monkeypatch: Any, caplog: Any) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(sink, "append", fail)
    await run("console.log('lost')")
    assert "1 lines that delivery" in caplog.text


async def test_the_attempt_is_that_of_the_step(run: Any, sink: Sink) -> None:
    code = """const { AsyncLocalStorage } = require('node:async_hooks');
        const storage = globalThis[Symbol.for('WORKFLOW_STEP_CONTEXT_STORAGE')] = new AsyncLocalStorage();
        storage.run({ stepMetadata: { attempt: 3 } }, () => console.log('third time lucky'))"""
    await run(code, attempt=5)
    assert [attempt for _, _, _, attempt in sink.batches] == [3]


REPLAY = """const vm = require('node:vm');
    const context = vm.createContext();
    const inside = vm.runInContext('globalThis', context);
    inside.console = globalThis.console;
    vm.runInContext("console.log('one'); console.warn('two\\\\nthree')", context);
    console.log('from outside')"""


async def test_the_lines_of_a_workflow_function_are_numbered_and_those_about_it_are_not(run: Any, sink: Sink) -> None:
    message = await run(f"{REPLAY}; {REPLAY.replace('const', 'var')}".replace("const", "var"), kind="workflow")
    numbered = [("one", 0), ("two", 1), ("three", 2), ("from outside", None)]
    assert [(line.text, line.number) for line in sink.lines(message)] == numbered * 2


async def test_contexts_that_steps_make_are_left_alone(run: Any, sink: Sink) -> None:
    message = await run(f"{REPLAY}; if (inside.console !== console) console.log('touched')")
    assert [line.number for line in sink.lines(message)] == [None] * 4


async def test_a_workflow_function_may_have_a_console_of_its_own(run: Any, sink: Sink) -> None:
    code = REPLAY.replace("console.log('one')", "globalThis.console = { warn: () => {} }")
    message = await run(code, kind="workflow")
    assert sink.texts(message) == ["from outside"]


async def test_forged_batches_belong_to_nobody_and_nonsense_ends_the_executor(
    make_pool: Any, artifact: Any, delivery: Any, sink: Sink, tmp_path: Path
) -> None:
    code = """const fs = require('node:fs');
        const cbor = (text) => Buffer.from(text, 'hex');
        const body = cbor(REQUEST);
        const head = Buffer.alloc(4); head.writeUInt32BE(body.length);
        fs.writeSync(3, Buffer.concat([head, body]));
        await sleep(300)"""
    from workflow_studio.compute.wire import encode  # noqa: PLC0415

    line = {"at": 10**18, "level": "info", "text": "forged"}
    forged = {"t": "output", "delivery": "dlv_of_another", "lines": [line], "dropped": 0}
    nonsense = {"t": "output", "delivery": "x", "lines": [{"at": 1, "level": "loud", "text": ""}], "dropped": 0}
    artifact(step=handler(code.replace("REQUEST", f"'{encode(forged).hex()}'")))
    message = delivery(run_id="wrun_1")
    assert await make_pool(output=sink).deliver(message) == Handled()
    assert sink.batches == []
    artifact(step=handler(code.replace("REQUEST", f"'{encode(nonsense).hex()}'")))
    outcome = await make_pool(output=sink).deliver(delivery(run_id="wrun_1"))
    assert isinstance(outcome, Failed)
    assert "makes no sense" in outcome.message
