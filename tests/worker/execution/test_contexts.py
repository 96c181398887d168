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
SCRIPT: Final = f"""
const vm = require('node:vm');
const plain = vm.createContext;
let made = 0;
vm.createContext = (...given) => (made += 1, plain(...given));
const contexts = require({str(HOST)!r}).createContexts();
contexts.serve();
const seen = [];
contexts.prepareSoon();
contexts.prepareSoon();
seen.push(made);
setImmediate(() => {{
  contexts.prepareSoon();
  seen.push(made);
  const named = {{ n: 1 }};
  seen.push(vm.createContext(named) === named, made);
  const first = vm.createContext();
  seen.push(made);
  const second = vm.createContext();
  seen.push(made, first !== second);
  vm.runInContext('globalThis.mark = 1', first);
  seen.push(vm.isContext(first), vm.runInContext('typeof mark', second));
  console.log(seen.join());
}});
"""


def test_one_context_is_made_ahead_and_used_once() -> None:
    done = subprocess.run([find_node().path, "-e", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == "0,1,true,2,2,3,true,true,undefined"
