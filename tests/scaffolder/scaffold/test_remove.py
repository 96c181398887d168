"""Taking Studio out again: the inverse of a scaffold."""

from __future__ import annotations

import json

import pytest

from tests.scaffolder.scaffold.conftest import NITRO_CONFIG, scaffold, tree
from tests.scaffolder.scaffold.starters import STARTERS, make
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold import _apply


def run(*arguments):
    return main(["remove", *arguments])


def run_json(capsys, *arguments):
    capsys.readouterr()
    code = run("--json", *arguments)
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def app(tmp_path, monkeypatch):
    def of(framework):
        root = make(tmp_path / "app", framework)
        monkeypatch.chdir(root)
        return root

    return of


@pytest.mark.parametrize("framework", STARTERS)
def test_scaffold_and_remove_leave_the_app_as_it_was_byte_for_byte(app, framework, capsys):
    root = app(framework)
    before = tree(root)
    assert main(["scaffold", "--no-install"]) in {0, 3}
    assert tree(root) != before
    assert run() == 0, capsys.readouterr().out
    assert tree(root) == before
    assert [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir())] == []


class TestAnAppThatHasWorkflows:
    @pytest.fixture
    def root(self, app):
        root = app("nextjs")
        (root / "workflows").mkdir()
        (root / "workflows/order.ts").write_text("export async function order() {\n  'use workflow';\n}\n", "utf-8")
        scaffold()
        return root

    def test_keeps_the_sdk_and_its_wiring_and_says_so(self, root, capsys):
        assert run() == 0
        assert "The Workflow SDK and its wiring stay, because workflows/order.ts uses it" in capsys.readouterr().out
        config = (root / "next.config.ts").read_text("utf-8")
        assert "export default withWorkflow(nextConfig);" in config
        assert "workflow-studio" not in config
        depends = json.loads((root / "package.json").read_text("utf-8"))["dependencies"]
        assert depends == {"next": "16.4.3", "workflow": "4.8.9"}
        assert '{ "name": "workflow" }' in (root / "tsconfig.json").read_text("utf-8")
        ignored = (root / ".gitignore").read_text("utf-8").splitlines()
        assert ".swc/" in ignored
        assert ".workflow-studio/" not in ignored
        assert not (root / "workflow-studio").exists()

    def test_is_named_in_json(self, root, capsys):
        code, document = run_json(capsys, "--dry-run")
        assert (code, document["keepsSdk"]) == (0, "workflows/order.ts")

    def test_can_be_scaffolded_again(self, root):
        before = tree(root)
        run()
        scaffold()
        after = tree(root)
        assert after.keys() == before.keys()
        # What is added a second time stands in another place, and is recorded anew.
        moved = {".gitignore", "workflow-studio/scaffold.patch"}
        assert {path for path in after if after[path] != before[path]} <= moved


class TestAFrameworkThatNeedsMoreThanItsConfig:
    def test_nest_app_with_workflows_keeps_the_sdks_module_and_loses_studios_call_and_scripts(self, app, capsys):
        root = app("nestjs")
        (root / "src/workflows").mkdir()
        (root / "src/workflows/order.ts").write_text("export async function order() {\n  'use workflow';\n}\n", "utf-8")
        scaffold()
        assert run() == 0
        assert "`npx @workflow/nest init --force`" in capsys.readouterr().out
        assert "WorkflowModule.forRoot()" in (root / "src/app.module.ts").read_text("utf-8")
        assert (root / "src/main.ts").read_text("utf-8") == STARTERS["nestjs"]["src/main.ts"]
        document = json.loads((root / "package.json").read_text("utf-8"))
        assert document["scripts"] == {"build": "nest build", "start:dev": "nest start --watch"}
        assert "@workflow/nest" in document["dependencies"]
        assert '"swc"' in (root / "nest-cli.json").read_text("utf-8")

    def test_app_that_listens_itself_gets_its_scripts_back(self, app, capsys):
        root = app("express")
        (root / "workflows").mkdir()
        (root / "workflows/order.ts").write_text("export async function order() {\n  'use workflow';\n}\n", "utf-8")
        assert main(["scaffold", "--server", "node", "--no-install"]) == 0
        assert run() == 0
        assert "Without Studio nothing compiles workflows in this app" in capsys.readouterr().out
        scripts = json.loads((root / "package.json").read_text("utf-8"))["scripts"]
        assert scripts == {"dev": "tsx watch src/index.ts", "start": "node dist/index.js"}
        assert (root / "src/index.ts").read_text("utf-8") == STARTERS["express"]["src/index.ts"]

    def test_file_of_the_app_in_the_place_of_the_guard_is_none_of_studios(self, app, capsys):
        root = app("nextjs")
        (root / "instrumentation.ts").write_text("export function register() {}\n", "utf-8")
        before = tree(root)
        scaffold()
        assert run() == 0
        assert tree(root) == before


class TestWhatWasEditedSince:
    def test_stays_and_is_listed(self, app, capsys):
        root = app("nitro")
        scaffold()
        (root / "workflow.config.ts").write_text("// mine\n", "utf-8")
        (root / "workflow-studio/index.cjs").write_text("// mine\n", "utf-8")
        assert run() == 3
        out = capsys.readouterr().out
        assert (root / "workflow.config.ts").read_text("utf-8") == "// mine\n"
        assert "workflow.config.ts:1: it was made by Studio and you edited it" in out
        assert "workflow-studio/index.cjs:1:" in out
        assert [path for path in tree(root) if path.startswith("workflow-studio/")] == ["workflow-studio/index.cjs"]

    def test_config_edited_elsewhere_loses_only_what_was_added(self, app):
        root = app("nitro")
        scaffold()
        path = root / "nitro.config.ts"
        path.write_text("// first\n" + path.read_text("utf-8").replace("./server", "./api"), "utf-8")
        assert run() == 0
        assert path.read_text("utf-8") == "// first\n" + NITRO_CONFIG.replace("./server", "./api")

    def test_config_that_was_formatted_loses_what_was_added(self, app):
        root = app("nitro")
        scaffold()
        path = root / "nitro.config.ts"
        text = (
            path.read_text("utf-8")
            .replace('"', "'")
            .replace("withWorkflowStudioNitro(define", "withWorkflowStudioNitro(\n  define")
        )
        path.write_text(text, "utf-8")
        assert run() == 0
        assert "workflow" not in path.read_text("utf-8")
        assert "serverDir: './server'" in path.read_text("utf-8")

    def test_packages_that_moved_are_found(self, app):
        root = app("vite")
        scaffold()
        document = json.loads((root / "package.json").read_text("utf-8"))
        document["dependencies"] |= {"nitro": "3.0.260903-beta", "zod": "4"}
        (root / "package.json").write_text(json.dumps(document, indent=4), "utf-8")
        assert run() == 0
        after = json.loads((root / "package.json").read_text("utf-8"))
        assert after["dependencies"] == {"vite": "8.3.8", "zod": "4"}
        assert "start" not in after.get("scripts", {})

    def test_lines_of_gitignore_that_moved_are_found(self, app):
        root = app("nitro")
        scaffold()
        path = root / ".gitignore"
        path.write_text("".join(sorted(path.read_text("utf-8").splitlines(keepends=True))) + "mine/\n", "utf-8")
        assert run() == 0
        assert path.read_text("utf-8").split() == ["dist/", "node_modules", "mine/"]

    def test_refused_config_is_left_with_its_line(self, app, capsys):
        root = app("nextjs")
        scaffold()
        path = root / "next.config.ts"
        path.write_text(path.read_text("utf-8").replace("(nextConfig)", "(nextConfig, { a: 1 })"), "utf-8")
        assert run() == 3
        assert "next.config.ts:7: the call has other arguments" in capsys.readouterr().out

    def test_code_that_uses_the_generated_package_is_named(self, app, capsys):
        root = app("nextjs")
        scaffold()
        (root / "app/api").mkdir(parents=True, exist_ok=True)
        (root / "app/api/route.ts").write_text(
            "import { a } from './a';\nimport { proxyTriggerFromNext } from 'workflow-studio/next';\n", "utf-8"
        )
        assert run() == 3
        assert "app/api/route.ts:2: it uses workflow-studio/next, which is gone" in capsys.readouterr().out


class TestWithoutARecord:
    def test_studio_and_the_unused_sdk_go_and_nothing_else(self, app, capsys):
        root = app("vite")
        before = tree(root)
        scaffold()
        (root / "workflow-studio/scaffold.patch").unlink()
        capsys.readouterr()
        assert run() == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "There is no workflow-studio/scaffold.patch, which records what was here before" in said
        config = (root / "vite.config.ts").read_text("utf-8")
        assert "workflow" not in config
        assert "nitro()" in config  # whether it was there before is not known
        assert (root / "tsconfig.json").read_text("utf-8") == before["tsconfig.json"].decode()
        depends = json.loads((root / "package.json").read_text("utf-8"))["dependencies"]
        assert "workflow-studio" not in depends
        assert "workflow" in depends

    def test_new_app_of_studio_becomes_a_plain_one(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert main(["scaffold", "--new", "my-app", "--framework", "nitro", "--no-install"]) == 0
        monkeypatch.chdir(tmp_path / "my-app")
        run()
        left = tree(tmp_path / "my-app")
        assert "workflows/order.ts" in left
        assert [path for path in left if path.startswith("workflow-studio/")] == []
        assert b"workflow/nitro" in left["nitro.config.ts"]
        assert b"workflow-studio" not in left["nitro.config.ts"]
        assert "workflow-studio" not in json.loads(left["package.json"])["dependencies"]
        assert b".workflow-studio/" not in left[".gitignore"]


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hosts", "a/../../b"])
def test_record_that_leads_out_of_the_project_is_refused(app, path, capsys):
    root = app("nitro")
    scaffold()
    before = tree(root)
    record = root / "workflow-studio/scaffold.patch"
    record.write_text(f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n", "utf-8")
    assert run() == 2
    assert "is not a path inside the project" in capsys.readouterr().err
    assert tree(root).keys() == before.keys()


class TestTheCommand:
    def test_writes_nothing_when_it_only_shows(self, app, capsys):
        root = app("nitro")
        scaffold()
        before = tree(root)
        assert run("--dry-run") == 0
        assert run("--diff") == 0
        assert "-export default withWorkflowStudioNitro(defineConfig({" in capsys.readouterr().out
        assert run("--check") == 4
        assert tree(root) == before

    def test_json_is_one_document(self, app, capsys):
        app("nitro")
        scaffold()
        code, document = run_json(capsys, "--dry-run")
        assert code == 0
        assert document["schema"] == "workflow-studio/remove/1"
        assert document["framework"] == "nitro"
        assert {"path", "action", "note", "diff"} == document["changes"][0].keys()
        assert {change["action"] for change in document["changes"]} >= {"delete", "update"}

    def test_says_what_comes_next(self, app, capsys):
        app("nitro")
        scaffold()
        capsys.readouterr()
        assert run() == 0
        out = capsys.readouterr().out
        assert "  delete  workflow-studio/" in out
        assert "  1. npm install      # takes out the packages that are no longer needed" in out

    def test_second_run_finds_no_app_of_studio(self, app, capsys):
        app("nitro")
        scaffold()
        assert run() == 0
        code, document = run_json(capsys)
        assert (code, document["error"]["code"]) == (2, "not_scaffolded")
        assert document["error"]["hint"]

    def test_folder_that_is_none_is_a_usage_error(self, tmp_path):
        assert run(str(tmp_path / "missing")) == 2

    def test_failure_puts_everything_back(self, app, monkeypatch):
        root = app("nitro")
        scaffold()
        before = tree(root)
        real = _apply._replace

        def fail(path, data):
            if path.name == "package.json":
                raise OSError("disk full")
            real(path, data)

        monkeypatch.setattr(_apply, "_replace", fail)
        assert run() == 1
        assert tree(root) == before
