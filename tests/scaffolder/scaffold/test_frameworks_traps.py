"""What apps of Nest, Next.js and SvelteKit need done, or told, beside their configuration."""

from __future__ import annotations

import json

import pytest

from tests.scaffolder.scaffold.conftest import make_app, run, run_json, scaffold
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import OtherModule, Source
from workflow_studio.scaffolder.scaffold.frameworks import App
from workflow_studio.scaffolder.scaffold.frameworks.nestjs import NESTJS
from workflow_studio.scaffolder.scaffold.frameworks.nextjs import NEXTJS
from workflow_studio.scaffolder.scaffold.frameworks.sveltekit import SVELTEKIT

PREPARE = "node workflow-studio/nest-build.mjs"
AUTO = {"@sveltejs/kit": "^2.63.0", "@sveltejs/adapter-auto": "^7.0.1"}


def app_with(files, depends=None):
    return App("", depends or {}, {name: as_text(value) for name, value in files.items()}.get)


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


class TestNest:
    def edits(self, files):
        app = app_with(files)
        return {(edit.file, *edit.path): edit for edit in NESTJS.variant(NESTJS, app).json_edits}

    def scripts(self, scripts):
        made = dict(scripts)
        for (_, section, name), edit in self.edits({"package.json": {"scripts": scripts}}).items():
            if section == "scripts" and (name not in made or made[name] in edit.replaces):
                made[name] = edit.value
        return made

    def test_everything_that_nest_builds_or_starts_is_prepared(self):
        scripts = {
            "build": "nest build",
            "start:dev": "nest start --watch",
            "start:prod": "node dist/main",
            "t": "jest",
        }
        made = self.scripts(scripts)
        assert made == {**scripts, "prebuild": PREPARE, "prestart:dev": PREPARE}
        assert self.scripts(made) == made

    def test_what_the_sdks_guide_has_people_write_is_replaced(self):
        made = self.scripts(
            {
                "prebuild": "npx @workflow/nest init --force",
                "build": "nest build",
                "start:dev": "npx @workflow/nest init --module commonjs --force && nest start --watch",
            }
        )
        assert made == {
            "prebuild": PREPARE,
            "build": "nest build",
            "start:dev": "nest start --watch",
            "prestart:dev": PREPARE,
        }

    def test_what_runs_before_a_build_already_goes_on_running(self):
        made = self.scripts({"prebuild": "rimraf dist && npx @workflow/nest init --force", "build": "nest build"})
        assert made["prebuild"] == f"rimraf dist && {PREPARE}"
        assert self.scripts(made) == made

    @pytest.mark.parametrize("builder", ["swc", {"type": "swc", "options": {"stripLeadingPaths": False}}])
    def test_an_app_that_swc_builds_keeps_its_builder(self, builder):
        files = {"nest-cli.json": {"compilerOptions": {"builder": builder}}}
        edit = self.edits(files).get(("nest-cli.json", "compilerOptions", "builder"))
        assert edit is None or edit.value == builder

    @pytest.mark.parametrize(("builder", "replaced"), [("tsc", True), ("webpack", False)])
    def test_another_builder_than_the_starters_is_for_a_person_to_replace(self, builder, replaced):
        files = {"nest-cli.json": {"compilerOptions": {"builder": builder}}}
        edit = self.edits(files)["nest-cli.json", "compilerOptions", "builder"]
        assert (builder in edit.replaces) is replaced
        assert edit.required

    def test_modules_are_where_nest_is_told_that_they_are(self):
        stems = [
            config.stem
            for config in NESTJS.variant(NESTJS, app_with({"nest-cli.json": {"sourceRoot": "apps/api/src/"}})).configs
        ]
        assert stems == ["apps/api/src/main", "apps/api/src/app.module"]
        assert [config.stem for config in NESTJS.configs] == ["src/main", "src/app.module"]

    @pytest.mark.parametrize(
        ("spec", "fine"),
        [
            ("1.15.18", True),
            ("1.15.3", True),
            ("~1.15.18", True),
            ("^1.15.18", False),
            ("1.16.22", False),
            ("*", False),
        ],
    )
    def test_releases_of_swc_that_break_off_the_build_are_told(self, spec, fine):
        (pin,) = (pin for pin in NESTJS.pins if pin.name == "@swc/core")
        assert pin.allows(spec) is fine

    @pytest.mark.parametrize(
        ("files", "paths"),
        [
            ({".swcrc": {"minify": True}}, [".swcrc"]),
            ({".swcrc": {"plugins": "@workflow/swc-plugin"}}, []),
            ({"nest-cli.json": {"monorepo": True}}, ["nest-cli.json"]),
            ({}, []),
        ],
    )
    def test_what_a_person_has_to_look_at_is_told(self, files, paths):
        assert [advice.path for advice in NESTJS.advice(app_with(files))] == paths

    @pytest.mark.parametrize("text", ["{", "[]", '{"scripts": []}', '{"compilerOptions": 1}'])
    def test_broken_json_is_no_reason_to_fail(self, text):
        assert NESTJS.variant(NESTJS, app_with({"package.json": text, "nest-cli.json": text})).configs


class TestSvelteKit:
    @pytest.mark.parametrize(("kit", "adapter"), [("^2.63.0", "5.5.7"), ("3.2.0", "6.0.1"), ("~3", "6.0.1")])
    def test_the_adapter_is_that_of_the_release(self, kit, adapter):
        app = app_with({}, {**AUTO, "@sveltejs/kit": kit})
        assert [(pin.name, pin.spec) for pin in SVELTEKIT.variant(SVELTEKIT, app).pins] == [
            ("@sveltejs/adapter-node", adapter)
        ]

    @pytest.mark.parametrize("file", ["vercel.json", "netlify.toml", "wrangler.toml"])
    def test_an_app_for_a_platform_keeps_its_adapter(self, file):
        app = app_with({file: "{}"}, AUTO)
        assert SVELTEKIT.variant(SVELTEKIT, app) == SVELTEKIT
        assert ["adapter-auto" in advice.text for advice in SVELTEKIT.advice(app)] == [True]

    def test_an_app_that_chose_an_adapter_keeps_it(self):
        app = app_with({}, {**AUTO, "@sveltejs/adapter-node": "^5"})
        assert SVELTEKIT.variant(SVELTEKIT, app) == SVELTEKIT
        assert SVELTEKIT.advice(app) == []

    @pytest.mark.parametrize("text", ["engine-strict=true\n", "a=b\n engine-strict = true\n"])
    def test_a_strict_engine_is_told_of(self, text):
        assert [advice.path for advice in SVELTEKIT.advice(app_with({".npmrc": text}))] == [".npmrc"]
        assert SVELTEKIT.advice(app_with({".npmrc": text.replace("true", "false")})) == []

    def test_the_starters_adapter_is_replaced_wherever_it_is_chosen(self, tmp_path, monkeypatch, capsys):
        root = make_app(tmp_path / "app", "sveltekit")
        depends = {"dependencies": {"@sveltejs/kit": "2.70.4"}, "devDependencies": {"@sveltejs/adapter-auto": "^7.0.1"}}
        (root / "package.json").write_text(json.dumps(depends), "utf-8")
        config = (
            "import adapter from '@sveltejs/adapter-auto'; // adapter-auto\n\nexport default { kit: { adapter } };\n"
        )
        (root / "svelte.config.js").write_text(config, "utf-8")
        monkeypatch.chdir(root)
        scaffold()
        assert (root / "svelte.config.js").read_text("utf-8") == config.replace("auto'", "node'")
        package = json.loads((root / "package.json").read_text("utf-8"))
        assert package["devDependencies"]["@sveltejs/adapter-node"] == "5.5.7"
        capsys.readouterr()
        assert run_json(capsys, "--check")[0] == 0


class TestOtherModule:
    EDIT = OtherModule("a", "b")

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("import x from 'a';\n", "import x from 'b';\n"),
            ('import x from "a"\r\n', 'import x from "b"\r\n'),
            ("const x = require('a');\n", "const x = require('b');\n"),
            ("import x from 'a/c';\n", "import x from 'a/c';\n"),
            ("import { default as x } from 'a';\n", "import { default as x } from 'b';\n"),
            ("import * as x from 'a';\n", "import * as x from 'b';\n"),
            ("export { default } from 'a';\n", "export { default } from 'b';\n"),
            ("const { default: x } = await import('a');\n", "const { default: x } = await import('b');\n"),
            ("const x = require('a').default;\n", "const x = require('b').default;\n"),
        ],
    )
    def test_only_the_packages_name_is_replaced(self, before, after):
        edited = self.EDIT.add(Source.load("x.js", before.encode()))
        assert edited.dump() == after.encode()
        assert self.EDIT.add(edited).dump() == after.encode()

    @pytest.mark.parametrize("text", ["const x = 'a';\n", "import(`a/${x}`);\n", "x.resolve('a/b');\n"])
    def test_name_outside_of_an_import_is_refused_as_it_may_be_imported_by_it(self, text):
        edit = OtherModule("a/b" if "/" in text else "a", "b")
        with pytest.raises(EditRefusedError, match="outside of a plain import"):
            edit.add(Source.load("x.js", text.encode()))

    def test_file_that_uses_both_packages_is_refused(self):
        text = "import x from 'a';\nimport y from 'b';\n"
        with pytest.raises(EditRefusedError, match="both a and b are used"):
            self.EDIT.add(Source.load("x.js", text.encode()))


class TestNext:
    @pytest.mark.parametrize(
        ("folders", "routes"),
        [
            (["pages"], "pages"),
            (["pages", "app"], "pages"),
            (["pages", "app/.well-known/workflow"], "pages"),
            (["pages", "app/shop"], "app"),
            (["app"], "app"),
            ([], "app"),
        ],
    )
    def test_only_an_app_that_has_the_app_router_is_given_routes_in_it(self, tmp_path, folders, routes):
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)
        assert NEXTJS.routes is not None
        assert NEXTJS.routes(tmp_path) == routes

    def test_an_app_of_the_pages_router_gets_its_diagnostics_there(self, tmp_path):
        root = make_app(tmp_path / "app", "nextjs")
        (root / "app/page.tsx").unlink()
        (root / "app").rmdir()
        (root / "src/pages").mkdir(parents=True)
        scaffold(str(root))
        route = root / "src/pages/api/workflow-studio/diagnostics/remote-ownership.ts"
        assert "export default toNodeHandler(" in route.read_text("utf-8")
        assert not (root / "src/app").exists()
        assert run(str(root), "--check") == 0
