"""package.json, tsconfig.json, nest-cli.json and .gitignore as people write them."""

from __future__ import annotations

import functools
import json
import subprocess

import pytest

from tests.scaffolder.scaffold.support import execute, files_of, refusals
from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold._project import dependencies
from workflow_studio.scaffolder.scaffold._wire import wire_tsconfig
from workflow_studio.scaffolder.scaffold._wire_json import wire_json
from workflow_studio.scaffolder.scaffold._wire_package import wire_package_json
from workflow_studio.scaffolder.scaffold.edits import add_lines
from workflow_studio.scaffolder.scaffold.frameworks import App, Framework, JsonSet, Pin

OWN = {"workflow": "4.8.9", "workflow-studio": "file:./workflow-studio"}
FRAMEWORK = Framework(
    id="any",
    label="Any",
    app_dir="app",
    start="node .",
    pins=(Pin("nitro", "3.0.260610-beta", "others find no routes"),),
    dev_packages={"@swc/cli": "0.8.1"},
    json_edits=(
        JsonSet("package.json", ("scripts", "start:studio"), "node .", "a script", required=False),
        JsonSet("package.json", ("type",), "module", "modules", replaces=("commonjs",), required=False),
    ),
    gitignore=(".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
)
BUILDER = JsonSet("nest-cli.json", ("compilerOptions", "builder"), "swc", "SWC", replaces=("tsc",))
KINDS = {"package-json": "package.json", "tsconfig": "tsconfig.json", "nest-cli": "nest-cli.json"}
FILES = [(kind, file) for kind in KINDS for file in files_of(kind)]


def wired(kind, file, root):
    """Return the plan for an app that has a file of the corpus."""
    (root / KINDS[kind]).write_bytes(file.read_bytes())
    plan = Plan(root)
    if kind == "package-json":
        text = _javascript(file.read_bytes())
        depends = dependencies(evaluated()[f"{kind}/{file.name}"]) if text is not None else {}
        wire_package_json(plan, FRAMEWORK, App("", depends, plan.text), OWN)
    elif kind == "tsconfig":
        wire_tsconfig(plan)
    else:
        wire_json(plan, [BUILDER])
    return plan


def _javascript(data):
    return f"module.exports = ({data.decode('utf-8-sig')}\n)"


def _evaluate(files):
    cases = [
        {"id": name, "path": "file.cjs", "code": _javascript(data), "isModule": False} for name, data in files.items()
    ]
    return {name: result["build"].get("value") for name, result in execute(cases).items()}


@functools.cache
def evaluated():
    """Return what every file of the corpus says, read by a JavaScript engine."""
    return _evaluate({f"{kind}/{file.name}": file.read_bytes() for kind, file in FILES})


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """Return every file after its edit, and what it then says."""
    root = tmp_path_factory.mktemp("wired")
    texts = {f"{kind}/{file.name}": wired(kind, file, root).read(KINDS[kind]) for kind, file in FILES}
    return {name: (texts[name], value) for name, value in _evaluate(texts).items()}


@pytest.mark.parametrize("kind", [*KINDS, "gitignore"])
def test_corpus_has_sixty_files_of_every_kind(kind):
    assert len(files_of(kind)) >= 60


@pytest.mark.node
@pytest.mark.parametrize(("kind", "file"), FILES, ids=lambda value: getattr(value, "name", value))
def test_file_says_what_it_said_and_what_was_added(kind, file, edited, tmp_path):
    name = f"{kind}/{file.name}"
    data, value = edited[name]
    refused = refusals().get(name)
    if refused is not None:
        plan = wired(kind, file, tmp_path)
        assert data == file.read_bytes()
        said = [(step.line, step.why) for step in plan.manual] or [(1, note) for note in plan.notes]
        assert any(line == refused["line"] and refused["why"] in why for line, why in said), said
        return
    assert value == EXPECTED[kind](evaluated()[name])
    _check_style(file.read_bytes(), data)
    (tmp_path / KINDS[kind]).write_bytes(data)
    again = wired(kind, tmp_path / KINDS[kind], tmp_path) if kind != "package-json" else None
    assert again is None or not again.pending


def _check_style(before, after):
    if b"\r\n" in before:
        assert after.count(b"\r\n") == after.count(b"\n")
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    assert after.endswith(b"\n") == before.endswith(b"\n")
    comments = [line for line in before.split(b"\n") if line.strip().startswith((b"//", b"/*"))]
    assert [line for line in after.split(b"\n") if line.strip().startswith((b"//", b"/*"))] == comments


def _package(before):
    after = json.loads(json.dumps(before))
    present = dependencies(before)
    for field, wanted in (
        ("dependencies", {**OWN, "nitro": "3.0.260610-beta"}),
        ("devDependencies", {"@swc/cli": "0.8.1"}),
    ):
        missing = {name: spec for name, spec in wanted.items() if name not in present}
        if missing:
            after[field] = {**after.get(field, {}), **missing}
    after.setdefault("scripts", {}).setdefault("start:studio", "node .")
    if after.get("type", "commonjs") == "commonjs":
        after["type"] = "module"
    return after


def _tsconfig(before):
    after = json.loads(json.dumps(before))
    plugins = after.setdefault("compilerOptions", {}).setdefault("plugins", [])
    if {"name": "workflow"} not in plugins:
        plugins.append({"name": "workflow"})
    return after


def _nest_cli(before):
    after = json.loads(json.dumps(before))
    after.setdefault("compilerOptions", {})["builder"] = "swc"
    return after


EXPECTED = {"package-json": _package, "tsconfig": _tsconfig, "nest-cli": _nest_cli}


# .gitignore ---------------------------------------------------------------------------------------------------------

PATHS = {
    ".nitro/": ".nitro/types/a.d.ts",
    ".output/": ".output/server/index.mjs",
    ".swc/": ".swc/plugins/a",
    ".well-known/workflow/": ".well-known/workflow/v1/flow.js",
    ".workflow-data/": ".workflow-data/runs/1.json",
    ".workflow-studio/": ".workflow-studio/artifact/manifest.json",
}
OTHERS = (
    "src/index.ts",
    "package.json",
    ".env",
    ".env.example",
    ".github/a.yml",
    ".well-known/security.txt",
    "README.md",
    "dist/a.js",
    "node_modules/a/index.js",
    ".output/public/a.css",
    ".gitignore",
    "server/api/a.ts",
)


@pytest.fixture(scope="module")
def ignored(tmp_path_factory):
    """Return which of the paths git ignores, by file of the corpus, before and after the edit."""
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    asked = []
    for file in files_of("gitignore"):
        data = file.read_bytes()
        for when, text in (("before", data), ("after", _with_lines(data))):
            folder = root / when / file.name
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_bytes(text)
            asked += [f"{when}/{file.name}/{path}" for path in (*PATHS.values(), *OTHERS)]
    result = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=root,
        input="\n".join(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.splitlines())


def _with_lines(data):
    return add_lines(data, FRAMEWORK.gitignore, heading="Workflow Studio")


@pytest.mark.parametrize("file", files_of("gitignore"), ids=lambda file: file.name)
def test_git_ignores_what_it_ignored_and_what_was_added(file, ignored):
    def of(when, path):
        return f"{when}/{file.name}/{path}" in ignored

    wanted_back = b"!.output/public/" in file.read_bytes()
    for path in PATHS.values():
        assert of("after", path)
    for path in OTHERS:
        assert of("after", path) == of("before", path) or (path == ".output/public/a.css" and not wanted_back)
    once = _with_lines(file.read_bytes())
    assert _with_lines(once) == once
    assert once.startswith(file.read_bytes())
