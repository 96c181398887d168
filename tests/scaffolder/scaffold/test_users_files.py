"""Files of the user: what they edited stays, what is unclear is left for them."""

from __future__ import annotations

from tests.scaffolder.scaffold.conftest import make_app, run, scaffold, tree


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

    def test_a_nitro_that_finds_no_routes_is_reported_and_kept(self, nitro_app, capsys):
        (nitro_app / "package.json").write_text('{"dependencies": {"nitro": "^3.0.0"}}', "utf-8")
        assert run("--no-install") == 3
        assert '"nitro": "3.0.260610-beta"' in capsys.readouterr().out
        assert '"nitro": "^3.0.0"' in (nitro_app / "package.json").read_text("utf-8")
