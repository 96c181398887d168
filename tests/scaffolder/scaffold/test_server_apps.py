"""Apps of Express, Fastify and Hono that listen themselves: the module that makes the app, and who serves it."""

from __future__ import annotations

import difflib
import functools
import json
import re

import pytest

from tests.scaffolder.scaffold.conftest import run, run_json
from tests.scaffolder.scaffold.support import CORPUS, callee_of, execute, name_of
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.edits._strip import strip_modules
from workflow_studio.scaffolder.scaffold.edits._syntax import walk
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, App

FILES = sorted((CORPUS / "server-app").iterdir())
# The line that a person is pointed to, and a part of the reason.
REFUSED = {
    "express-two-apps.js": (4, "several apps are made here"),
    "express-made-elsewhere.js": (1, "no app of express is made here"),
    "express-only-router.ts": (1, "no app of express is made here"),
    "express-broken.js": (3, "does not parse"),
    "fastify-plugin.js": (1, "no app of fastify is made here"),
    "hono-sub-app.ts": (4, "several apps are made here"),
    "hono-preset.ts": (1, "no app of hono is made here"),
}
EDITED = [file for file in FILES if file.name not in REFUSED]
SERVERS = ("express", "fastify", "hono")


def an_app(files=(), *, server="node", typescript=True, depends=None):
    texts = dict(files)
    return App("", depends or {}, texts.get, typescript=typescript, answers={"server": server})


def known(framework, app):
    return SUPPORTED[framework].variant(SUPPORTED[framework], app)


def edit_of(file):
    framework = file.name.partition("-")[0]
    return known(framework, an_app()).configs[0]


def edited(file, data=None):
    path = f"src/index{file.suffix}"
    return edit_of(file).edit(Source.load(path, file.read_bytes() if data is None else data)).dump()


# The module ---------------------------------------------------------------------------------------------------------


def test_the_corpus_has_sixty_modules():
    assert len(FILES) >= 60
    assert {file.name for file in FILES} >= REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_unclear_module_is_refused_with_reason_and_line(name):
    line, why = REFUSED[name]
    with pytest.raises(EditRefusedError) as caught:
        edited(CORPUS / "server-app" / name)
    assert why in caught.value.why
    assert caught.value.line == line


@pytest.mark.parametrize("file", EDITED, ids=lambda file: file.name)
def test_module_is_edited_once_and_keeps_its_text_and_style(file):
    before, after = file.read_bytes(), edited(file)
    assert edited(file, after) == after
    lines = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).get_opcodes()
    assert sum(end - start for tag, start, end, _, _ in lines if tag != "equal") <= 2
    assert _comments(file, after) == _comments(file, before)
    assert (after.count(b"\r\n") == after.count(b"\n")) == (before.count(b"\r\n") == before.count(b"\n"))
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    assert after.endswith(b"\n") == before.endswith(b"\n")


@pytest.mark.parametrize("file", EDITED, ids=lambda file: file.name)
def test_what_was_added_to_a_module_can_be_taken_out_again(file):
    source = Source.load(f"src/index{file.suffix}", edited(file))
    if "studio-there" in file.name:
        return
    stripped = strip_modules(source, lambda module: module.startswith("workflow-studio")).dump()
    # What stood on one line may stand on two afterwards.
    assert stripped.split() == file.read_bytes().split()
    assert stripped == file.read_bytes() or "same-line" in file.name


def _comments(file, data):
    source = Source.load(file.name, data)
    return [source.text(node) for node in walk(source.root) if node.type == "comment"]


@functools.cache
def executed():
    """Execute every module before and after its edit, in one Node process."""
    files = []
    for file in EDITED:
        for when, data in (("before", file.read_bytes()), ("after", edited(file))):
            text = data.decode("utf-8-sig").replace("import express = require(", "import express from (")
            text = re.sub(r"from \((.+?)\)", r"from \1", text)
            # No server of this test listens.
            text = re.sub(r"""(['"])(?:node:)?http\1""", "'a-server'", text)
            is_module = "require(" not in text
            files.append(
                {"id": f"{file.name} {when}", "path": f"index{file.suffix}", "code": text, "isModule": is_module}
            )
    return execute(files)


@pytest.mark.node
@pytest.mark.parametrize("file", EDITED, ids=lambda file: file.name)
def test_edited_module_does_what_it_did_with_the_app_in_studios_hands(file):
    (edit,) = edit_of(file).edits
    before, after = (executed()[f"{file.name} {when}"]["build"] for when in ("before", "after"))
    assert [before.get("error"), after.get("error")] == [None, None]
    own = [index for index, call in enumerate(after["calls"]) if callee_of(call) == name_of(edit.symbol)]
    made = [call for call in after["calls"] if _makes(edit, call)]
    if not made:  # in a function that nobody calls here
        assert own == []
        return
    assert len(own) == 1
    # Nothing happens between the app's making and Studio.
    assert after["calls"][own[0] - 1] == made[0]
    assert after["calls"][own[0]]["args"] == made
    rest = [call for index, call in enumerate(after["calls"]) if index not in own]
    assert rest == [call for call in before["calls"] if callee_of(call) != name_of(edit.symbol)]


def _makes(edit, call):
    called = call.get("$call") or call.get("$new") or {}
    names = {name_of(maker) for maker in edit.makers} | {maker.module for maker in edit.makers}
    return called.get("$import") in names


# Who serves ---------------------------------------------------------------------------------------------------------

LISTENS = "import express from 'express';\nconst app = express();\napp.listen(3000);\n"
EXPORTS = "import express from 'express';\nconst app = express();\nexport default app;\n"


@pytest.mark.parametrize(
    ("files", "depends", "server"),
    [
        ({"src/index.ts": LISTENS}, {}, "node"),
        ({"src/index.ts": EXPORTS}, {}, "nitro"),
        ({"src/index.ts": LISTENS}, {"nitro": "3.0.260610-beta"}, "nitro"),
        ({"src/index.ts": LISTENS, "nitro.config.mjs": "export default {};"}, {}, "nitro"),
        ({"server.js": LISTENS}, {}, "node"),
        ({"package.json": '{"scripts": {"start": "node bin/www.js"}}', "bin/www.js": "server.listen(1)"}, {}, "node"),
        ({}, {}, "nitro"),
    ],
)
def test_an_app_that_listens_goes_on_doing_so(files, depends, server):
    assert SUPPORTED["express"].server(an_app(files, depends=depends)) == server


@pytest.mark.parametrize(
    ("script", "known_one"),
    [
        ("node src/index.ts", True),
        ("node ./src/index.ts", True),
        ("node --watch src/index.ts", True),
        ("tsx watch src/index.ts", True),
        ("npx tsx src/index.ts", True),
        ("nodemon src/index.ts", True),
        ("ts-node-dev --respawn --transpile-only src/index.ts", True),
        ("node dist/index.js", True),
        ("node --max-old-space-size=4096 src/index.ts", False),
        ("NODE_ENV=production node src/index.ts", False),
        ("concurrently 'npm:dev:*'", False),
        ("node src/other.ts", False),
    ],
)
def test_only_a_script_that_does_nothing_but_run_the_app_is_replaced(script, known_one):
    files = {"package.json": json.dumps({"scripts": {"start": script}}), "src/index.ts": LISTENS}
    edits = {edit.path[-1]: edit for edit in known("express", an_app(files)).json_edits}
    assert edits["start"].replaces == ((script,) if known_one else ())
    assert edits["start"].value == "node --import workflow-studio/register src/index.ts"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (None, "node workflow-studio/loader/build.mjs"),
        ("tsc --noEmit", "tsc --noEmit && node workflow-studio/loader/build.mjs"),
    ],
)
def test_handlers_are_built_behind_what_is_built_already(build, expected):
    scripts = {"build": build} if build else {}
    files = {"package.json": json.dumps({"scripts": scripts}), "src/index.ts": LISTENS}
    (edit,) = [edit for edit in known("express", an_app(files)).json_edits if edit.path[-1] == "build"]
    assert edit.value == expected
    files["package.json"] = json.dumps({"scripts": {"build": expected}})
    assert [edit for edit in known("express", an_app(files)).json_edits if edit.path[-1] == "build"] == []


@pytest.mark.parametrize("framework", SERVERS)
def test_the_module_that_makes_the_app_may_be_another_than_the_one_that_starts_it(framework):
    files = {
        "package.json": json.dumps({"scripts": {"dev": "tsx watch src/server.ts"}}),
        "src/server.ts": "import { app } from './app';\napp.listen(3000);\n",
        "src/app.ts": f"import make from '{framework}';\nexport const app = make();\n",
    }
    found = known(framework, an_app(files))
    assert found.configs[0].stem == "src/app"
    assert found.start == "node --import workflow-studio/register src/server.ts"


def test_nitro_is_told_where_the_app_is():
    found = known("express", an_app({"server/app.ts": "", "src/app.ts": EXPORTS}, server="nitro"))
    name, text = found.configs[0].new
    assert name == "nitro.config.ts"
    assert '"/**": "./src/app.ts"' in text
    assert found.advice(an_app({"src/app.ts": EXPORTS})) == []


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (LISTENS, 3, "Nitro listens, so the app must not"),
        ("import express from 'express';\nexport const app = express();\n", 1, "default export"),
        ("const express = require('express');\nmodule.exports = express();\n", None, None),
    ],
)
def test_an_app_that_nitro_cannot_serve_yet_is_left_to_a_person(text, line, why):
    app = an_app({"src/index.ts": text}, server="nitro")
    found = known("express", app).advice(app)
    assert [(one.path, one.line) for one in found] == ([("src/index.ts", line)] if line else [])
    assert all(why in one.text and "export default app" in one.snippet for one in found)


def test_an_app_without_a_module_to_serve_is_left_to_a_person():
    app = an_app(server="nitro", typescript=False)
    (found,) = known("hono", app).advice(app)
    assert (found.path, "default export" in found.text) == ("src/index.js", True)


# The command --------------------------------------------------------------------------------------------------------


def an_express_app(root, text):
    root.mkdir()
    package = {
        "name": "shop",
        "type": "module",
        "scripts": {"start": "node src/index.js"},
        "dependencies": {"express": "5"},
    }
    (root / "package.json").write_text(json.dumps(package))
    (root / "src").mkdir()
    (root / "src/index.js").write_text(text)
    return root


def test_an_app_that_listens_gets_the_loader_and_keeps_doing_so(tmp_path, capsys):
    root = an_express_app(tmp_path / "app", LISTENS)
    code, made = run_json(capsys, str(root), "--no-install")
    assert (code, made["manual"]) == (0, [])
    assert "--server node" in made["command"]
    assert "withWorkflowStudioExpress(express())" in (root / "src/index.js").read_text()
    assert json.loads((root / "package.json").read_text())["scripts"] == {
        "start": "node --import workflow-studio/register src/index.js",
        "dev": "node --watch --import workflow-studio/dev src/index.js",
        "build": "node workflow-studio/loader/build.mjs",
    }
    assert (root / "workflow-studio/loader/register.mjs").is_file()
    assert not (root / "nitro.config.mjs").exists()
    assert run(str(root), "--check") == 0


def test_the_answer_of_the_first_time_holds(tmp_path, capsys):
    root = an_express_app(tmp_path / "app", EXPORTS)
    assert "--server node" in run_json(capsys, str(root), "--no-install", "--server", "node")[1]["command"]
    assert "--server node" in run_json(capsys, str(root), "--no-install")[1]["command"]


def test_an_app_that_nitro_shall_serve_is_told_to_stop_listening(tmp_path, capsys):
    root = an_express_app(tmp_path / "app", LISTENS)
    code, made = run_json(capsys, str(root), "--no-install", "--server", "nitro")
    assert code == 3
    (step,) = made["manual"]
    assert (step["path"], step["line"]) == ("src/index.js", 3)
    package = json.loads((root / "package.json").read_text())
    assert package["dependencies"]["nitro"] == "3.0.260610-beta"
    assert package["scripts"]["start"] == "node .output/server/index.mjs"


def test_other_frameworks_leave_no_choice(tmp_path, capsys):
    assert run("--new", "shop", "--framework", "nextjs", "--server", "node", str(tmp_path)) == 2
    assert "Next.js" in capsys.readouterr().err
