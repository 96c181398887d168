"""Flask apps: told by their Python dependencies, wired by one line behind ``app = Flask(__name__)``."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import pytest

from tests.scaffolder.scaffold.conftest import run, run_json, scaffold, tree
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.errors import DetectionError
from workflow_studio.scaffolder.scaffold._detect import detect
from workflow_studio.scaffolder.scaffold._python import find_app_modules
from workflow_studio.scaffolder.scaffold._template import studio_version

APP = "from flask import Flask\n\napp = Flask(__name__)\n"
FACTORY = "from flask import Flask\n\n\ndef create_app():\n    app = Flask(__name__)\n    return app\n"
CALL = "add_workflow_studio(app)"
FLOW = "/.well-known/workflow/v1/flow"


def make(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return root


@pytest.mark.parametrize(
    ("files", "evidence"),
    [
        ({"requirements.txt": "Flask==3.1.0\n"}, "Flask==3.1.0 in requirements.txt"),
        ({"pyproject.toml": '[project]\ndependencies = ["flask[async]>=3"]\n'}, "flask[async]>=3 in pyproject.toml"),
        ({"Pipfile": '[packages]\nflask = "*"\n'}, "flask in Pipfile"),
        # Flask-Script: no project of Django.
        (
            {"requirements.txt": "flask\n", "manage.py": "from flask_script import Manager\n"},
            "flask in requirements.txt",
        ),
    ],
)
def test_an_app_is_told_by_what_it_depends_on(tmp_path, files, evidence):
    found = detect(make(tmp_path, files))
    assert (found.framework, found.evidence, found.label) == ("flask", (evidence,), "Flask")


def test_a_pipfile_that_is_none_is_an_error_with_a_message(tmp_path):
    with pytest.raises(DetectionError, match="Pipfile is not valid TOML"):
        detect(make(tmp_path, {"Pipfile": "[packages"}))


MODULES = [
    (["app.py", "other/app.py"], ["app.py"], ""),
    (["wsgi.py"], ["wsgi.py"], ""),
    (["src/shop/__init__.py"], ["src/shop/__init__.py"], "src"),
    (["shop/__init__.py"], ["shop/__init__.py"], ""),
    (["a/web.py", "b/web.py"], ["a/web.py", "b/web.py"], ""),
    (["tests/app.py", ".venv/app.py"], [], ""),
]


@pytest.mark.parametrize(("files", "found", "src_dir"), MODULES)
def test_the_module_of_the_app_is_found(tmp_path, files, found, src_dir):
    make(tmp_path, {"requirements.txt": "flask\n", **dict.fromkeys(files, FACTORY)})
    assert find_app_modules(tmp_path, "flask") == found
    assert detect(tmp_path).src_dir == src_dir


@pytest.mark.parametrize("text", [APP, FACTORY])
def test_an_app_is_wired_by_two_lines_and_left_alone_afterwards(tmp_path, text):
    root = make(tmp_path / "shop", {"requirements.txt": "flask\n", "app.py": text})
    scaffold(str(root))
    edited = (root / "app.py").read_text("utf-8")
    assert [line.strip() for line in edited.splitlines() if line not in text.splitlines()] == [
        "from workflow_studio_app import add_workflow_studio",
        CALL,
    ]
    lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    assert {"flask", "pydantic-settings>=2.7", f"workflow-studio-client>={studio_version()}"} <= set(lines)
    assert json.loads((root / "package.json").read_text("utf-8"))["dependencies"] == {"workflow": "4.8.9"}
    before = tree(root)
    assert {"workflow_studio_app/door.py", "workflow_studio_app/core/blocking.py", ".env.example"} <= before.keys()
    assert not [path for path in before if path.endswith((".ts", ".cjs"))]
    scaffold(str(root))
    assert tree(root) == before
    assert run(str(root), "--check") == 0


@pytest.mark.parametrize(("text", "app"), [(APP, "app.app"), (FACTORY, "app.create_app()")])
def test_an_app_works_when_it_is_wired(tmp_path, text, app):
    root = make(tmp_path / "shop", {"requirements.txt": "flask\n", "app.py": text})
    scaffold(str(root))
    ask = f"import app; a = {app}.test_client().post('{FLOW}'); print(a.status_code, a.json['code'])"
    done = subprocess.run([sys.executable, "-c", ask], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "409 remote_execution_enabled\n", done.stderr


def test_an_app_in_src_has_its_package_beside_it(tmp_path):
    root = make(tmp_path / "shop", {"requirements.txt": "flask\n", "src/shop/__init__.py": FACTORY})
    scaffold(str(root))
    assert (root / "src/workflow_studio_app/install.py").is_file()
    assert CALL in (root / "src/shop/__init__.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({}, "main.py"),
        ({"a/web.py": APP, "b/web.py": APP}, "a/web.py"),
        (
            {"app.py": "from flask import Flask\n\n\ndef create_app():\n    return Flask('x')\n\n\napp = Flask('y')\n"},
            "app.py",
        ),
    ],
)
def test_an_app_that_is_unclear_is_left_to_its_owner_with_the_lines_to_add(tmp_path, capsys, files, where):
    root = make(tmp_path / "shop", {"requirements.txt": "flask\n", **files})
    code, document = run_json(capsys, str(root), "--no-install")
    assert code == 3
    (step,) = document["manual"]
    assert step["path"] == where
    assert "from workflow_studio_app import add_workflow_studio" in step["snippet"]
    assert "app = Flask(__name__)" in step["snippet"]
    assert {name: (root / name).read_text("utf-8") for name in files} == files


class TestDependencies:
    def test_in_a_pipfile_are_added_there(self, tmp_path):
        pipfile = '[packages]\nflask = "*"  # the web\n\n[dev-packages]\npytest = "*"\n'
        root = make(tmp_path / "shop", {"Pipfile": pipfile, "app.py": APP})
        scaffold(str(root))
        text = (root / "Pipfile").read_text("utf-8")
        assert tomllib.loads(text)["packages"].keys() == {"flask", "pydantic-settings", "workflow-studio-client"}
        assert [line for line in pipfile.splitlines() if line not in text.splitlines()] == []
        assert not (root / "requirements.txt").exists()

    @pytest.mark.parametrize("name", ["setup.py", "setup.cfg", "environment.yml"])
    def test_in_a_form_that_is_not_edited_are_left_to_their_owner(self, tmp_path, capsys, name):
        root = make(tmp_path / "shop", {name: "flask\n", "app.py": APP})
        code, document = run_json(capsys, str(root), "--framework", "flask", "--no-install")
        assert code == 3
        (step,) = document["manual"]
        assert step["path"] == name
        assert "workflow-studio-client" in step["snippet"]
        assert not (root / "requirements.txt").exists()


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "flask\n", "app.py": APP},
        {"Pipfile": '[packages]\nflask = "*"\n', "src/shop/__init__.py": FACTORY},
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["flask"]\n', "app.py": APP},
    ],
)
def test_a_removal_takes_everything_back(tmp_path, files):
    root = make(tmp_path / "shop", files)
    before = tree(root)
    scaffold(str(root))
    assert main(["remove", str(root)]) == 0
    assert tree(root) == before


def test_a_new_app_is_made_whole(tmp_path, capsys):
    code, document = run_json(capsys, str(tmp_path), "--new", "shop", "--framework", "flask", "--no-install")
    assert code == 0
    made = tree(tmp_path / "shop")
    assert {"app/main.py", "workflows/order.ts", "workflow_studio_app/door.py", "tests/test_app.py"} <= made.keys()
    assert tomllib.loads(made["pyproject.toml"].decode())["project"]["name"] == "shop"
    assert "pip install -e '.[dev]'" in document["next"][2]
    assert run(str(tmp_path / "shop"), "--check") == 0
