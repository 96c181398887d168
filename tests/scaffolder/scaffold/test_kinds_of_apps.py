"""Apps that are laid out in another way, made by another Studio, or wholly new."""

from __future__ import annotations

import json

import pytest

from tests.scaffolder.scaffold.conftest import make_app, run, run_json, scaffold, tree
from tests.support.template import ROOT
from workflow_studio.scaffolder.scaffold._template import template_ref


class TestOtherApps:
    def test_javascript_next_app_gets_no_typescript_in_its_folders(self, tmp_path):
        root = make_app(tmp_path / "app", "nextjs", typescript=False)
        (root / "next.config.ts").unlink()
        (root / "next.config.js").write_text("module.exports = {}\n", "utf-8")
        scaffold(str(root))
        assert [path for path in tree(root) if path.startswith("app/") and path.endswith(".ts")] == []
        route = (root / "app/api/workflow-studio/diagnostics/remote-ownership/route.js").read_text("utf-8")
        assert "export function GET(request) {" in route
        assert run(str(root), "--check") == 0

    def test_next_app_in_src_is_followed(self, tmp_path):
        root = make_app(tmp_path / "app", "nextjs")
        (root / "app/page.tsx").unlink()
        (root / "app").rmdir()
        (root / "src/app").mkdir(parents=True)
        scaffold(str(root))
        assert (root / "src/app/api/workflow-studio/diagnostics/remote-ownership/route.ts").exists()
        assert (root / "src/instrumentation.ts").exists()
        assert run(str(root), "--check") == 0

    def test_app_without_a_config_file_gets_one(self, nitro_app):
        (nitro_app / "nitro.config.ts").unlink()
        scaffold()
        assert "withWorkflowStudioNitro(" in (nitro_app / "nitro.config.ts").read_text("utf-8")

    def test_own_instrumentation_is_kept_and_mentioned(self, tmp_path, capsys):
        root = make_app(tmp_path / "app", "nextjs")
        (root / "instrumentation.ts").write_text("export function register() {}\n", "utf-8")
        scaffold(str(root))
        assert (root / "instrumentation.ts").read_text("utf-8") == "export function register() {}\n"
        assert "assertRemoteReroute()" in capsys.readouterr().out

    def test_answers_of_another_template_are_left_alone(self, nitro_app):
        theirs = "_commit: v9\n_src_path: gh:other/template\nname: x\n"
        (nitro_app / ".copier-answers.yml").write_text(theirs, "utf-8")
        scaffold()
        assert (nitro_app / ".copier-answers.yml").read_text("utf-8") == theirs
        assert "_src_path: gh:org/workflow-studio" in (nitro_app / ".copier-answers.workflow-studio.yml").read_text(
            "utf-8"
        )
        assert run("--check") == 0

    def test_project_of_a_newer_studio_is_refused(self, nitro_app, capsys):
        scaffold()
        path = nitro_app / ".copier-answers.yml"
        path.write_text(path.read_text("utf-8").replace(template_ref(), "v99.0.0"), "utf-8")
        assert run() == 2
        assert "newer than" in capsys.readouterr().err

    def test_project_of_an_older_studio_keeps_its_files_and_points_to_update(self, nitro_app, capsys):
        scaffold()
        path = nitro_app / ".copier-answers.yml"
        path.write_text(path.read_text("utf-8").replace(template_ref(), "v0.0.1"), "utf-8")
        (nitro_app / "workflow-studio/index.cjs").write_text("// older\n", "utf-8")
        before = tree(nitro_app)
        scaffold()
        assert tree(nitro_app) == before
        assert "studio update" in capsys.readouterr().out

    def test_explicit_source_folder_wins_over_the_recorded_one(self, tmp_path):
        root = make_app(tmp_path / "app", "nextjs")
        scaffold(str(root))
        scaffold(str(root), "--src-dir", "src")
        assert (root / "src/app/api/workflow-studio/diagnostics/remote-ownership/route.ts").exists()
        assert "app_dir: src/app" in (root / ".copier-answers.yml").read_text("utf-8")


class TestAFrameworkThatTheAppDoesNotHaveYet:
    def test_nitro_becomes_a_dependency_beside_the_others(self, tmp_path, monkeypatch):
        (tmp_path / "package.json").write_text('{"name": "app", "dependencies": {"express": "5.0.0"}}', "utf-8")
        monkeypatch.chdir(tmp_path)
        scaffold("--framework", "nitro")
        depends = json.loads((tmp_path / "package.json").read_text("utf-8"))["dependencies"]
        template = json.loads((ROOT / "template/nitro/package.json.jinja").read_text("utf-8"))["dependencies"]
        assert depends == {"express": "5.0.0", **template}
        assert run("--framework", "nitro", "--check") == 0

    def test_nitro_2_is_not_given_a_second_nitro(self, tmp_path, monkeypatch):
        (tmp_path / "package.json").write_text('{"dependencies": {"nitropack": "2.13.6"}}', "utf-8")
        monkeypatch.chdir(tmp_path)
        assert run("--framework", "nitro", "--no-install") == 0
        assert "nitro" not in json.loads((tmp_path / "package.json").read_text("utf-8"))["dependencies"]


class TestNewApp:
    def test_is_complete_and_needs_no_further_edit(self, tmp_path, monkeypatch, framework, capsys):
        monkeypatch.chdir(tmp_path)
        assert run("--new", "my-app", "--framework", framework, "--no-install") == 0
        assert json.loads((tmp_path / "my-app/package.json").read_text("utf-8"))["name"] == "my-app"
        assert "  1. cd my-app\n  2. npm install\n" in capsys.readouterr().out
        monkeypatch.chdir(tmp_path / "my-app")
        code, document = run_json(capsys, "--check")
        changed = {change["path"] for change in document["changes"] if change["action"] not in {"unchanged", "keep"}}
        assert changed <= {"tsconfig.json", ".gitignore"}
        assert code == (4 if changed else 0)
        assert document["manual"] == []

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--new", "../x", "--framework", "nitro"),
            ("--new", "My App", "--framework", "nitro"),
            ("--new", "-x", "--framework", "nitro"),
            ("--new", "x"),
            ("--new", "x", "--framework", "rails"),
            ("--new", "x", "--framework", "nitro", "--status"),
        ],
    )
    def test_bad_request_is_a_usage_error_and_makes_nothing(self, tmp_path, monkeypatch, arguments):
        monkeypatch.chdir(tmp_path)
        assert run(*arguments) == 2
        assert list(tmp_path.iterdir()) == []

    def test_folder_with_something_in_it_is_not_touched(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "x").mkdir()
        (tmp_path / "x/file").write_text("mine", "utf-8")
        assert run("--new", "x", "--framework", "nitro") == 2
        assert "not empty" in capsys.readouterr().err

    def test_name_of_a_dependency_is_refused_by_the_template(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert run("--new", "nitro", "--framework", "nitro") == 1
        assert "could not be rendered" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
