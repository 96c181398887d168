from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold import _install, _scaffold
from workflow_studio.scaffolder.scaffold._template import render, template_ref

NEXT_CONFIG = """import type { NextConfig } from "next";

const nextConfig: NextConfig = {};

export default nextConfig;
"""
NITRO_CONFIG = """import { defineConfig } from "nitro";

export default defineConfig({
  serverDir: "./server",
});
"""
VITE_CONFIG = """import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';

export default defineConfig({
\tplugins: [sveltekit()]
});
"""
APPS = {
    "nextjs": ({"next": "16.0.0"}, "next.config.ts", NEXT_CONFIG, ["app/page.tsx"]),
    "nitro": ({"nitro": "3.0.260610-beta"}, "nitro.config.ts", NITRO_CONFIG, ["server/api/hello.ts"]),
    "sveltekit": ({"@sveltejs/kit": "2.70.4"}, "vite.config.ts", VITE_CONFIG, ["src/routes/+page.svelte"]),
}


def make_app(root, framework, *, typescript=True):
    depends, config, text, files = APPS[framework]
    root.mkdir(parents=True, exist_ok=True)
    (root / "package.json").write_text(json.dumps({"name": "app", "dependencies": depends}, indent=2) + "\n", "utf-8")
    (root / config).write_text(text, "utf-8")
    if typescript:
        (root / "tsconfig.json").write_text('{\n  // mine\n  "compilerOptions": {}\n}\n', "utf-8")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", "utf-8")
    return root


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


_rendered = {}


@pytest.fixture(autouse=True)
def render_once(monkeypatch):
    """The template does not change during the tests: what was rendered once is rendered for all of them."""

    def cached(answers, *, answers_file=".copier-answers.yml"):
        key = (answers_file, *sorted(answers.items()))
        if key not in _rendered:
            _rendered[key] = render(answers, answers_file=answers_file)
        return dict(_rendered[key])

    monkeypatch.setattr(_scaffold, "render", cached)


@pytest.fixture(params=APPS)
def framework(request):
    return request.param


@pytest.fixture
def app(tmp_path, monkeypatch, framework):
    root = make_app(tmp_path / "app", framework)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def nitro_app(tmp_path, monkeypatch):
    root = make_app(tmp_path / "app", "nitro")
    monkeypatch.chdir(root)
    return root


def run(*arguments):
    return main(["scaffold", *arguments])


def scaffold(*arguments):
    assert run("--no-install", *arguments) == 0


def run_json(capsys, *arguments):
    capsys.readouterr()
    code = run("--json", *arguments)
    out, err = capsys.readouterr()
    assert err == ""
    return code, json.loads(out)


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
    assert lines[:3] == [
        "Detected Nitro app (nitro 3.0.260610-beta in package.json, nitro.config.ts), TypeScript",
        "Package manager npm (--package-manager)",
        "",
    ]
    changed = {tuple(line.split()[:2]) for line in lines[3 : lines.index("Next:") - 1]}
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
        "To repeat: studio scaffold --framework nitro --package-manager npm --yes",
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


class TestUsersEdits:
    def test_edited_generated_file_stays_and_is_named(self, nitro_app, capsys):
        scaffold()
        path = nitro_app / "workflow.config.ts"
        path.write_text(path.read_text("utf-8").replace("retries: 3", "retries: 9"), "utf-8")
        before = tree(nitro_app)
        capsys.readouterr()
        scaffold()
        assert tree(nitro_app) == before
        assert "keep    workflow.config.ts" in capsys.readouterr().out

    def test_force_brings_the_template_back(self, nitro_app):
        scaffold()
        path = nitro_app / "workflow-studio/index.cjs"
        original = path.read_bytes()
        path.write_bytes(b"// mine\n")
        scaffold()
        assert path.read_bytes() == b"// mine\n"
        scaffold("--force", "workflow-studio/index.cjs")
        assert path.read_bytes() == original

    def test_deleted_route_stays_deleted_until_forced(self, nitro_app):
        scaffold()
        path = nitro_app / "server/api/workflow-studio/diagnostics/remote-ownership.get.ts"
        path.unlink()
        scaffold()
        assert not path.exists()
        scaffold("--force", "server/api")
        assert path.exists()

    def test_deleted_package_file_is_restored(self, nitro_app):
        scaffold()
        (nitro_app / "workflow-studio/world-remote.cjs").unlink()
        scaffold()
        assert (nitro_app / "workflow-studio/world-remote.cjs").exists()

    def test_checkout_with_other_line_endings_is_not_an_edit(self, nitro_app, capsys):
        scaffold()
        path = nitro_app / "workflow-studio/index.cjs"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        capsys.readouterr()
        assert run("--check") == 0
        assert "keep" not in capsys.readouterr().out

    def test_env_example_of_the_app_only_gets_what_is_missing(self, nitro_app):
        (nitro_app / ".env.example").write_text("DATABASE_URL=x\nWORKFLOW_COMPUTE_API_KEY=mine\n", "utf-8")
        scaffold()
        text = (nitro_app / ".env.example").read_text("utf-8")
        assert text.startswith("DATABASE_URL=x\nWORKFLOW_COMPUTE_API_KEY=mine\n")
        assert text.count("WORKFLOW_COMPUTE_API_KEY") == 1
        assert "WORKFLOW_TARGET_WORLD=workflow-studio/world-remote" in text
        assert run("--check") == 0

    def test_file_of_the_user_in_our_place_is_left_and_reported(self, nitro_app, capsys):
        (nitro_app / "workflow-studio").mkdir()
        (nitro_app / "workflow-studio/index.cjs").write_text("// theirs\n", "utf-8")
        assert run("--no-install") == 3
        assert (nitro_app / "workflow-studio/index.cjs").read_text("utf-8") == "// theirs\n"
        assert "--force workflow-studio/index.cjs replaces it" in capsys.readouterr().out


class TestWhatIsLeftForAPerson:
    def test_refused_config_exits_3_with_the_snippet_and_does_the_rest(self, nitro_app, capsys):
        (nitro_app / "nitro.config.ts").write_text("export { default } from './base';\n", "utf-8")
        assert run("--no-install") == 3
        out = capsys.readouterr().out
        assert "nitro.config.ts:1: the default export is re-exported by name" in out
        assert "      export default withWorkflowStudioNitro(" in out
        assert (nitro_app / "nitro.config.ts").read_text("utf-8") == "export { default } from './base';\n"
        assert (nitro_app / "workflow-studio/package.json").exists()
        assert run("--status") == 3
        assert capsys.readouterr().out.endswith("\n1 to do by hand: studio scaffold --dry-run shows the lines\n")

    def test_next_middleware_that_would_catch_the_sdk_is_reported(self, tmp_path, capsys):
        root = make_app(tmp_path / "app", "nextjs")
        (root / "proxy.ts").write_text("export function proxy() {}\n", "utf-8")
        assert run(str(root), "--no-install") == 3
        assert "proxy.ts:1: it also runs for /.well-known/workflow/" in capsys.readouterr().out
        (root / "proxy.ts").write_text("export const config = { matcher: '/admin/:path*' }\n", "utf-8")
        assert run(str(root), "--no-install") == 0

    def test_nitro_2_is_reported(self, nitro_app, capsys):
        (nitro_app / "package.json").write_text('{"dependencies": {"nitropack": "2"}}', "utf-8")
        assert run("--no-install") == 3
        assert "move to Nitro 3" in capsys.readouterr().out


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
        assert "copier update" in capsys.readouterr().out

    def test_explicit_source_folder_wins_over_the_recorded_one(self, tmp_path):
        root = make_app(tmp_path / "app", "nextjs")
        scaffold(str(root))
        scaffold(str(root), "--src-dir", "src")
        assert (root / "src/app/api/workflow-studio/diagnostics/remote-ownership/route.ts").exists()
        assert "app_dir: src/app" in (root / ".copier-answers.yml").read_text("utf-8")


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


class TestHostileProjects:
    @pytest.mark.parametrize("src_dir", ["../x", "/etc", "a b", "{{ 7*7 }}", "-x"])
    def test_source_folder_outside_is_a_usage_error(self, nitro_app, src_dir):
        before = tree(nitro_app)
        assert run("--src-dir", src_dir) == 2
        assert tree(nitro_app) == before

    def test_forced_path_outside_is_refused(self, nitro_app):
        assert run("--force", "../x") == 2

    def test_linked_config_is_not_followed_out(self, nitro_app, tmp_path, capsys):
        outside = tmp_path / "outside.ts"
        outside.write_text(NITRO_CONFIG, "utf-8")
        (nitro_app / "nitro.config.ts").unlink()
        (nitro_app / "nitro.config.ts").symlink_to(outside)
        assert run("--no-install") == 2
        assert outside.read_text("utf-8") == NITRO_CONFIG
        assert not (nitro_app / "workflow-studio").exists()
        assert "symbolic link" in capsys.readouterr().err

    def test_escape_sequences_in_names_do_not_reach_the_terminal(self, nitro_app, capsys):
        package = {"dependencies": {"nitro": "\x1b]0;owned\x07\x1b[31m3"}}
        (nitro_app / "package.json").write_text(json.dumps(package), "utf-8")
        run("--dry-run")
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert "\x07" not in out + err

    @pytest.mark.parametrize("answers", ["_commit: [1, 2\n", "!!python/object/apply:os.system ['x']\n", "\x00"])
    def test_broken_answers_file_is_an_error_with_a_hint(self, nitro_app, answers, capsys):
        (nitro_app / ".copier-answers.yml").write_text(answers, "utf-8")
        assert run() == 1
        assert "cannot be read" in capsys.readouterr().err


class TestInstalling:
    @pytest.fixture
    def fake_pnpm(self, tmp_path, monkeypatch):
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "pnpm"
        script.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            "if pathlib.Path('fail').exists():\n"
            "    sys.exit('ERR_NETWORK registry unreachable')\n"
            "for name in ('workflow', 'workflow-studio'):\n"
            "    path = pathlib.Path('node_modules', name)\n"
            "    path.mkdir(parents=True, exist_ok=True)\n"
            "    (path / 'package.json').write_text('{}')\n"
            "with open('installs', 'a') as file:\n"
            "    file.write(' '.join(sys.argv[1:]) + '\\n')\n",
            "utf-8",
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    @pytest.mark.usefixtures("fake_pnpm")
    def test_packages_are_installed_once(self, nitro_app, capsys):
        assert run("--package-manager", "pnpm") == 0
        assert run("--package-manager", "pnpm") == 0
        assert (nitro_app / "installs").read_text("utf-8") == "install\n"
        assert "pnpm install: done" in capsys.readouterr().err

    @pytest.mark.usefixtures("fake_pnpm")
    def test_failed_install_says_so_and_leaves_the_files(self, nitro_app, capsys):
        (nitro_app / "fail").write_text("", "utf-8")
        assert run("--package-manager", "pnpm") == 1
        err = capsys.readouterr().err
        assert "pnpm install failed (exit 1).\nERR_NETWORK registry unreachable" in err
        assert "The files are in place." in err
        assert (nitro_app / "workflow-studio/package.json").exists()

    def test_missing_package_manager_is_named(self, nitro_app, monkeypatch, capsys):
        which = shutil.which
        monkeypatch.setattr(_install.shutil, "which", lambda name: None if name == "bun" else which(name))
        before = tree(nitro_app)
        assert run("--package-manager", "bun") == 1
        assert "bun was not found" in capsys.readouterr().err
        assert tree(nitro_app) == before, "what cannot be finished is not begun"

    def test_new_app_is_not_begun_without_node(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("STUDIO_NODE", "/nonexistent")
        assert run("--new", "my-app", "--framework", "nitro") == 1
        assert "Install Node.js 20" in capsys.readouterr().err
        assert not (tmp_path / "my-app").exists()


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
