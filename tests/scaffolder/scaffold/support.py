"""The corpus: files as people write them, what becomes of them, and what they come to when they are executed."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.node import newer_node
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Call, OtherModule, Property, Source
from workflow_studio.scaffolder.scaffold.edits._syntax import walk
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, App, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.scaffolder.scaffold.edits import Edit, Symbol

CORPUS = Path(__file__).with_name("corpus")
# Folder of the corpus: the framework, and which of its files it holds.
KINDS = {
    "next": ("nextjs", "next.config"),
    "nitro": ("nitro", "nitro.config"),
    "sveltekit": ("sveltekit", "vite.config"),
    "svelte-config": ("sveltekit", "svelte.config"),
    "vite": ("vite", "vite.config"),
    "tanstack-start": ("tanstack-start", "vite.config"),
    "react-router": ("react-router", "vite.config"),
    "react-router-config": ("react-router", "react-router.config"),
    "nuxt": ("nuxt", "nuxt.config"),
    "astro": ("astro", "astro.config"),
    "nest-module": ("nestjs", "src/app.module"),
    "nest-main": ("nestjs", "src/main"),
}
# What an app depends on whose file of that kind is edited.
DEPENDS = {"svelte-config": {"@sveltejs/adapter-auto": "^7.0.1"}}


@dataclass(frozen=True)
class Case:
    """A file of the corpus, and the edit that it gets."""

    kind: str
    file: Path

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.file.name}"

    @property
    def config(self) -> ConfigFile:
        name, stem = KINDS[self.kind]
        framework = SUPPORTED[name]
        app = App("", DEPENDS.get(self.kind, {}), lambda _: None)
        return next(config for config in framework.variant(framework, app).configs if config.stem == stem)

    @property
    def path(self) -> str:
        return self.config.stem + self.file.suffix

    @functools.cached_property
    def before(self) -> bytes:
        return self.file.read_bytes()

    def edit(self, data: bytes | None = None) -> bytes:
        return self.config.edit(Source.load(self.path, self.before if data is None else data)).dump()


def files_of(kind: str) -> list[Path]:
    return sorted(path for path in (CORPUS / kind).iterdir() if path.is_file())


@functools.cache
def refusals() -> dict[str, dict[str, Any]]:
    return tomllib.loads((CORPUS / "refused.toml").read_text("utf-8"))


@functools.cache
def cases() -> list[Case]:
    return [Case(kind, file) for kind in KINDS if KINDS[kind][0] in SUPPORTED for file in files_of(kind)]


@functools.cache
def executed() -> dict[str, Any]:
    """Execute every file before and after its edit, in one Node process."""
    files = []
    for case in cases():
        if case.id in refusals():
            continue
        try:
            edited = case.edit()
        except EditRefusedError:
            continue  # the test of the refusal says so
        files += [executable(case, "before", case.before), executable(case, "after", edited)]
    return execute(files)


def executable(case: Case, when: str, data: bytes) -> dict[str, Any]:
    """Return what the program that executes files has to know about one state of a file."""
    text = _without_decorators(case.path, data)
    is_module = not case.path.endswith(".cjs") and "module.exports" not in text
    return {"id": f"{case.id} {when}", "path": case.path, "code": text, "isModule": is_module}


def execute(files: list[dict[str, Any]]) -> dict[str, Any]:
    result = subprocess.run(
        [str(newer_node()), "--experimental-vm-modules", "--no-warnings", str(CORPUS / "run.mjs"), "/dev/stdin"],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def _without_decorators(path: str, data: bytes) -> str:
    """Write the decorators of classes as calls behind the file: no engine knows decorators yet."""
    source = Source.load(path, data)
    text, calls = source.data, []
    for node in walk(source.root):
        if node.type != "decorator":
            continue
        text = text[: node.start_byte] + b" " * (node.end_byte - node.start_byte) + text[node.end_byte :]
        if node.parent is not None and node.parent.type in {"export_statement", "class_declaration"}:
            calls.append(f"\n;{source.text(node)[1:]};")
    # What is overwritten keeps its length, so that the places of the other decorators stay true.
    return text.decode() + "".join(calls)


# Comparing what files come to ---------------------------------------------------------------------------------------


def wraps_of(value: Any) -> list[str]:
    """Return the calls that a config is wrapped in, the outermost first."""
    if not isinstance(value, dict):
        return []
    if "$wrap" in value:
        return [value["$wrap"], *wraps_of(value["$config"])]
    return [name for argument in value.get("args", []) if "$call" in value for name in wraps_of(argument)]


def unwrapped(value: Any) -> Any:
    """Return a config without the calls that it is wrapped in."""
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$wrap" in value:
        return unwrapped(value["$config"])
    return {key: unwrapped(item) for key, item in value.items()}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return every object in a value."""
    if isinstance(value, list):
        return [found for item in value for found in objects_of(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in objects_of(item))]


def callee_of(value: Any) -> str | None:
    """Return what a call calls."""
    call = value.get("$call") if isinstance(value, dict) else None
    return call.get("$import") if isinstance(call, dict) else None


def name_of(symbol: Symbol) -> str:
    """Return how a call names an export."""
    return f"{symbol.module}#{symbol.name}"


def is_item(item: str | Call, value: Any) -> bool:
    """Tell whether a value is the item, with options or without."""
    if isinstance(item, Call):
        name = f"{name_of(item.symbol)}.{item.method}" if item.method else name_of(item.symbol)
        return callee_of(value) == name
    named = value[0] if isinstance(value, list) and value else value
    return named in (item, {"$import": f"{item}#default"})


def without(value: Any, edits: Sequence[Edit]) -> Any:
    """Return a config without what the edits add; what is empty then counts as not there.

    What comes from a package that others are used in place of counts as theirs.
    """
    if isinstance(value, str):
        return of_other_modules(value, edits)
    if isinstance(value, list):
        return [without(item, edits) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: without(item, edits) for key, item in value.items()}
    for edit in edits:
        if isinstance(edit, ArrayItem) and isinstance(result.get(edit.key), list):
            result[edit.key] = [item for item in result[edit.key] if not is_item(edit.item, item)]
            if not result[edit.key]:
                del result[edit.key]
        elif isinstance(edit, Property):
            _drop(result, edit.path)
    return result


def of_other_modules(name: str, edits: Sequence[Edit]) -> str:
    """Return what an export is called that may come from another package after the edits."""
    for edit in edits:
        if isinstance(edit, OtherModule) and re.match(rf"{re.escape(edit.old)}(?:#|$)", name):
            name = edit.new + name.removeprefix(edit.old)
    return name


def _drop(value: Any, path: tuple[str, ...]) -> None:
    if not isinstance(value, dict) or path[0] not in value:
        return
    if len(path) == 1:
        del value[path[0]]
        return
    _drop(value[path[0]], path[1:])
    if value[path[0]] == {}:
        del value[path[0]]
