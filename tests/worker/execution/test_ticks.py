"""How often the log is looked through in a turn."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from workflow_studio.worker import execution
from workflow_studio.worker.execution import find_node

pytestmark = pytest.mark.node

TICKS: Final = Path(execution.__file__).parent / "host" / "ticks.cjs"
PRELUDE: Final = f"""
require({str(TICKS)!r}).consumeOnce();
const seen = [];
"""


def printed(script: str) -> str:
    done = subprocess.run([find_node().path, "-e", PRELUDE + script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_log_is_looked_through_once_for_all_that_is_reached_in_a_turn() -> None:
    script = """
    const one = { consume: () => seen.push('one') };
    const other = { consume: () => seen.push('other') };
    process.nextTick(one.consume);
    process.nextTick(one.consume);
    process.nextTick(other.consume);
    process.nextTick(one.consume);
    setImmediate(() => console.log(seen.join()));
    """
    assert printed(script) == "one,other"


def test_what_is_reached_while_the_log_is_looked_through_has_it_looked_through_again() -> None:
    script = """
    const consumer = {
      consume: () => {
        seen.push('again');
        if (seen.length < 3) process.nextTick(consumer.consume);
      },
    };
    process.nextTick(consumer.consume);
    setImmediate(() => {
      process.nextTick(consumer.consume);
      setImmediate(() => console.log(seen.length));
    });
    """
    assert printed(script) == "4"


def test_other_ticks_are_left_alone() -> None:
    script = """
    const other = (...given) => seen.push(given.join('+') || 'nothing');
    const consume = (given) => seen.push(given);
    process.nextTick(other);
    process.nextTick(other);
    process.nextTick(other, 1, 2);
    process.nextTick(consume, 'a');
    process.nextTick(consume, 'b');
    try {
      process.nextTick('no function');
    } catch (error) {
      seen.push(error.code);
    }
    setImmediate(() => console.log(seen.join()));
    """
    assert printed(script) == "ERR_INVALID_ARG_TYPE,nothing,nothing,1+2,a,b"
