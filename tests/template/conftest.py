from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.template import copy_template, render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def rendered_package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered app whose ``workflow-studio`` package has the adapters of all frameworks."""
    folder = render(template, tmp_path_factory.mktemp("package") / "app", "nitro", project_name="app")
    package = folder / "workflow-studio"
    for source in (template / "template/_shared/adapters").glob("*.[cm]js"):
        (package / source.name).write_bytes(source.read_bytes())
    return package


@pytest.fixture
def app(rendered_package: Path, tmp_path: Path) -> App:
    """An app that has the package installed, and nothing else."""
    modules = tmp_path / "app/node_modules"
    modules.mkdir(parents=True)
    (modules / "workflow-studio").symlink_to(rendered_package)
    return App(tmp_path / "app")


@pytest.fixture
def own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git and Copier as on a fresh machine, whatever this one is set to."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "copier-cache"))
