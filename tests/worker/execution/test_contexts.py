"""Contexts that are made before they are asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from workflow_studio.worker import execution
from workflow_studio.worker.execution import find_node

pytestmark = pytest.mark.node

HOST: Final = Path(execution.__file__).parent / "host" / "contexts.cjs"
PRELUDE: Final = f"""
const vm = require('node:vm');
const plain = vm.createContext;
let made = 0;
vm.createContext = (...given) => (made += 1, plain(...given));
let isReplay = true;
const contexts = require({str(HOST)!r}).createContexts(() => isReplay);
contexts.serve();
const seen = [];
/** Calls back once so many contexts have been made. */
const once = (count, done) => (made < count ? setImmediate(once, count, done) : done());
"""


def printed(script: str) -> str:
    done = subprocess.run([find_node().path, "-e", PRELUDE + script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def test_one_context_is_made_ahead_and_used_once() -> None:
    script = """
    contexts.prepareSoon();
    contexts.prepareSoon();
    seen.push(made);
    once(1, () => {
      contexts.prepareSoon();
      const named = { n: 1 };
      seen.push(vm.createContext(named) === named, made);
      const first = vm.createContext();
      seen.push(made);
      const second = vm.createContext();
      seen.push(made, first !== second);
      vm.runInContext('globalThis.mark = 1', first);
      seen.push(vm.isContext(first), vm.runInContext('typeof mark', second));
      contexts.prepareSoon();
      once(4, () => console.log(seen.join()));
    });
    """
    assert printed(script) == "0,true,2,2,3,true,true,undefined"


def test_the_global_object_of_a_replay_is_an_ordinary_one() -> None:
    script = """
    for (const _ of [1, 2]) {
      const context = vm.createContext();
      const own = vm.runInContext('globalThis', context);
      own.given = 1;
      seen.push(own === context, vm.runInContext('given + (typeof process)', context));
      contexts.prepareSoon();
    }
    once(3, () => {
      const ahead = vm.createContext();
      seen.push(vm.runInContext('globalThis', ahead) === ahead, ahead !== globalThis);
      console.log(seen.join());
    });
    """
    assert printed(script) == "true,1undefined,true,1undefined,true,true"


def test_others_get_contexts_as_they_are_anywhere() -> None:
    script = """
    contexts.prepareSoon();
    once(1, () => {
      isReplay = false;
      const context = vm.createContext();
      console.log(made, vm.runInContext('globalThis', context) === context);
    });
    """
    assert printed(script) == "2 false"
