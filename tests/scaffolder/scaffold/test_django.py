"""Django projects: told by ``manage.py`` and their dependencies, wired by two entries in their settings."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest
from django.core.management import call_command

from tests.scaffolder.scaffold.conftest import run, run_json, scaffold, tree
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold._detect import detect
from workflow_studio.scaffolder.scaffold._python import find_django_settings
from workflow_studio.scaffolder.scaffold._template import studio_version

MANAGE = """import os

os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{}')
"""
SETTINGS = """INSTALLED_APPS = [
    'shop',
]

MIDDLEWARE = [
    'django.middleware.common.CommonMiddleware',
]
"""
WIRED = """INSTALLED_APPS = [
    'workflow_studio_app',
    'shop',
]

MIDDLEWARE = [
    'workflow_studio_app.middleware.WorkflowStudioMiddleware',
    'django.middleware.common.CommonMiddleware',
]
"""


def make(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return root


def project(root, files, module="shop.settings", manage="manage.py"):
    return make(root, {"requirements.txt": "Django>=5.2\n", manage: MANAGE.format(module), **files})


def test_a_project_is_told_by_its_commands_and_dependencies(tmp_path):
    found = detect(project(tmp_path, {"shop/settings.py": SETTINGS}))
    assert (found.framework, found.label, found.src_dir) == ("django", "Django", "")
    assert found.evidence == ("Django>=5.2 in requirements.txt", "manage.py")


@pytest.mark.parametrize("folder", ["backend", "src", "services/shop"])
def test_the_folder_of_the_commands_is_that_of_the_sources(tmp_path, folder):
    root = project(tmp_path, {f"{folder}/shop/settings.py": SETTINGS}, manage=f"{folder}/manage.py")
    assert detect(root).src_dir == folder
    scaffold(str(root))
    assert (root / folder / "workflow_studio_app/middleware.py").is_file()
    assert (root / folder / "shop/settings.py").read_text("utf-8") == WIRED
    assert run(str(root), "--check") == 0


CHAINS = [
    ("shop.settings", {"shop/settings.py": ""}, ["shop/settings.py"]),
    ("shop.settings", {"shop/settings/__init__.py": ""}, ["shop/settings/__init__.py"]),
    (
        "config.settings.local",
        {"config/settings/local.py": "from .base import *\n", "config/settings/base.py": ""},
        ["config/settings/local.py", "config/settings/base.py"],
    ),
    (
        "shop.settings.dev",
        {
            "shop/settings/dev.py": "from shop.settings.common import *\n",
            "shop/settings/common.py": "from ..defaults import *\nfrom os.path import *\n",
            "shop/defaults.py": "from .settings.dev import *\n",
        },
        ["shop/settings/dev.py", "shop/settings/common.py", "shop/defaults.py"],
    ),
    (
        "shop.settings",
        {"shop/settings/__init__.py": "from .production import *\n", "shop/settings/production.py": ""},
        ["shop/settings/__init__.py", "shop/settings/production.py"],
    ),
    ("nowhere.settings", {"x/conf.py": SETTINGS, "y/z.py": "INSTALLED_APPS += []\n"}, ["x/conf.py"]),
    ("nowhere.settings", {"x/conf.py": SETTINGS, "y/conf.py": SETTINGS}, []),
]


@pytest.mark.parametrize(("module", "files", "chain"), CHAINS)
def test_the_settings_are_followed_to_where_they_come_from(tmp_path, module, files, chain):
    assert find_django_settings(project(tmp_path, files, module)) == chain


def test_a_project_is_wired_by_two_entries_and_left_alone_afterwards(tmp_path):
    root = project(tmp_path / "site", {"shop/settings.py": SETTINGS})
    scaffold(str(root))
    assert (root / "shop/settings.py").read_text("utf-8") == WIRED
    assert f"workflow-studio-client>={studio_version()}" in (root / "requirements.txt").read_text("utf-8")
    before = tree(root)
    assert {"workflow_studio_app/middleware.py", "workflow_studio_app/core/aio.py", ".env.example"} <= before.keys()
    scaffold(str(root))
    assert tree(root) == before
    assert run(str(root), "--check") == 0


def test_settings_that_build_on_others_are_left_to_build_on_them(tmp_path):
    local = "from .base import *\n\nINSTALLED_APPS += ['debug_toolbar']\nMIDDLEWARE = ['debug.First'] + MIDDLEWARE\n"
    files = {"shop/settings/local.py": local, "shop/settings/base.py": SETTINGS}
    root = project(tmp_path / "site", files, "shop.settings.local")
    scaffold(str(root))
    assert (root / "shop/settings/local.py").read_text("utf-8") == local
    assert (root / "shop/settings/base.py").read_text("utf-8") == WIRED


@pytest.mark.parametrize(
    ("files", "where", "why"),
    [
        ({}, "settings.py", "no settings"),
        (
            {"shop/settings.py": "from .hidden import load\n\nload()\n"},
            "shop/settings.py",
            "no settings were found that",
        ),
        ({"shop/settings.py": SETTINGS + "MIDDLEWARE.insert(1, 'x')\n"}, "shop/settings.py", "by position"),
        ({"shop/settings.py": SETTINGS + "def\n"}, "shop/settings.py", "does not parse"),
        (
            {"shop/settings.py": "from a import *\nfrom b import *\n", "a.py": SETTINGS, "b.py": SETTINGS},
            "a.py",
            "several modules set MIDDLEWARE: a.py, b.py",
        ),
    ],
)
def test_settings_that_are_unclear_are_left_to_their_owner_with_the_lines_to_add(tmp_path, capsys, files, where, why):
    root = project(tmp_path / "site", files)
    code, document = run_json(capsys, str(root), "--no-install")
    assert code == 3
    step = document["manual"][-1]
    assert step["path"] == where
    assert why in step["why"]
    assert "workflow_studio_app.middleware.WorkflowStudioMiddleware" in step["snippet"]


def test_settings_that_set_anew_what_they_took_from_others_are_those_that_count(tmp_path):
    files = {"shop/settings/__init__.py": f"from .base import *\n{SETTINGS}", "shop/settings/base.py": SETTINGS}
    root = project(tmp_path / "site", files)
    scaffold(str(root))
    assert (root / "shop/settings/__init__.py").read_text("utf-8") == f"from .base import *\n{WIRED}"
    assert (root / "shop/settings/base.py").read_text("utf-8") == SETTINGS


def test_settings_that_are_changed_by_position_where_they_are_used_are_left_alone(tmp_path, capsys):
    local = "from .base import *\n\nMIDDLEWARE.insert(2, 'x')\n"
    files = {"shop/settings/local.py": local, "shop/settings/base.py": SETTINGS}
    root = project(tmp_path / "site", files, "shop.settings.local")
    code, document = run_json(capsys, str(root), "--no-install")
    assert code == 3
    (step,) = document["manual"]
    assert (step["path"], step["line"]) == ("shop/settings/local.py", 3)
    assert "'django.middleware" in (root / "shop/settings/base.py").read_text("utf-8").splitlines()[6]


ASK = """
import django
from django.test import Client

django.setup()
answer = Client().post("/.well-known/workflow/v1/flow")
print(answer.status_code, answer.json()["code"])
"""


def test_a_project_as_django_makes_it_works_when_it_is_wired(tmp_path):
    call_command("startproject", "shop", str(tmp_path))
    (tmp_path / "requirements.txt").write_text("django\n", "utf-8")
    scaffold(str(tmp_path))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "DJANGO_"))}
    environment = {**variables, "WORKFLOW_COMPUTE_BASE_URL": "http://worker.example", "WORKFLOW_COMPUTE_API_KEY": "k"}

    def python(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    checked = python("manage.py", "check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    asked = python("-c", ASK)
    assert asked.stdout == "409 remote_execution_enabled\n", asked.stderr
    del environment["WORKFLOW_COMPUTE_BASE_URL"]
    assert "workflow_studio.W001" in python("manage.py", "check").stderr


class TestRemoval:
    @pytest.mark.parametrize("folder", ["", "backend/"])
    def test_takes_everything_back(self, tmp_path, folder):
        files = {f"{folder}shop/settings.py": SETTINGS}
        root = project(tmp_path / "site", files, manage=f"{folder}manage.py")
        before = tree(root)
        scaffold(str(root))
        assert main(["remove", str(root)]) == 0
        assert tree(root) == before

    def test_names_what_is_left_in_settings_that_were_edited_since(self, tmp_path, capsys):
        root = project(tmp_path / "site", {"shop/settings.py": SETTINGS})
        scaffold(str(root))
        settings = root / "shop/settings.py"
        settings.write_text(f"INSTALLED_APPS = ['workflow_studio_app', 'shop']\n{WIRED.partition('],')[2]}", "utf-8")
        capsys.readouterr()
        assert main(["remove", str(root)]) == 3
        assert "shop/settings.py:1: it uses workflow_studio_app, which is gone" in capsys.readouterr().out


def test_a_new_project_is_made_whole(tmp_path, capsys):
    code, _ = run_json(capsys, str(tmp_path), "--new", "shop", "--framework", "django", "--no-install")
    assert code == 0
    made = tree(tmp_path / "shop")
    assert {"manage.py", "config/settings.py", "orders/views.py", "workflow_studio_app/apps.py"} <= made.keys()
    assert tomllib.loads(made["pyproject.toml"].decode())["project"]["name"] == "shop"
    assert run(str(tmp_path / "shop"), "--check") == 0
