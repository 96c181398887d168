"""The wait for a run's end: who is made to wait, and how."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.node

# As in the SDK (source: @workflow/core 4.8.9, runtime/run.js), but for the pause.
RUN = """
class Run {
  constructor(runId) { this.runId = runId; this.world = world; }
  get status() { return this.world.runs.get(this.runId).then((run) => run.status); }
  get returnValue() { return this.pollReturnValue(); }
  async key() { return (async () => (await this.world.runs.get(this.runId)).runId)(); }
  async pollReturnValue() {
    while (true) {
      const run = await this.world.runs.get(this.runId);
      if (run.status === 'completed') { await this.key(); return run.output; }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
"""
WORLD = """
const calls = [];
const world = createWorld({ specVersion: 3, call: async (method, params, { waitMs }) => {
  calls.push([params.waitMs ?? null, waitMs ?? null]);
  return { runId: 'r', status: calls.length > 2 ? 'completed' : 'running', output: 5 };
} });
"""
TRAITS = {
    "plain": "",
    "stackless": "Error.stackTraceLimit = 0;",
    "prepared": "Error.prepareStackTrace = () => 'Error\\n    at nobody';",
    "broken": "Error.prepareStackTrace = () => { throw new Error('no stacks here'); };",
    "unwritable": "Object.defineProperty(Error, 'stackTraceLimit', { value: 3, writable: false, configurable: true });",
    "absent": "delete Error.stackTraceLimit;",
}


def evaluate(js_eval: Any, code: str, **values: Any) -> Any:
    return js_eval("(async () => {" + code + "})()", **values)


@pytest.mark.parametrize("trait", sorted(TRAITS))
def test_only_a_return_value_is_waited_for(js_eval: Any, trait: str) -> None:
    code = f"""
    const own = () => ['stackTraceLimit', 'prepareStackTrace'].map((name) => [
      name, Object.getOwnPropertyDescriptor(Error, name)]);
    const before = own();
    {WORLD} {RUN}
    try {{
      {TRAITS[trait]}
      const during = own();
      const run = new Run('r');
      const result = [await run.status, await run.returnValue];
      const untouched = require('node:util').isDeepStrictEqual(own(), during);
      return {{ calls, result, untouched }};
    }} finally {{
      for (const [name, descriptor] of before) {{
        delete Error[name];
        if (descriptor) Object.defineProperty(Error, name, descriptor);
      }}
    }}
    """
    assert evaluate(js_eval, code) == {
        # The status, two polls, and the read for the key.
        "calls": [[None, None], [25000, 25000], [25000, 25000], [None, None]],
        "result": ["running", 5],
        "untouched": True,
    }


def test_where_stacks_cannot_be_read_nobody_is_made_to_wait(js_eval: Any) -> None:
    code = """
    const script = `
      const { createWorld } = require(${JSON.stringify(path + '/world.cjs')});
      ${input.world} ${input.run}
      Object.freeze(Error);
      new Run('r').returnValue.then((value) => console.log(JSON.stringify([value, calls])));
    `;
    return JSON.parse(require('node:child_process').execFileSync(process.execPath, ['-e', script]));
    """
    assert evaluate(js_eval, code, world=WORLD, run=RUN) == [5, [[None, None]] * 4]


@pytest.mark.parametrize(("encrypts", "reads"), [(False, 0), (True, 1)])
def test_a_run_is_not_read_for_a_key_where_there_are_none(js_eval: Any, encrypts: bool, reads: int) -> None:
    code = """
    const calls = [];
    const world = createWorld({ specVersion: 3, encrypts: () => input.encrypts, call: async (method) => {
      calls.push(method);
      return method === 'runs.get' ? { runId: 'r', status: 'running' } : { key: new Uint8Array(1) };
    } });
    class Run {
      getEncryptionKey() {
        this.key ??= (async () => {
          const run = await world.runs.get('r');
          return (await world.getEncryptionKeyForRun(run))?.length;
        })();
        return this.key;
      }
    }
    return [await new Run().getEncryptionKey(), calls.filter((method) => method === 'runs.get').length];
    """
    assert evaluate(js_eval, code, encrypts=encrypts) == [1 if encrypts else None, reads]


def test_a_read_with_options_is_what_it_says(js_eval: Any) -> None:
    code = f"""
    {WORLD}
    class Run {{ async pollReturnValue() {{ return world.runs.get('r', {{ resolveData: 'none' }}); }} }}
    await new Run().pollReturnValue();
    return calls;
    """
    assert evaluate(js_eval, code) == [[None, None]]


POLL = """
const { createRunPoller } = require(path + '/polling.cjs');
let now = 0;
const own = Object.getOwnPropertyDescriptor(performance, 'now');
Object.defineProperty(performance, 'now', { configurable: true, value: () => now });
try {
  const asked = [];
  const poll = createRunPoller(async (params) => {
    asked.push(params.waitMs);
    const [took, status] = input.answers.shift();
    now += took;
    if (status === 'error') throw Object.assign(new Error('No.'), { name: 'WorkflowRunNotFoundError' });
    return { status };
  });
  const { status } = await poll('r').catch((error) => ({ status: error.name }));
  return { status, asked, rest: input.answers.length };
} finally {
  delete performance.now;
  if (own) Object.defineProperty(performance, 'now', own);
}
"""


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_polls_follow_each_other_until_the_run_has_ended(js_eval: Any, status: str) -> None:
    answers = [[25_000, "pending"], [25_001, "running"], [3, status]]
    assert evaluate(js_eval, POLL, answers=answers) == {"status": status, "asked": [25_000] * 3, "rest": 0}


@pytest.mark.parametrize("took", [0, 999])
def test_an_answer_that_comes_too_soon_leaves_the_pause_to_the_caller(js_eval: Any, took: int) -> None:
    answers = [[took, "running"], [0, "completed"]]
    assert evaluate(js_eval, POLL, answers=answers) == {"status": "running", "asked": [25_000], "rest": 1}


def test_polls_become_as_long_as_the_way_allows(js_eval: Any) -> None:
    answers = [[20_100, "running"], [12_500, "running"], [15_600, "running"], [1_500, "running"], [1, "completed"]]
    asked = evaluate(js_eval, POLL, answers=answers)["asked"]
    assert asked == [25_000, 12_500, 15_625, 19_531.25, 9_765.625]


def test_polls_are_never_shorter_than_the_callers_own_pause(js_eval: Any) -> None:
    answers = [[1_000, "running"]] * 7 + [[0, "completed"]]
    asked = evaluate(js_eval, POLL, answers=answers)["asked"]
    assert min(asked) == 1_000


def test_a_refusal_ends_the_wait(js_eval: Any) -> None:
    answers = [[25_000, "running"], [1, "error"]]
    assert evaluate(js_eval, POLL, answers=answers)["status"] == "WorkflowRunNotFoundError"


def test_too_many_that_wait_do_not_hold_all_connections(js_eval: Any) -> None:
    code = """
    const { createRunPoller } = require(path + '/polling.cjs');
    let waiting = 0;
    const release = [];
    const poll = createRunPoller(({ waitMs }) => {
      if (!waitMs) return Promise.resolve({ status: 'running' });
      waiting += 1;
      return new Promise((resolve) => release.push(resolve));
    });
    const polls = Array.from({ length: 256 }, () => poll('r'));
    const oneMore = await poll('r');
    const atOnce = waiting;
    for (const resolve of release) resolve({ status: 'completed' });
    await Promise.all(polls);
    const again = poll('r');
    const then = waiting;
    release.at(-1)({ status: 'completed' });
    return [atOnce, oneMore.status, then, (await again).status];
    """
    assert evaluate(js_eval, code) == [256, "running", 257, "completed"]


def test_where_waiting_costs_nothing_as_many_wait_as_like(js_eval: Any) -> None:
    """An executor's steps all share one connection, and one that were not let wait would keep a place from others."""
    code = """
    const { createWorld } = require(path + '/world.cjs');
    let waiting = 0;
    const call = async (method, params) => {
      if (params.waitMs === undefined) return { runId: 'r', status: 'running' };
      waiting += 1;
      return await new Promise(() => {});
    };
    const world = createWorld({ call, specVersion: 3, maxPolls: Infinity });
    for (let poll = 0; poll < 1000; poll++) void world.runs.getWhenFinished('r');
    await undefined;
    return waiting;
    """
    assert evaluate(js_eval, code) == 1000
