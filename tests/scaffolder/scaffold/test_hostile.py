"""Projects that mean harm."""

from __future__ import annotations

import json

import pytest

from tests.scaffolder.scaffold.conftest import NITRO_CONFIG, run, tree


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
