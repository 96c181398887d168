"""The package manager: run once, named where it is missing, and its failure told."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.scaffolder.scaffold.conftest import run, tree
from workflow_studio.scaffolder.scaffold import _install


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
