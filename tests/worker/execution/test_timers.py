"""How long timers of 0 ms last in replays, and those of the length that stands for the end of a turn."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from workflow_studio.worker import execution
from workflow_studio.worker.execution import find_node

pytestmark = pytest.mark.node

TIMERS: Final = Path(execution.__file__).parent / "host" / "timers.cjs"
PRELUDE: Final = f"""
const seen = [];
let isReplay = true;
const shorten = () => require({str(TIMERS)!r}).shortenTimers(() => isReplay);
const afterTurns = (done) => setImmediate(() => setImmediate(() => setImmediate(done)));
const show = () => console.log(seen.join());
"""

BY_HAND: Final = """
// Timers and digests that end when they are told to.
const timers = [];
globalThis.setTimeout = (callback) => {
  const timer = { end: () => timer.isCleared || callback() };
  timers.push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => (timer.isCleared = true);
let endDigest;
crypto.subtle.digest = () => new Promise((resolve) => (endDigest = resolve));
"""


def printed(script: str) -> str:
    done = subprocess.run([find_node().path, "-e", PRELUDE + script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def test_in_a_replay_each_takes_a_turn_of_the_event_loop() -> None:
    script = """
    shorten();
    let turns = 0;
    const count = () => {
      turns += 1;
      if (!seen.length) setImmediate(count);
    };
    setImmediate(count);
    const next = (left) => (left ? setTimeout(next, 0, left - 1) : (seen.push(turns), show()));
    next(20);
    """
    assert printed(script) in {"19", "20", "21"}


def test_what_settles_by_itself_has_settled_before() -> None:
    script = """
    shorten();
    setTimeout(() => (seen.push('timer'), show()), 0);
    const settle = async () => {
      for (let n = 0; n < 1000; n += 1) await undefined;
      seen.push('settled');
    };
    process.nextTick(settle);
    """
    assert printed(script) == "settled,timer"


def test_each_ends_once_and_in_order_even_if_it_is_due_already() -> None:
    script = """
    shorten();
    setTimeout(() => seen.push('first'), 0);
    setTimeout(() => seen.push('second'), 0);
    const since = performance.now();
    while (performance.now() - since < 20);
    afterTurns(show);
    """
    assert printed(script) == "first,second"


def test_one_that_is_cleared_never_ends() -> None:
    script = """
    shorten();
    clearTimeout(setTimeout(() => seen.push('cleared'), 0));
    clearTimeout(undefined);
    setTimeout(() => afterTurns(show), 5);
    seen.push('nothing');
    """
    assert printed(script) == "nothing"


def test_a_digest_is_given_the_time_it_always_had() -> None:
    script = f"""
    {BY_HAND}
    shorten();
    setTimeout(() => seen.push('timer'), 0);
    void crypto.subtle.digest('SHA-256', new Uint8Array());
    afterTurns(() => {{
      seen.push('waiting');
      timers[0].end();
      endDigest();
      setTimeout(() => seen.push('soon'), 0);
      afterTurns(show);
    }});
    """
    assert printed(script) == "waiting,timer,soon"


def test_elsewhere_and_for_longer_times_they_are_as_they_were() -> None:
    script = f"""
    {BY_HAND}
    shorten();
    setTimeout(() => seen.push('long'), 1);
    isReplay = false;
    setTimeout(() => seen.push('step'), 0);
    setTimeout(() => seen.push('none'));
    void crypto.subtle.digest('SHA-256', new Uint8Array());
    isReplay = true;
    setTimeout(() => seen.push('replay'), 0);
    afterTurns(show);
    """
    assert printed(script) == "replay"


def test_one_of_the_length_that_only_the_world_names_is_short_in_steps_too() -> None:
    script = f"""
    {BY_HAND}
    shorten();
    isReplay = false;
    const {{ TURN_END_MS }} = require({str(TIMERS)!r});
    setTimeout(() => seen.push('chunk'), TURN_END_MS);
    clearTimeout(setTimeout(() => seen.push('cleared'), TURN_END_MS));
    setTimeout(() => seen.push('step'), 0);
    afterTurns(show);
    """
    assert printed(script) == "chunk"


def test_the_promise_of_a_timer_stays_what_it_was() -> None:
    script = "shorten(); require('node:util').promisify(setTimeout)(0, 'value').then((value) => console.log(value));"
    assert printed(script) == "value"
