from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from workflow_studio.scaffolder.errors import TemplateError
from workflow_studio.scaffolder.scaffold import _template
from workflow_studio.scaffolder.scaffold._template import TEMPLATE_PATHS, find_sources, render

ANSWERS = {"framework": "nitro", "mode": "existing", "app_dir": "server"}


def test_rendering_twice_gives_the_same_bytes_and_leaves_the_environment_alone():
    before = dict(os.environ)
    first = render(ANSWERS)
    assert render(ANSWERS) == first
    assert dict(os.environ) == before


def test_copier_settings_of_the_user_do_not_count(tmp_path, monkeypatch):
    settings = tmp_path / "settings.yml"
    settings.write_text("defaults:\n  app_dir: elsewhere\n", "utf-8")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    rendered = render({"framework": "nitro", "mode": "existing"})
    assert b"app_dir: server\n" in rendered[".copier-answers.yml"]


def test_refused_answer_is_a_template_error_with_the_reason():
    with pytest.raises(TemplateError, match="Write a path inside the app"):
        render({**ANSWERS, "app_dir": "../x"})


def test_missing_git_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TemplateError) as caught:
        render(ANSWERS)
    assert caught.value.code == "git_not_found"


def test_missing_template_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_template, "__file__", str(tmp_path / "1/2/3/4/5/6/7.py"))
    with pytest.raises(TemplateError) as caught:
        find_sources()
    assert caught.value.code == "template_missing"


def test_wheel_packs_exactly_what_the_template_consists_of():
    path = Path(__file__).parents[3] / "scaffolder/hatch_build.py"
    # Read as text: hatchling, which it imports, is only there while a wheel is built.
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("TEMPLATE_PATHS = ")]
    assert [ast.literal_eval(line.partition(" = ")[2]) for line in lines] == [TEMPLATE_PATHS]
