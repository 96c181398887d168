"""Apps made by the present version of the template, and a later version to update them to."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.support.releases import next_release
from tests.support.template import ROOT
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold._template import render
from workflow_studio.scaffolder.scaffold.update import _update, _wiring

ANSWERS = ".copier-answers.yml"
CHANGED = "workflow-studio/lib/config.cjs"
CONFIG = "workflow.config.ts"
DROPPED = "workflow-studio/lib/access.cjs"
MOVED, TARGET = "workflow-studio/lib/config-file.cjs", "workflow-studio/lib/reading.cjs"
ADDED = "workflow-studio/lib/added.cjs"
ROUTE = "app/api/workflow-studio/diagnostics/remote-ownership/route.ts"


def edits():
    """What the later version changes: one file of each kind."""
    shared = "template/_shared/workflow-studio/lib"
    moved = (ROOT / shared / "config-file.cjs").read_text("utf-8")
    return {
        f"{shared}/config.cjs": lambda text: text + "// News.\n",
        "template/_shared/workflow.config.ts": ("retries: 3", "retries: 5"),
        f"{shared}/config-file.cjs": None,
        f"{shared}/reading.cjs": moved + "// Moved.\n",
        f"{shared}/added.cjs": "module.exports = {};\n",
        "copier.yml": lambda text: text.replace("'config-file'", "'reading', 'added'").replace("'access', ", ""),
        "template/nextjs/package.json.jinja": lambda text: text.replace('"4.8.9"', '"4.9.0"').replace("16.4", "16.9"),
        "template/_shared/order.jinja": lambda text: text + "// A later order.\n",
    }


_rendered = {}


@pytest.fixture(autouse=True)
def render_once(monkeypatch):
    """What was rendered once is rendered for all tests; a release is told by its tag and the repository it is in."""

    def cached(answers, *, answers_file=".copier-answers.yml", release=None, as_update=False):
        told = (release.ref, release.source, os.environ.get("STUDIO_TEMPLATE")) if release is not None else None
        key = (told, answers_file, as_update, *sorted(answers.items()))
        if key not in _rendered:
            _rendered[key] = render(answers, answers_file=answers_file, release=release, as_update=as_update)
        return dict(_rendered[key])

    monkeypatch.setattr(_update, "render", cached)
    monkeypatch.setattr(_wiring, "render", cached)


@pytest.fixture(scope="session")
def releases(tmp_path_factory):
    return next_release(tmp_path_factory.mktemp("releases") / "template", edits())


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory):
    return next_release(tmp_path_factory.mktemp("ordinary") / "template")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Apps as the present version makes them, each once."""
    folder = tmp_path_factory.mktemp("made")

    def make(framework, mode="new", **answers):
        root = folder / "-".join([framework, mode, *map(str, answers.values())]).replace("/", "_")
        if not root.exists():
            all_answers = {"framework": framework, "mode": mode, "project_name": "shop", **answers}
            for path, content in render(all_answers).items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
        return root

    return make


@pytest.fixture
def make_app(made, tmp_path, monkeypatch):
    def make(framework="nextjs", mode="new", *, at="shop", **answers):
        shutil.copytree(made(framework, mode, **answers), tmp_path / at)
        monkeypatch.chdir(tmp_path / at)
        return tmp_path / at

    return make


@pytest.fixture
def app(make_app, releases, monkeypatch):
    """A whole new Next.js app, and the later version to update it to."""
    monkeypatch.setenv("STUDIO_TEMPLATE", str(releases))
    return make_app()


@pytest.fixture
def update(capsys):
    """Run ``studio update``; returns the exit code and the document."""

    def run(*arguments):
        capsys.readouterr()
        code = main(["update", "--json", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert err == ""
        return code, json.loads(out)

    return run


def outcomes(document):
    return {change["path"]: change["outcome"] for change in document["changes"] if change["outcome"] != "unchanged"}


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
