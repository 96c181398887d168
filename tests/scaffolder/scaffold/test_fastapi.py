"""FastAPI apps: told by their Python dependencies, wired by one line behind ``app = FastAPI()``."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.scaffolder.scaffold.conftest import run, run_json, scaffold, tree
from workflow_studio.scaffolder.checks import Verdict
from workflow_studio.scaffolder.doctor.app import check_app
from workflow_studio.scaffolder.errors import DetectionError, EditRefusedError
from workflow_studio.scaffolder.scaffold._detect import detect
from workflow_studio.scaffolder.scaffold._python import find_app_modules
from workflow_studio.scaffolder.scaffold._template import studio_version
from workflow_studio.scaffolder.scaffold.edits import Source, add_app_call, add_requirements

PYPROJECT = """[project]
name = "shop"  # ours
version = "1"
dependencies = [
    "fastapi[standard]>=0.115",
]
"""
MAIN = '''"""The shop."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def root() -> str:
    return "hello"
'''


def make(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return root


@pytest.fixture
def shop(tmp_path, monkeypatch):
    root = make(tmp_path / "shop", {"pyproject.toml": PYPROJECT, "main.py": MAIN})
    monkeypatch.chdir(root)
    return root


DECLARATIONS = [
    ({"pyproject.toml": PYPROJECT}, "fastapi[standard]>=0.115 in pyproject.toml"),
    ({"pyproject.toml": '[project]\noptional-dependencies.web = ["FastAPI"]\n'}, "FastAPI in pyproject.toml"),
    ({"pyproject.toml": '[dependency-groups]\na = ["fastapi", {include-group = "x"}]\n'}, "fastapi in pyproject.toml"),
    ({"pyproject.toml": '[tool.poetry.dependencies]\nfastapi = "^0.115"\n'}, "fastapi in pyproject.toml"),
    (
        {"requirements.txt": "# web\n-r more.txt\n\nfastapi==0.115.0 --hash=sha256:0 # pinned\n./local\n"},
        "fastapi==0.115.0 in requirements.txt",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "evidence"), DECLARATIONS)
def test_an_app_is_told_by_what_it_depends_on(tmp_path, files, evidence):
    found = detect(make(tmp_path, files))
    assert (found.framework, found.evidence, found.label) == ("fastapi", (evidence,), "FastAPI")


def test_an_app_with_a_package_json_is_told_too(tmp_path):
    files = {"pyproject.toml": PYPROJECT, "package.json": '{"devDependencies": {"vite": "8", "workflow": "4.8.9"}}'}
    assert detect(make(tmp_path, files)).framework == "fastapi"


def test_two_frameworks_in_one_folder_are_for_a_person_to_decide(tmp_path):
    files = {"pyproject.toml": PYPROJECT, "package.json": '{"dependencies": {"next": "16"}}'}
    with pytest.raises(DetectionError, match=r"nextjs .*fastapi") as caught:
        detect(make(tmp_path, files))
    assert caught.value.code == "framework_ambiguous"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"pyproject.toml": "[project"}, "detection_failed"),
        ({"pyproject.toml": "\x00"}, "detection_failed"),
        ({"pyproject.toml": "[project]\ndependencies = 'fastapi'\n"}, "detection_failed"),
        ({"pyproject.toml": "[project]\ndependencies = ['bottle']\n"}, "framework_not_found"),
    ],
)
def test_a_project_that_is_none_of_it_is_an_error_with_a_message(tmp_path, files, code):
    with pytest.raises(DetectionError) as caught:
        detect(make(tmp_path, files))
    assert caught.value.code == code


MODULES = [
    (["main.py", "app/main.py"], ["main.py"], ""),
    (["src/shop/main.py"], ["src/shop/main.py"], "src"),
    (["src/shop/main.py", "src/__init__.py"], ["src/shop/main.py"], ""),
    (["a/web.py", "b/web.py"], ["a/web.py", "b/web.py"], ""),
    (["tests/main.py", ".venv/main.py", "env/x/main.py", "node_modules/x/main.py"], [], ""),
]


@pytest.mark.parametrize(("files", "found", "src_dir"), MODULES)
def test_the_module_of_the_app_is_found(tmp_path, files, found, src_dir):
    make(
        tmp_path,
        {name: "" if name.endswith("__init__.py") else MAIN for name in files}
        | {"other.py": "print('FastAPI(')\n", "pyproject.toml": PYPROJECT},
    )
    assert find_app_modules(tmp_path) == found
    assert detect(tmp_path).src_dir == src_dir


class TestAnAppThatIsThere:
    def test_is_wired_by_two_lines(self, shop):
        scaffold()
        assert (shop / "main.py").read_text("utf-8") == MAIN.replace(
            "import FastAPI\n", "import FastAPI\nfrom workflow_studio_app import add_workflow_studio\n"
        ).replace("app = FastAPI()\n", "app = FastAPI()\nadd_workflow_studio(app)\n")

    def test_gets_its_dependencies_beside_those_it_has(self, shop):
        scaffold()
        text = (shop / "pyproject.toml").read_text("utf-8")
        wanted = ["pydantic-settings>=2.7", f"workflow-studio-client>={studio_version()}"]
        assert text == PYPROJECT.replace('0.115",\n', '0.115",\n' + "".join(f'    "{line}",\n' for line in wanted))
        assert json.loads((shop / "package.json").read_text("utf-8"))["dependencies"] == {"workflow": "4.8.9"}

    def test_gets_the_files_of_studio_and_nothing_in_typescript(self, shop):
        scaffold()
        made = tree(shop).keys()
        assert {"workflow_studio_app/__init__.py", ".env.example", ".gitignore", ".copier-answers.yml"} <= made
        assert not [path for path in made if path.endswith((".ts", ".cjs"))]

    def test_is_left_alone_by_a_second_run(self, shop):
        scaffold()
        before = tree(shop)
        scaffold()
        assert tree(shop) == before
        assert run("--check") == 0

    def test_keeps_what_was_edited_and_gets_back_what_it_needs(self, shop, capsys):
        scaffold()
        (shop / "workflow_studio_app/streams.py").write_text("# ours\n", "utf-8")
        (shop / "workflow_studio_app/core/errors.py").unlink()
        (shop / ".env.example").unlink()
        code, document = run_json(capsys, "--no-install")
        actions = {change["path"]: change["action"] for change in document["changes"]}
        assert code == 0
        assert actions["workflow_studio_app/streams.py"] == "keep"
        assert actions["workflow_studio_app/core/errors.py"] == "create"
        assert actions[".env.example"] == "keep"

    def test_in_src_has_its_package_beside_it(self, tmp_path):
        root = make(tmp_path / "shop", {"requirements.txt": "fastapi\n", "src/shop/main.py": MAIN})
        scaffold(str(root))
        assert (root / "src/workflow_studio_app/install.py").is_file()
        assert "add_workflow_studio(app)" in (root / "src/shop/main.py").read_text("utf-8")
        requirements = (root / "requirements.txt").read_text("utf-8").splitlines()
        assert requirements[0] == "fastapi"
        assert f"workflow-studio-client>={studio_version()}" in requirements
        assert run(str(root), "--check") == 0

    @pytest.mark.parametrize(
        ("files", "where"),
        [
            ({}, "main.py"),
            ({"a/web.py": MAIN, "b/web.py": MAIN}, "a/web.py"),
            ({"main.py": MAIN + "\n\nother = FastAPI()\n"}, "main.py"),
        ],
    )
    def test_that_is_unclear_is_left_to_its_owner_with_the_lines_to_add(self, tmp_path, capsys, files, where):
        root = make(tmp_path / "shop", {"pyproject.toml": PYPROJECT, **files})
        code, document = run_json(capsys, str(root), "--no-install")
        assert code == 3
        (step,) = document["manual"]
        assert step["path"] == where
        assert "from workflow_studio_app import add_workflow_studio" in step["snippet"]
        assert "add_workflow_studio(app)" in step["snippet"]
        assert {name: (root / name).read_text("utf-8") for name in files} == files

    def test_with_dynamic_dependencies_is_told_what_to_add(self, tmp_path, capsys):
        pyproject = '[project]\nname = "x"\ndynamic = ["dependencies"]\noptional-dependencies.a = ["fastapi"]\n'
        root = make(tmp_path / "shop", {"pyproject.toml": pyproject, "main.py": MAIN})
        code, document = run_json(capsys, str(root), "--no-install")
        assert code == 3
        assert document["manual"][0]["path"] == "pyproject.toml"
        assert "workflow-studio-client" in document["manual"][0]["snippet"]

    def test_says_what_comes_next(self, shop, capsys):
        (shop / "uv.lock").write_text("", "utf-8")
        code, document = run_json(capsys, "--no-install")
        assert code == 0
        assert document["next"][0] == "npm install"
        assert document["next"][1].startswith("uv sync ")
        assert "WORKFLOW_COMPUTE_BASE_URL" in document["next"][-1]
        assert "WORKFLOW_TARGET_WORLD" not in str(document["next"])


def test_a_new_app_is_made_whole(tmp_path, capsys):
    code, document = run_json(capsys, str(tmp_path), "--new", "shop", "--framework", "fastapi", "--no-install")
    assert code == 0
    made = tree(tmp_path / "shop")
    assert {"app/main.py", "workflows/order.ts", "workflow_studio_app/install.py", "tests/test_app.py"} <= made.keys()
    assert tomllib.loads(made["pyproject.toml"].decode())["project"]["name"] == "shop"
    assert "pip install -e '.[dev]'" in document["next"][2]
    assert run(str(tmp_path / "shop"), "--check") == 0
    checks = {check.name: check.verdict for check in check_app(tmp_path / "shop")}
    # It has no World, so nothing is said about one; its npm packages are not installed yet.
    assert checks == {"scaffold": Verdict.PASS, "sdk": Verdict.FAIL}


LONG = '''#!/usr/bin/env python
"""Doc."""
from __future__ import annotations

import os
from fastapi import (
    FastAPI,
)

X = 1
import late
app = FastAPI()
'''
EDITS = [
    ("from fastapi import FastAPI\napp = FastAPI()\n", "app"),
    ("import fastapi\napi = fastapi.FastAPI(title='x')", "api"),
    ("import fastapi as f\r\napi = f.FastAPI(\r\n    title='x',\r\n)  # the app\r\n", "api"),
    ("from fastapi import FastAPI as F, Request\napp: F = F()\n", "app"),
    (LONG, "app"),
    ("from fastapi import FastAPI\n\ndef create():\n    app = FastAPI()\n    return app\n", "app"),
    ("from fastapi import FastAPI\nif True:\n\tapp = FastAPI(lifespan=None)\n", "app"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), EDITS)
def test_the_call_goes_right_behind_the_app(text, name):
    source = Source.load("main.py", text.encode())
    edited = add_app_call(source, "add_workflow_studio", "workflow_studio_app")
    made = edited.dump().decode()
    compile(made, "main.py", "exec")
    added = [line for line in made.splitlines() if "workflow_studio" in line]
    assert [line.strip() for line in added] == [
        "from workflow_studio_app import add_workflow_studio",
        f"add_workflow_studio({name})",
    ]
    kept = "".join(line for line in made.splitlines(keepends=True) if "workflow_studio" not in line)
    assert kept.rstrip() == text.rstrip()
    assert ("\r\n" in made) == ("\r\n" in text)
    assert add_app_call(Source.load("main.py", edited.dump()), "add_workflow_studio", "workflow_studio_app").dump() == (
        edited.dump()
    )


REFUSED = [
    ("from other import FastAPI\napp = FastAPI()\n", "no FastAPI app"),
    ("from fastapi import FastAPI\napp = FastAPI(); print(1)\n", "same line"),
    ("from fastapi import FastAPI\nself.app = FastAPI()\n", "not assigned"),
    ("from fastapi import FastAPI\napp = wrap(FastAPI())\n", "not assigned"),
    ("from fastapi import FastAPI\nreturn FastAPI()\n", "not assigned"),
    ("from fastapi import FastAPI\na = b = FastAPI()\n", "not assigned"),
    ("from fastapi import FastAPI\na = FastAPI()\nb = FastAPI()\n", "several"),
    ("def x():\n    from fastapi import FastAPI\ndef y():\n    app = FastAPI()\n", "not imported at the top"),
    ("from fastapi import FastAPI\napp = FastAPI(\n", "does not parse"),
    ("", "no FastAPI app"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_a_shape_that_is_unclear_is_refused(text, why):
    with pytest.raises(EditRefusedError, match=why):
        add_app_call(Source.load("main.py", text.encode()), "add_workflow_studio", "workflow_studio_app")


TABLES = [
    '[project]\ndependencies = ["a"]\n',
    "[project]\ndependencies = []\n",
    '[project]\ndependencies = [\n  "a", # why\n  # more\n]\n[tool.x]\ny = 1\n',
    '[tool.poetry.dependencies]\npython = "^3.11"\n\n[tool.x]\ny = 1\n',
    '[project]\r\ndependencies = [\r\n    "a",\r\n]\r\n',
]


@pytest.mark.parametrize("text", TABLES)
def test_dependencies_are_added_and_every_other_line_stays(text):
    edited = add_requirements("pyproject.toml", text.encode(), {"b": ">=1"}).decode()
    assert "b" in str(tomllib.loads(edited))
    lines = [line for line in text.splitlines() if "dependencies = [" not in line or "]" not in line]
    assert [line for line in lines if line not in edited.splitlines()] == []
    assert ("\r\n" in edited) == ("\r\n" in text)
