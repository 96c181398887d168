"""Packages, pinned releases, scripts and options of tools: what is added, what is left to a person."""

from __future__ import annotations

import json

import pytest

from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold._project import dependencies
from workflow_studio.scaffolder.scaffold._wire_json import wire_json
from workflow_studio.scaffolder.scaffold._wire_package import wire_package_json
from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.edits._strip import strip_modules
from workflow_studio.scaffolder.scaffold.frameworks import App, Framework, JsonSet, Pin

PIN = Pin("nitro", "3.0.260610-beta", "others find no routes", accepts=r"3\.0\.260903-beta", unless=("nitropack",))
BUILDER = JsonSet("nest-cli.json", ("compilerOptions", "builder"), "swc", "the SDK needs SWC", replaces=("tsc",))


def wire(root, package, **parts):
    (root / "package.json").write_text(json.dumps(package, indent=2) + "\n", "utf-8")
    plan = Plan(root)
    framework = Framework(id="any", label="Any", app_dir="app", start="node .", **parts)
    wire_package_json(plan, framework, App("", dependencies(package), plan.text), {"workflow": "4.8.9"})
    return plan, json.loads(plan.read("package.json"))


class TestAPinnedRelease:
    def test_is_added_where_the_package_is_missing(self, tmp_path):
        plan, after = wire(tmp_path, {"name": "a"}, pins=(PIN,))
        assert after["dependencies"]["nitro"] == "3.0.260610-beta"
        assert plan.manual == []

    def test_belongs_to_development_where_it_says_so(self, tmp_path):
        _, after = wire(tmp_path, {"name": "a"}, pins=(Pin("@swc/core", "1.15.3", "newer ones break", dev=True),))
        assert after["devDependencies"] == {"@swc/core": "1.15.3"}

    @pytest.mark.parametrize(
        "spec", ["3.0.260610-beta", "=3.0.260610-beta", "3.0.260903-beta", "catalog:", "workspace:*"]
    )
    def test_that_the_app_has_is_fine(self, tmp_path, spec):
        plan, after = wire(tmp_path, {"dependencies": {"nitro": spec}}, pins=(PIN,))
        assert after["dependencies"]["nitro"] == spec
        assert plan.manual == []

    @pytest.mark.parametrize("spec", ["^3.0.260610-beta", "latest", "3.0.0", "*"])
    def test_of_which_the_app_has_another_is_left_to_a_person_with_line_and_snippet(self, tmp_path, spec):
        plan, after = wire(tmp_path, {"name": "a", "devDependencies": {"nitro": spec}}, pins=(PIN,))
        assert after["devDependencies"]["nitro"] == spec
        (step,) = plan.manual
        assert (step.path, step.line, step.snippet) == ("package.json", 4, '"nitro": "3.0.260610-beta"')
        assert step.why == f"nitro is {spec!r}: others find no routes"

    def test_is_not_for_apps_that_have_another_package_in_its_place(self, tmp_path):
        _, after = wire(tmp_path, {"dependencies": {"nitropack": "2"}}, pins=(PIN,))
        assert "nitro" not in after["dependencies"]

    def test_is_not_for_apps_that_do_not_need_it(self, tmp_path):
        pin = Pin("nitro", "3", "x", when=lambda app: "vite" in app.depends)
        assert "nitro" not in wire(tmp_path, {"name": "a"}, pins=(pin,))[1]["dependencies"]


class TestPackagesOfAFramework:
    def test_are_added_to_an_app_that_has_none_of_them(self, tmp_path):
        _, after = wire(tmp_path, {"name": "a"}, packages={"nitro": "3", "rollup": "4"})
        assert after["dependencies"] == {"nitro": "3", "rollup": "4", "workflow": "4.8.9"}

    def test_are_the_apps_choice_once_it_has_one(self, tmp_path):
        _, after = wire(tmp_path, {"dependencies": {"nitro": "2"}}, packages={"nitro": "3", "rollup": "4"})
        assert after["dependencies"] == {"nitro": "2", "workflow": "4.8.9"}


class TestAScript:
    SCRIPT = JsonSet("package.json", ("scripts", "dev"), "nitro dev", "Nitro serves the app", replaces=("node app.js",))

    @pytest.mark.parametrize(
        ("scripts", "after", "steps"),
        [
            (None, {"dev": "nitro dev"}, 0),
            ({"dev": "node app.js"}, {"dev": "nitro dev"}, 0),
            ({"dev": "nitro dev"}, {"dev": "nitro dev"}, 0),
            ({"dev": "docker compose up"}, {"dev": "docker compose up"}, 1),
        ],
    )
    def test_is_added_or_replaces_what_starters_have_or_is_left_to_a_person(self, tmp_path, scripts, after, steps):
        package = {"name": "a"} if scripts is None else {"name": "a", "scripts": scripts}
        plan, document = wire(tmp_path, package, json_edits=(self.SCRIPT,))
        assert document["scripts"] == after
        assert len(plan.manual) == steps

    def test_that_is_left_is_named_with_its_line(self, tmp_path):
        plan, _ = wire(tmp_path, {"name": "a", "scripts": {"dev": "make"}}, json_edits=(self.SCRIPT,))
        (step,) = plan.manual
        assert (step.line, step.why) == (4, 'scripts.dev is "make": Nitro serves the app')
        assert json.loads(step.snippet) == {"scripts": {"dev": "nitro dev"}}


class TestAnOptionOfATool:
    def plan(self, root, text, edit=BUILDER):
        if text is not None:
            (root / "nest-cli.json").write_text(text, "utf-8")
        plan = Plan(root)
        wire_json(plan, [edit])
        return plan

    def test_is_set_where_it_is_missing(self, tmp_path):
        plan = self.plan(tmp_path, '{\n  "sourceRoot": "src"\n}\n')
        assert json.loads(plan.read("nest-cli.json"))["compilerOptions"] == {"builder": "swc"}

    def test_replaces_the_default(self, tmp_path):
        plan = self.plan(tmp_path, '{ "compilerOptions": { "builder": "tsc" } }')
        assert plan.text("nest-cli.json") == '{ "compilerOptions": { "builder": "swc" } }'

    def test_with_another_value_is_left_to_a_person(self, tmp_path):
        plan = self.plan(tmp_path, '{\n  "compilerOptions": {\n    "builder": "webpack"\n  }\n}\n')
        assert [(step.path, step.line) for step in plan.manual] == [("nest-cli.json", 3)]
        assert plan.pending == []

    def test_of_a_file_that_is_missing_is_nothing_to_do(self, tmp_path):
        assert self.plan(tmp_path, None).changes == {}

    def test_makes_the_file_where_it_shall(self, tmp_path):
        edit = JsonSet("nest-cli.json", ("sourceRoot",), "src", "where sources are", create=True)
        assert self.plan(tmp_path, None, edit).text("nest-cli.json") == '{\n  "sourceRoot": "src"\n}\n'

    def test_of_a_file_that_is_broken_is_left_to_a_person(self, tmp_path):
        plan = self.plan(tmp_path, '{ "compilerOptions": ')
        assert [step.why for step in plan.manual] == ["the file is not valid JSON"]


STRIPPED = {
    "wrapper_on_lines_of_its_own": (
        'import { with1 } from "gone/a";\n\nexport default with1(\n  define({\n    a: 1,\n  }),\n);\n',
        "export default define({\n  a: 1,\n});\n",
    ),
    "two_wrappers": (
        (
            'import b from "b";\nimport { with1 } from "gone/a";\nimport { with2 } from "gone/b";\n\n'
            "export default with1(with2(b));\n"
        ),
        'import b from "b";\n\nexport default b;\n',
    ),
    "awaited_wrapper": (
        "import { with1 } from 'gone/a'\nexport default await with1(define({}))\n",
        "export default define({})\n",
    ),
    "item_between_others": (
        "import { p } from 'gone/a';\nexport default { plugins: [\n  a(),\n  p(),\n  b(), // b\n] };\n",
        "export default { plugins: [\n  a(),\n  b(), // b\n] };\n",
    ),
    "last_item_behind_a_comment": (
        "import { p } from 'gone/a';\nexport default { plugins: [\n  a(), // a\n  p(),\n] };\n",
        "export default { plugins: [\n  a(), // a\n] };\n",
    ),
    "only_item": ("export default { a: 1, modules: ['gone/a'] }\n", "export default { a: 1 }\n"),
    "only_property": ("export default define({ modules: ['gone/a'] })\n", "export default define({})\n"),
    "item_with_options": (
        "export default { modules: ['x', ['gone/a', { b: 1 }]] }\n",
        "export default { modules: ['x'] }\n",
    ),
    "statement": (
        (
            "import { add } from 'gone/a'\n\nasync function main() {\n  const app = await make()\n  await add(app)\n"
            "  await app.listen()\n}\n"
        ),
        "async function main() {\n  const app = await make()\n  await app.listen()\n}\n",
    ),
    "commonjs": (
        "const { with1 } = require('gone/a')\nconst b = require('b')\n\nmodule.exports = with1(b)\n",
        "const b = require('b')\n\nmodule.exports = b\n",
    ),
    "alias_and_namespace": (
        "import { with1 as w } from 'gone/a';\nimport * as g from 'gone/b';\nexport default w(g.with2({}));\n",
        "export default {};\n",
    ),
    "function_declaration": (
        "import { with1 } from 'gone/a';\n\nexport default with1(function config() {\n  return {};\n});\n",
        "export default function config() {\n  return {};\n}\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), STRIPPED.values(), ids=STRIPPED)
def test_what_is_taken_out_leaves_what_a_person_would_write(before, after):
    source = Source.load("config.ts", before.encode())
    assert strip_modules(source, lambda module: module.startswith("gone/")).dump().decode() == after
