"""Streams over a recorded transport: writes that run ahead, and reads to the end."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.node

# A World whose calls are answered when the test says so. `sent` is what was called.
GATED = """
const sent = [], open = [], ahead = [];
const world = createWorld({ specVersion: 3, onAhead: (stored) => ahead.push(stored), call: (method, params) => {
  sent.push([method, params.sequence ?? null, (params.chunks ?? []).map((chunk) => Buffer.from(chunk).toString()),
             params.closes ?? false, params.runId]);
  return new Promise((resolve, reject) => open.push({ resolve, reject }));
} });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const answer = async (error) => {
  const { resolve, reject } = open.shift();
  error ? reject(error) : resolve({});
  await turn();
};
const settled = async (promise) => Promise.race([promise.then(() => true, () => true), turn().then(() => false)]);
"""


def run(js_eval: Any, code: str, **values: Any) -> Any:
    """Run statements with a ``world`` whose calls are in ``calls`` and answered from ``answers``."""
    prelude = """
    const calls = [], answers = input.answers ?? {};
    const call = async (method, params, options) => {
      calls.push({ method, params, ...options, signal: undefined });
      return answers[method]?.shift() ?? {};
    };
    const world = createWorld({ call, specVersion: 3 });
    """
    return js_eval("(async () => {" + prelude + code + "})()", **values)


def gated(js_eval: Any, code: str) -> Any:
    return js_eval("(async () => {" + GATED + code + "})()")


def test_what_comes_while_a_write_is_under_way_is_one_write_with_the_close(js_eval: Any) -> None:
    code = """
    await world.writeToStream('s', 'r', 'é');
    await world.writeToStreamMulti('s', 'r', ['b', new Uint8Array([99])]);
    await world.streams.write('r', 's', 'd');
    const closed = world.closeStream('s', 'r');
    const before = [sent.length, await settled(closed)];
    await answer();
    const between = [sent.length, await settled(closed)];
    await answer();
    await closed;
    return { before, between, sent, left: open.length };
    """
    assert gated(js_eval, code) == {
        "before": [1, False],
        "between": [2, False],
        "sent": [["streams.write", 0, ["é"], False, "r"], ["streams.write", 1, ["b", "c", "d"], True, "r"]],
        "left": 0,
    }


def test_writes_of_two_runs_and_what_follows_a_close_are_not_put_together(js_eval: Any) -> None:
    code = """
    for (const [run, chunk] of [['r', 'a'], ['r', 'b'], ['q', 'c']]) await world.writeToStream('s', run, chunk);
    const closed = world.closeStream('s', 'q');
    await world.writeToStream('s', 'q', 'late');
    const alone = world.closeStream('t', 'r');
    while (open.length) await answer();
    await Promise.all([closed, alone]);
    return sent;
    """
    assert gated(js_eval, code) == [
        ["streams.write", 0, ["a"], False, "r"],
        ["streams.close", None, [], False, "r"],
        ["streams.write", 1, ["b"], False, "r"],
        ["streams.write", 2, ["c"], True, "q"],
        ["streams.write", 3, ["late"], False, "q"],
    ]


def test_a_write_that_fails_is_told_by_the_next_one_or_by_the_close(js_eval: Any) -> None:
    code = """
    const outcome = (promise) => promise.then(() => 'ok', (error) => error.message);
    const outcomes = [await outcome(world.writeToStream('s', 'r', 'a'))];
    await answer(errors.worldError('first'));
    outcomes.push(await outcome(world.writeToStream('s', 'r', 'b')), await outcome(world.writeToStream('s', 'r', 'c')));
    const closed = outcome(world.closeStream('s', 'r'));
    await answer(errors.worldError('second'));
    outcomes.push(await closed, await outcome(world.writeToStream('s', 'r', 'd')));
    return { outcomes, sent: sent.map(([, sequence, chunks]) => [sequence, chunks]) };
    """
    assert gated(js_eval, code) == {
        "outcomes": ["ok", "first", "ok", "second", "ok"],
        "sent": [[0, ["a"]], [1, ["c"]], [2, ["d"]]],
    }


def test_a_writer_that_is_too_far_ahead_waits(js_eval: Any) -> None:
    code = """
    const large = new Uint8Array(700_000);
    await world.writeToStream('s', 'r', large);
    await world.writeToStream('s', 'r', large);
    const third = world.writeToStream('s', 'r', large);
    const other = await settled(world.writeToStream('t', 'r', large));
    const before = await settled(third);
    await answer();
    return [before, await settled(third), other, sent.map(([, , chunks]) => chunks.length)];
    """
    assert gated(js_eval, code) == [False, True, True, [1, 1, 2]]


def test_whoever_asks_for_what_was_written_gets_it_once_it_is_stored(js_eval: Any) -> None:
    code = """
    await world.writeToStream('s', 'r', 'a');
    const asked = [world.getStreamInfo('s', 'r'), world.getStreamChunks('s', 'r'), world.listStreamsByRunId('r')];
    const other = world.getStreamInfo('t', 'r');
    const closing = world.close();
    await turn();
    const before = sent.map(([method]) => method);
    const stored = ahead.length === 1 && !(await settled(ahead[0]));
    await answer();
    await closing;
    return { before, stored, after: sent.map(([method]) => method).slice(before.length) };
    """
    assert gated(js_eval, code) == {
        "before": ["streams.write", "streams.info"],
        "stored": True,
        "after": ["streams.info", "streams.chunks", "streams.list"],
    }


def test_two_worlds_write_under_different_names(js_eval: Any) -> None:
    code = """
    await world.writeToStream('s', 'r', 'a');
    await createWorld({ call, specVersion: 3 }).writeToStream('s', 'r', 'a');
    return calls[0].params.writerId !== calls[1].params.writerId && calls[0].idempotent;
    """
    assert run(js_eval, code) is True


def test_the_end_of_a_stream_that_was_read_is_known(js_eval: Any) -> None:
    code = """
    for await (const chunk of await world.readFromStream('s', input.start));
    return [await world.getStreamInfo('s', 'r'), calls.map(({ method }) => method)];
    """
    pages = [{"chunks": ["a"], "nextIndex": 3, "done": False}, {"chunks": [], "nextIndex": 3, "done": True}]
    known = run(js_eval, code, start=2, answers={"streams.read": pages})
    assert known == [{"tailIndex": 2, "done": True}, ["streams.read", "streams.read"]]
    # Past its end there is nothing to be learned of where that is.
    past = [{"chunks": [], "nextIndex": 9, "done": True}]
    assert run(js_eval, code, start=9, answers={"streams.read": past})[1] == ["streams.read", "streams.info"]


READ_ALL = """
const received = [];
for await (const chunk of await world.readFromStream('s', input.start)) received.push(chunk);
return { received, polls: calls.map(({ params, waitMs }) => [params.startIndex, params.waitMs === waitMs && waitMs]) };
"""


def test_a_stream_is_followed_to_its_end(js_eval: Any) -> None:
    pages = [
        {"chunks": ["a", "b"], "nextIndex": 2, "done": False},
        {"chunks": [], "nextIndex": 2, "done": False},
        {"chunks": ["c"], "nextIndex": 3, "done": True},
    ]
    assert run(js_eval, READ_ALL, answers={"streams.read": pages}) == {
        "received": ["a", "b", "c"],
        "polls": [[0, 25000], [2, 25000], [2, 25000]],
    }


def test_a_negative_start_is_settled_when_the_stream_is_opened(js_eval: Any) -> None:
    pages = [{"chunks": [], "nextIndex": 0, "done": False}, {"chunks": ["x"], "nextIndex": 1, "done": True}]
    assert run(js_eval, READ_ALL, start=-3, answers={"streams.read": pages}) == {
        "received": ["x"],
        "polls": [[-3, 0], [0, 25000]],
    }


def test_cancelling_a_stream_gives_its_poll_up(js_eval: Any) -> None:
    code = """
    let signal;
    const hanging = createWorld({ specVersion: 3, call: (method, params, options) => new Promise((resolve, reject) => {
      signal = options.signal;
      signal.addEventListener('abort', () => reject(signal.reason));
    }) });
    const reader = (await hanging.readFromStream('s')).getReader();
    const read = reader.read();
    await reader.cancel();
    return [signal.aborted, (await read).done];
    """
    assert run(js_eval, code) == [True, True]


def test_a_failing_poll_fails_the_stream(js_eval: Any) -> None:
    code = """
    const broken = createWorld({ specVersion: 3, call: async () => { throw errors.transportError('gone'); } });
    try { for await (const _ of await broken.readFromStream('s')); } catch (error) { return [error.name, error.code]; }
    """
    assert run(js_eval, code) == ["WorkflowWorldError", "TRANSPORT"]
