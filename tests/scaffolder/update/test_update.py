from __future__ import annotations

import pytest

from tests.scaffolder.update.conftest import (
    ADDED,
    ANSWERS,
    CHANGED,
    CONFIG,
    DROPPED,
    MOVED,
    ROUTE,
    TARGET,
    outcomes,
    tree,
)
from tests.support.releases import NEWS as NEWS_LINE
from tests.support.releases import ORDINARY, change, commit, git, next_release
from tests.support.template import FRAMEWORKS
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold import _answers, _apply

NEWS = {
    ANSWERS: "update",
    CHANGED: "update",
    CONFIG: "update",
    DROPPED: "delete",
    TARGET: "rename",
    ADDED: "create",
    "workflow-studio/package.json": "update",
    "package.json": "update",
}


class TestUpdating:
    def test_untouched_app_becomes_one_of_the_new_version(self, app, update):
        code, document = update()
        assert (code, document["from"], document["to"], document["applied"]) == (0, "v0.1.0", "v0.2.0", True)
        assert outcomes(document) == NEWS
        assert document["conflicts"] == document["manual"] == []
        assert "_commit: v0.2.0\n_src_path: gh:org/workflow-studio\n" in (app / ANSWERS).read_text()
        assert (app / CHANGED).read_text().endswith("// News.\n")
        assert (app / TARGET).read_text().endswith("// Moved.\n")
        assert not (app / MOVED).exists()
        assert not (app / DROPPED).exists()

    def test_second_run_changes_nothing(self, app, update):
        update()
        before = tree(app)
        code, document = update()
        assert (code, document["changes"], document["from"]) == (0, [], "v0.2.0")
        assert tree(app) == before
        assert update("--check")[0] == 0

    def test_what_the_user_owns_stays(self, app, update):
        change(app / "workflows/order.ts", "'2s'", "'30 days'")
        (app / "README.md").unlink()
        owned = ("workflows/order.ts", "next.config.ts", "tsconfig.json", "app/page.tsx", "instrumentation.ts")
        before = {name: (app / name).read_bytes() for name in owned}
        update()
        assert {name: (app / name).read_bytes() for name in owned} == before
        assert not (app / "README.md").exists()

    def test_release_of_the_sdk_goes_up_where_studio_chose_it(self, app, update):
        update()
        package = (app / "package.json").read_text()
        assert '"workflow": "4.9.0"' in package
        assert '"next": "16.4.3"' in package, "the framework's release is its owner's"

    def test_release_the_user_chose_stays(self, app, update):
        change(app / "package.json", '"workflow": "4.8.9"', '"workflow": "^4.7.0"')
        _, document = update()
        assert '"workflow": "^4.7.0"' in (app / "package.json").read_text()
        assert any("^4.7.0" in note and "4.9.0" in note for note in document["notes"])

    def test_app_that_was_there_before_is_updated_alike(self, make_app, releases, monkeypatch, update):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        app = make_app("nextjs", "existing", app_dir="src/app")
        (app / "package.json").write_text('{"dependencies": {"next": "16.4.3", "workflow": "4.8.9"}}\n')
        code, document = update()
        assert code == 0
        assert {CHANGED, CONFIG, DROPPED, TARGET, ADDED} <= outcomes(document).keys()
        assert not (app / "src/workflows").exists()
        assert "mode: existing" in (app / ANSWERS).read_text()

    def test_what_an_update_edits_is_taken_back_by_a_removal(self, releases, update, monkeypatch, tmp_path, capsys):
        app = tmp_path / "app"
        (app / "app").mkdir(parents=True)
        (app / "package.json").write_text('{\n  "dependencies": {\n    "next": "16.4.3"\n  }\n}\n')
        (app / "next.config.ts").write_text("export default {};\n")
        (app / "tsconfig.json").write_text('{\n  "compilerOptions": {}\n}\n')
        (app / ".gitignore").write_text("node_modules/\n")
        before = tree(app)
        assert main(["scaffold", str(app), "--no-install"]) == 0
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        code, document = update(app)
        assert (code, document["manual"]) == (0, [])
        assert '"workflow": "4.9.0"' in (app / "package.json").read_text()
        monkeypatch.setattr(_answers, "template_ref", lambda: "v0.2.0")  # a removal needs the Studio of the update
        assert main(["remove", str(app)]) == 0, capsys.readouterr()
        assert tree(app) == before

    def test_app_in_python_keeps_its_edits(self, make_app, tmp_path, monkeypatch, update):
        streams = "template/fastapi/{{ source_prefix }}workflow_studio_app/__init__.py"
        releases = next_release(tmp_path / "template", {streams: lambda text: text + "# News.\n"})
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        app = make_app("fastapi", app_dir="src/shop")
        file = app / "src/workflow_studio_app/__init__.py"
        file.write_text("# Ours.\n" + file.read_text())
        code, document = update()
        assert (code, outcomes(document)["src/workflow_studio_app/__init__.py"]) == (0, "merge")
        assert file.read_text().startswith("# Ours.\n")
        assert file.read_text().endswith("# News.\n")

    def test_folder_is_named_on_the_command_line(self, app, update, monkeypatch):
        monkeypatch.chdir(app.parent)
        assert update("shop")[1]["root"] == str(app)

    def test_version_may_be_named_with_or_without_its_letter(self, app, update):
        assert update("--to", "0.2.0", "--dry-run")[1]["to"] == "v0.2.0"
        assert update("--to", "v0.1.0")[1]["changes"] == []


class TestEdits:
    """What people do to the files that Studio made."""

    def test_edit_beside_the_news(self, app, update):
        (app / CHANGED).write_text("// Ours.\n" + (app / CHANGED).read_text())
        code, document = update()
        assert (code, outcomes(document)[CHANGED]) == (0, "merge")
        text = (app / CHANGED).read_text()
        assert text.startswith("// Ours.\n")
        assert text.endswith("// News.\n")

    def test_edit_of_a_file_without_news(self, app, update):
        change(app / ROUTE, "return handle", "// Ours.\n  return handle")
        before = (app / ROUTE).read_bytes()
        assert ROUTE not in outcomes(update()[1])
        assert (app / ROUTE).read_bytes() == before

    def test_edit_of_the_same_line(self, app, update):
        change(app / CONFIG, "retries: 3", "retries: 1")
        code, document = update()
        assert code == 3
        text = (app / CONFIG).read_text()
        assert "retries: 1" in text
        assert "retries: 5" in text
        (conflict,) = document["conflicts"]
        assert conflict["path"] == CONFIG
        assert text.splitlines()[conflict["lines"][0] - 1] == "<<<<<<< yours"
        assert "<<<<<<<" in document["next"][0]

    def test_edit_of_a_file_that_moved(self, app, update):
        (app / MOVED).write_text("// Ours.\n" + (app / MOVED).read_text())
        code, document = update()
        assert (code, outcomes(document)[TARGET]) == (0, "rename")
        assert not (app / MOVED).exists()
        text = (app / TARGET).read_text()
        assert text.startswith("// Ours.\n")
        assert text.endswith("// Moved.\n")

    def test_edit_of_a_file_that_is_gone(self, app, update):
        (app / DROPPED).write_text("// Ours.\n" + (app / DROPPED).read_text())
        code, document = update()
        assert (code, outcomes(document)[DROPPED]) == (0, "keep-modified")
        assert (app / DROPPED).read_text().startswith("// Ours.\n")

    def test_deleted_files(self, app, update):
        for name in (CHANGED, MOVED, ROUTE, ".env.example", "workflows/order.ts"):
            (app / name).unlink()
        code, document = update()
        assert code == 0
        assert outcomes(document)[CHANGED] == outcomes(document)[TARGET] == "skip-deleted-by-you"
        assert [name for name in (CHANGED, MOVED, TARGET, ROUTE, ".env.example") if (app / name).exists()] == []

    def test_file_of_the_users_own_where_a_new_one_goes(self, app, update):
        (app / ADDED).write_text("mine\n")
        code, document = update()
        assert (code, outcomes(document)[ADDED]) == (3, "conflict")
        assert (app / ADDED).read_text() == "mine\n"
        assert document["conflicts"] == [{"path": ADDED, "lines": []}]

    def test_line_endings_of_windows_and_a_byte_order_mark(self, app, update):
        for path in app.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        (app / CHANGED).write_bytes(b"\xef\xbb\xbf// Ours.\r\n" + (app / CHANGED).read_bytes())
        code, document = update()
        assert (code, outcomes(document)) == (0, {**NEWS, CHANGED: "merge"})
        for name in (CHANGED, CONFIG, TARGET, ANSWERS, "package.json"):
            data = (app / name).read_bytes()
            assert data.count(b"\n") == data.count(b"\r\n") > 0
        assert (app / CHANGED).read_bytes().startswith(b"\xef\xbb\xbf// Ours.\r\n")

    def test_config_that_was_unwrapped_stays_so(self, app, update):
        (app / "next.config.ts").write_text("export default {};\n")
        code, document = update()
        assert code == 0
        assert (app / "next.config.ts").read_text() == "export default {};\n"
        assert any("next.config.ts" in note and "studio scaffold" in note for note in document["notes"])

    def test_apps_of_one_repository_do_not_wait_for_each_other(self, make_app, releases, update, monkeypatch, tmp_path):
        """Conflicts of one app left in git's index stop Copier in all the others."""
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        first, second = make_app(at="repository/apps/one"), make_app(at="repository/apps/two")
        repository = tmp_path / "repository"
        git(repository, "init", "--quiet")
        commit(repository, "Made")
        change(first / CONFIG, "retries: 3", "retries: 1")
        commit(repository, "Edited")
        assert update(first)[0] == 3
        untouched = tree(first)
        code, document = update(second)
        assert (code, outcomes(document)) == (0, NEWS)
        assert tree(first) == untouched

    def test_generated_files_that_git_ignores_are_updated(self, app, update):
        git(app, "init", "--quiet")
        (app / ".gitignore").write_text("workflow-studio/\n")
        assert outcomes(update()[1])[CHANGED] == "update"

    def test_edits_nobody_committed_are_merged_like_others(self, app, update):
        git(app, "init", "--quiet")
        (app / CHANGED).write_text("// Not committed.\n" + (app / CHANGED).read_text())
        assert update()[0] == 0
        assert (app / CHANGED).read_text().startswith("// Not committed.\n")


class TestLookingFirst:
    @pytest.mark.parametrize(("option", "code"), [("--dry-run", 0), ("--diff", 0), ("--check", 4)])
    def test_nothing_is_written(self, app, update, option, code):
        before = tree(app)
        result, document = update(option)
        assert (result, document["applied"], document["next"]) == (code, False, [])
        assert outcomes(document) == NEWS
        assert tree(app) == before

    def test_diffs_are_those_of_git(self, app, capsys):
        assert main(["update", "--diff"]) == 0
        printed = capsys.readouterr().out
        assert f"--- a/{CONFIG}\n+++ b/{CONFIG}\n" in printed
        assert "-    retries: 3,\n+    retries: 5,\n" in printed
        assert f"--- a/{MOVED}\n+++ /dev/null\n" in printed

    def test_conflict_to_come_is_told(self, app, update):
        change(app / CONFIG, "retries: 3", "retries: 1")
        assert update("--dry-run")[0] == 3
        assert update("--check")[0] == 4
        assert "retries: 1" in (app / CONFIG).read_text()

    def test_person_reads_what_becomes_of_each_file(self, app, capsys):
        change(app / CONFIG, "retries: 3", "retries: 1")
        line = (app / CONFIG).read_text().split("retries")[0].count("\n") + 1
        assert main(["update"]) == 3
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == "From v0.1.0 to v0.2.0:"
        assert f"rename {MOVED} -> {TARGET}" in lines
        assert f"conflict {CONFIG} both sides changed the same lines" in lines
        assert f"{CONFIG}:{line}: choose between your lines and the template's" in lines


class TestConflictsLeft:
    def test_are_named_by_the_next_run_until_they_are_resolved(self, app, update):
        change(app / CONFIG, "retries: 3", "retries: 1")
        update()
        left = (app / CONFIG).read_bytes()
        code, document = update()
        assert (code, [conflict["path"] for conflict in document["conflicts"]]) == (3, [CONFIG])
        assert (app / CONFIG).read_bytes() == left
        (app / CONFIG).write_text("export default {};\n")
        assert update()[0] == 0

    def test_keep_a_later_version_away(self, app, update):
        (app / CONFIG).write_text("<<<<<<< yours\na\n=======\nb\n>>>>>>> template v0.1.0\n")
        before = tree(app)
        code, document = update()
        assert (code, document["error"]["code"]) == (3, "conflicts_left")
        assert f"{CONFIG}:1" in document["error"]["message"]
        assert tree(app) == before

    def test_are_settled_by_restoring(self, app, update):
        change(app / CONFIG, "retries: 3", "retries: 1")
        update()
        assert update("--restore", CONFIG)[0] == 0
        assert "retries: 5" in (app / CONFIG).read_text()


class TestRestoring:
    def test_deleted_files_and_folders_come_back(self, app, update):
        (app / CHANGED).unlink()
        (app / ".env.example").unlink()
        code, document = update("--restore", ".env.example", "--restore", "workflow-studio/")
        assert code == 0
        assert outcomes(document)[".env.example"] == outcomes(document)[CHANGED] == "restore"
        assert (app / CHANGED).read_text().endswith("// News.\n")

    def test_works_without_a_new_version(self, app, update):
        update()
        (app / CHANGED).unlink()
        _, document = update("--restore", CHANGED)
        assert outcomes(document) == {CHANGED: "restore"}

    def test_file_a_new_app_gets_once_comes_back(self, app, update):
        (app / "workflows/order.ts").unlink()
        assert outcomes(update("--restore", "workflows/order.ts")[1])["workflows/order.ts"] == "restore"

    def test_what_the_template_does_not_make_is_refused(self, app, update):
        code, document = update("--restore", "src/mine.ts")
        assert (code, document["error"]["code"]) == (2, "usage_error")

    def test_path_outside_the_app_is_refused(self, app, update):
        code, document = update("--restore", "../elsewhere")
        assert (code, document["error"]["code"]) == (2, "path_outside_project")


class TestRefusals:
    def refused(self, update, *arguments):
        code, document = update(*arguments)
        assert not document["ok"]
        return code, document["error"]["code"], document["error"].get("hint", "")

    def test_folder_without_studio(self, tmp_path, update, releases, monkeypatch):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        assert self.refused(update, tmp_path)[:2] == (2, "not_scaffolded")

    def test_root_of_a_workspace_names_the_app(self, make_app, releases, update, monkeypatch, tmp_path):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        make_app(at="apps/web")
        code, error, hint = self.refused(update, tmp_path)
        assert (code, error) == (2, "not_scaffolded")
        assert "studio update apps/web" in hint

    def test_folder_that_is_not_there(self, tmp_path, update):
        assert self.refused(update, tmp_path / "nowhere")[:2] == (2, "usage_error")

    def test_app_of_a_later_studio(self, app, update):
        change(app / ANSWERS, "_commit: v0.1.0", "_commit: v9.0.0")
        assert self.refused(update)[:2] == (2, "studio_too_old")

    def test_version_nobody_has(self, app, update):
        assert self.refused(update, "--to", "v7.0.0")[:2] == (2, "template_version_unknown")

    def test_going_back(self, app, update):
        update()
        assert self.refused(update, "--to", "v0.1.0")[:2] == (2, "downgrade_refused")

    @pytest.mark.parametrize("commit", ["main", "v0.1.0-3-gabc1234", "''"])
    def test_app_made_of_no_release(self, app, update, commit):
        change(app / ANSWERS, "_commit: v0.1.0", f"_commit: {commit}")
        code, error, hint = self.refused(update)
        assert (code, error) == (2, "template_version_unknown")
        assert "v0.1.0, v0.2.0" in hint

    def test_app_of_a_fork(self, app, update, monkeypatch):
        monkeypatch.delenv("STUDIO_TEMPLATE")
        change(app / ANSWERS, "gh:org/workflow-studio", "gh:acme/workflow-studio")
        code, error, hint = self.refused(update)
        assert (code, error) == (2, "template_is_another")
        assert "STUDIO_TEMPLATE" in hint

    def test_answers_nobody_can_read(self, app, update):
        (app / ANSWERS).write_text("{{{")
        assert self.refused(update)[:2] == (1, "answers_unreadable")

    def test_answer_the_new_version_does_not_take(self, app, update, tmp_path, monkeypatch):
        edit = {"copier.yml": lambda text: text.replace("    Next.js: nextjs\n", "    Next.js: next\n")}
        monkeypatch.setenv("STUDIO_TEMPLATE", str(next_release(tmp_path / "template", edit)))
        before = tree(app)
        code, error, hint = self.refused(update)
        assert (code, error) == (1, "answers_refused")
        assert ANSWERS in hint
        assert tree(app) == before

    def test_link_that_leads_out_of_the_app(self, app, update, tmp_path):
        (tmp_path / "outside").write_text("secret\n")
        (app / CHANGED).unlink()
        (app / CHANGED).symlink_to(tmp_path / "outside")
        assert self.refused(update)[:2] == (2, "path_outside_project")
        assert (tmp_path / "outside").read_text() == "secret\n"


class TestAnswers:
    def test_new_question_takes_its_default(self, app, update, tmp_path, monkeypatch):
        question = "\nregion:\n  type: str\n  help: Where?\n  default: here\n"
        releases = next_release(tmp_path / "template", {"copier.yml": lambda text: text + question})
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        assert update()[0] == 0
        assert "region: here\n" in (app / ANSWERS).read_text()

    @pytest.mark.parametrize("language", ["ts", "js"])
    def test_language_nobody_was_asked_for_is_that_of_the_app(self, make_app, releases, update, monkeypatch, language):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
        app = make_app(language=language)
        change(app / ANSWERS, f"language: {language}\n", "")
        assert update()[0] == 0
        assert f"language: {language}\n" in (app / ANSWERS).read_text()

    def test_answers_beside_those_of_another_template(self, app, update):
        own = ".copier-answers.workflow-studio.yml"
        (app / ANSWERS).rename(app / own)
        (app / ANSWERS).write_text("_src_path: gh:acme/house-style\n_commit: v3.1.4\nteam: shop\n")
        code, document = update()
        assert (code, outcomes(document)[own]) == (0, "update")
        assert "_commit: v0.2.0" in (app / own).read_text()
        assert "v3.1.4" in (app / ANSWERS).read_text()

    def test_spelling_of_the_public_address_stays(self, app, update):
        change(app / ANSWERS, "gh:org/workflow-studio", "https://github.com/org/workflow-studio.git")
        assert update()[0] == 0
        assert "_src_path: https://github.com/org/workflow-studio.git\n" in (app / ANSWERS).read_text()


def test_failure_while_writing_puts_everything_back(app, update, monkeypatch):
    before = tree(app)
    replace, calls = _apply._replace, []

    def fail_late(path, data):
        calls.append(path)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        replace(path, data)

    monkeypatch.setattr(_apply, "_replace", fail_late)
    code, document = update()
    assert (code, document["error"]["code"]) == (1, "disk_full")
    assert tree(app) == before


@pytest.mark.parametrize(
    ("framework", "language"), [*((name, "ts") for name in FRAMEWORKS), ("nextjs", "js"), ("nitro", "js")]
)
def test_new_app_of_every_framework_gets_the_news_and_needs_nothing_else(
    make_app, framework, language, ordinary, update, monkeypatch
):
    monkeypatch.setenv("STUDIO_TEMPLATE", str(ordinary))
    app = make_app(framework, language=language)
    code, document = update()
    assert (code, document["manual"], document["notes"]) == (0, [], [])
    names = [path.removeprefix("template/_shared/") for path in ORDINARY]
    changed = {ANSWERS, "workflow-studio/package.json", *names}
    assert outcomes(document) == dict.fromkeys(changed, "update")
    assert all((app / name).read_text().endswith(NEWS_LINE) for name in names)
