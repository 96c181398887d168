"""``studio scaffold`` on an app that is there: what it does, what it says, where it runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.scaffolder.scaffold.conftest import APPS, run, run_json, scaffold, tree
from workflow_studio.scaffolder.scaffold import _scaffold
from workflow_studio.scaffolder.scaffold._template import render, template_ref


class TestAnAppThatIsThere:
    def test_gets_every_part_of_the_integration(self, app, framework):
        scaffold()
        files = tree(app)
        assert {"workflow-studio/world-remote.cjs", "workflow.config.ts", ".env.example", ".gitignore"} <= files.keys()
        package = json.loads(files["package.json"])
        assert package["dependencies"] == {
            **APPS[framework][0],
            "workflow": "4.8.9",
            "workflow-studio": "file:./workflow-studio",
        }
        assert b"withWorkflowStudio" in files[APPS[framework][1]]
        assert b'"plugins": [{ "name": "workflow" }]' in files["tsconfig.json"]
        assert b"// mine" in files["tsconfig.json"]
        assert (
            f"_commit: {template_ref()}\n_src_path: gh:org/workflow-studio\n".encode() in files[".copier-answers.yml"]
        )

    def test_second_run_changes_nothing_and_says_so(self, app, capsys):
        scaffold()
        before = tree(app)
        capsys.readouterr()
        scaffold()
        assert tree(app) == before
        assert "Nothing to change: " in capsys.readouterr().out

    @pytest.mark.parametrize("option", ["--dry-run", "--diff", "--check", "--status"])
    def test_reading_options_write_nothing(self, app, option):
        before = tree(app)
        assert run(option) == (4 if option == "--check" else 0)
        assert tree(app) == before

    def test_check_finds_nothing_after_scaffolding(self, app):
        scaffold()
        assert run("--check") == 0

    def test_answers_file_is_what_copier_would_write(self, app, framework):
        scaffold()
        app_dir = {"nextjs": "app", "nitro": "server", "sveltekit": "src/routes"}[framework]
        rendered = render({"framework": framework, "mode": "existing", "app_dir": app_dir})
        assert (app / ".copier-answers.yml").read_bytes() == rendered[".copier-answers.yml"]


def test_output_of_a_first_run_is_complete(nitro_app, capsys):
    scaffold("--package-manager", "npm")
    out, err = capsys.readouterr()
    assert "Error" not in err
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[:4] == [
        "Detected Nitro app (nitro 3.0.260610-beta in package.json, nitro.config.ts)",
        "TypeScript (tsconfig.json)",
        "Package manager npm (--package-manager)",
        "",
    ]
    changed = {tuple(line.split()[:2]) for line in lines[4 : lines.index("Next:") - 1]}
    assert changed == {
        ("create", ".copier-answers.yml"),
        ("create", ".env.example"),
        ("create", "server/api/workflow-studio/diagnostics/remote-ownership.get.ts"),
        ("create", "workflow-studio/"),
        ("create", "workflow.config.ts"),
        ("update", "nitro.config.ts"),
        ("update", "package.json"),
        ("update", "tsconfig.json"),
        ("create", ".gitignore"),
    }
    assert lines[lines.index("Next:") :] == [
        "Next:",
        "  1. npm install",
        "  2. studio worker start      # a worker on this machine, in another terminal",
        "  3. studio deploy            # build the workflows, upload and activate them",
        "  4. Start the app with WORKFLOW_TARGET_WORLD=workflow-studio/world-remote; .env.example has all variables.",
        "",
        "To repeat: studio scaffold --framework nitro --ts --package-manager npm --yes",
    ]


def test_diff_shows_every_changed_line(nitro_app, capsys):
    assert run("--diff") == 0
    out = capsys.readouterr().out
    assert "+++ b/nitro.config.ts\n" in out
    assert '+import { withWorkflowStudioNitro } from "workflow-studio/nitro";\n' in out
    assert '+    "workflow": "4.8.9",\n' in out


def test_json_is_one_document_with_everything(nitro_app, capsys):
    code, document = run_json(capsys, "--dry-run")
    assert code == 0
    assert document["ok"] is True
    assert document["schema"] == "workflow-studio/scaffold/1"
    assert document["detected"]["framework"] == "nitro"
    assert document["applied"] is False
    assert {"path", "action", "note", "diff"} == document["changes"][0].keys()
    assert document["command"].startswith("studio scaffold --framework nitro")


def test_json_of_a_failure_is_one_document_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, document = run_json(capsys)
    assert code == 2
    assert document["ok"] is False
    assert document["error"]["code"] == "detection_failed"
    assert document["error"]["hint"]


def test_runs_without_terminal_and_without_questions(nitro_app):
    result = subprocess.run(
        [sys.executable, "-m", "workflow_studio.scaffolder.cli", "scaffold", "--no-install"],
        cwd=nitro_app,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_inside_a_git_hook_the_users_repository_is_untouched(nitro_app, monkeypatch):
    subprocess.run(["git", "init", "-q", "."], cwd=nitro_app, check=True)
    monkeypatch.setenv("GIT_DIR", str(nitro_app / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(nitro_app / ".git/index"))
    monkeypatch.setattr(_scaffold, "render", render)
    scaffold()
    assert not (nitro_app / ".git/index").exists()
    log = subprocess.run(["git", "log"], cwd=nitro_app, capture_output=True, check=False)
    assert log.returncode != 0
