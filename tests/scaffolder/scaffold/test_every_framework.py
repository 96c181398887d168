"""Scaffolding the starter of every framework."""

from __future__ import annotations

import pytest

from tests.scaffolder.scaffold.conftest import run, run_json, tree
from tests.scaffolder.scaffold.starters import STARTERS, make
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED


def test_every_framework_has_a_starter_here():
    assert STARTERS.keys() == SUPPORTED.keys()


@pytest.fixture(params=STARTERS)
def framework(request):
    return request.param


@pytest.fixture
def app(tmp_path, monkeypatch, framework):
    root = make(tmp_path / "app", framework)
    monkeypatch.chdir(root)
    return root


def test_starter_is_recognised_with_evidence(app, framework, capsys):
    _, document = run_json(capsys, "--dry-run")
    assert document["detected"]["framework"] == framework
    assert document["detected"]["evidence"]
    assert document["detected"]["typescriptEvidence"]


def test_second_run_changes_nothing(app, capsys):
    code, document = run_json(capsys, "--no-install")
    assert code == (3 if document["manual"] else 0)
    before = tree(app)
    again, document = run_json(capsys, "--check")
    assert [change["path"] for change in document["changes"] if change["diff"]] == []
    assert again == code
    assert run("--no-install") == code
    assert tree(app) == before


def test_status_names_every_part_before_and_after(app, capsys):
    code, before = run_json(capsys, "--status")
    states = {change["path"]: change["action"] for change in before["changes"]}
    assert set(states.values()) <= {"create", "update", "unchanged"}
    run("--no-install")
    capsys.readouterr()
    assert run("--status") == code
    out = capsys.readouterr().out
    assert "missing" not in out
    assert "not wired" not in out
    assert ("Everything is wired." in out) == (code == 0)
