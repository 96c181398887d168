"""Which functions of a bundle keep no name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from workflow_studio.worker import execution
from workflow_studio.worker.execution import find_node

pytestmark = pytest.mark.node

NAMES: Final = Path(execution.__file__).parent / "host" / "names.cjs"
BUNDLE: Final = """
let atLoad;
const bundle = withoutNeedlessNames(() => {
  const defineProperty = Object.defineProperty;
  const named = (target, value) => defineProperty(target, 'name', { value, configurable: true });
  atLoad = named((value) => value, 'Map').name;
  return { named, defineProperty };
});
"""
"""What begins as bundlers begin that keep names."""


def printed(script: str) -> object:
    program = f"const {{ withoutNeedlessNames }} = require({str(NAMES)!r});\n{BUNDLE}\n{script}"
    done = subprocess.run([find_node().path, "-e", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_nameless_function_is_not_given_the_name_of_a_type() -> None:
    assert printed("console.log(JSON.stringify(bundle.named(() => {}, 'Uint8Array').name))") == ""


def test_a_closure_that_the_sdk_keeps_to_itself_is_given_no_name() -> None:
    assert printed("console.log(JSON.stringify(bundle.named(() => {}, 'finish').name))") == ""


def test_a_function_that_has_its_name_is_not_given_it_again() -> None:
    script = """
    let isTouched = false;
    const work = new Proxy(function work() {}, {
      defineProperty: (...given) => (isTouched = true, Reflect.defineProperty(...given)),
    });
    const named = [bundle.named(work, 'work').name, isTouched];
    bundle.named(work, 'play');
    console.log(JSON.stringify([...named, isTouched]));
    """
    assert printed(script) == ["work", False, True]


def test_functions_get_all_other_names() -> None:
    script = """
    console.log(JSON.stringify([
      bundle.named(() => {}, 'stepFunction').name,
      bundle.named(function Date2() {}, 'Date').name,
      bundle.named(class Set2 {}, 'Set').name,
      bundle.named({}, 'Map').name,
    ]))
    """
    assert printed(script) == ["stepFunction", "Date", "Set", "Map"]


def test_functions_that_are_made_while_a_bundle_is_loaded_get_their_names() -> None:
    assert printed("console.log(JSON.stringify(atLoad))") == "Map"


def test_other_properties_are_defined_and_other_code_has_what_it_had() -> None:
    script = """
    const made = bundle.defineProperty({}, 'Map', { value: 1 });
    console.log(JSON.stringify([made.Map, Object.defineProperty !== bundle.defineProperty]))
    """
    assert printed(script) == [1, True]


def test_a_bundle_that_cannot_be_loaded_leaves_nothing_behind() -> None:
    script = """
    const before = Object.defineProperty;
    let message;
    try {
      withoutNeedlessNames(() => { throw new Error('broken'); });
    } catch (error) {
      message = error.message;
    }
    console.log(JSON.stringify([message, Object.defineProperty === before]))
    """
    assert printed(script) == ["broken", True]
