"""Apps that are packages of a monorepo, and the root of one."""

from __future__ import annotations

import json

import pytest

from tests.scaffolder.scaffold.conftest import make_app, run, run_json
from workflow_studio.scaffolder.errors import DetectionError
from workflow_studio.scaffolder.scaffold._detect import detect
from workflow_studio.scaffolder.scaffold._workspace import find_workspace, read_workspace


def package(folder, **content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(content), "utf-8")


@pytest.fixture
def monorepo(tmp_path):
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    package(root, private=True, workspaces=["apps/*", "packages/*"])
    package(root / "apps/web", dependencies={"next": "16"})
    package(root / "apps/api", dependencies={"@nestjs/core": "12", "express": "5"})
    package(root / "packages/ui", dependencies={"react": "19"})
    package(root / "tools/script", dependencies={"express": "5"})
    package(root / "apps/web/node_modules/next", dependencies={"express": "5"})
    return root


class TestTheRoot:
    def test_lists_the_apps_with_their_frameworks_and_exits_2(self, monorepo, monkeypatch, capsys):
        monkeypatch.chdir(monorepo)
        assert run() == 2
        err = capsys.readouterr().err
        assert "This is the root of a monorepo (workspaces in package.json)." in err
        assert "Its apps: apps/api (NestJS), apps/web (Next.js)." in err
        assert "studio scaffold apps/api" in err

    def test_is_an_error_with_a_code_of_its_own_in_json(self, monorepo, monkeypatch, capsys):
        monkeypatch.chdir(monorepo)
        code, document = run_json(capsys)
        assert (code, document["error"]["code"]) == (2, "workspace_root")

    def test_that_is_an_app_itself_is_that_app(self, monorepo):
        package(monorepo, workspaces=["packages/*"], dependencies={"next": "16"})
        assert detect(monorepo).framework == "nextjs"

    def test_without_apps_is_told_to_name_a_folder(self, tmp_path):
        package(tmp_path, private=True, workspaces=["apps/*"])
        with pytest.raises(DetectionError) as caught:
            detect(tmp_path)
        assert caught.value.code == "framework_not_found"
        assert "studio scaffold apps/web" in caught.value.hint

    @pytest.mark.parametrize("name", ["turbo.json", "nx.json", "lerna.json"])
    def test_shows_by_the_tool_that_works_on_it_too(self, tmp_path, name):
        package(tmp_path, private=True)
        (tmp_path / name).write_text("{}", "utf-8")
        package(tmp_path / "apps/web", dependencies={"next": "16"})
        with pytest.raises(DetectionError, match=rf"monorepo \({name}\). Its apps: apps/web"):
            detect(tmp_path)


class TestAnApp:
    def test_knows_its_monorepo_and_says_so(self, tmp_path, capsys):
        root = tmp_path / "repo"
        (root / ".git").mkdir(parents=True)
        package(root, workspaces={"packages": ["apps/**", "!apps/old"], "nohoist": []})
        app = make_app(root / "apps/web", "nitro")
        _, document = run_json(capsys, str(app), "--dry-run")
        assert document["detected"]["workspace"] == {
            "root": str(root),
            "package": "apps/web",
            "evidence": ["workspaces in package.json"],
        }
        assert run(str(app), "--status") == 0
        assert f"A package of the monorepo {root} (workspaces in package.json)" in capsys.readouterr().out

    def test_outside_the_listed_folders_is_no_package_of_it(self, monorepo):
        assert find_workspace(monorepo / "tools/script") is None

    def test_with_a_repository_of_its_own_is_no_package_of_it(self, monorepo):
        (monorepo / "apps/web/.git").mkdir()
        assert find_workspace(monorepo / "apps/web") is None

    def test_is_not_looked_for_above_the_repository(self, tmp_path):
        package(tmp_path, workspaces=["**"])
        package(tmp_path / "repo/app", dependencies={"next": "16"})
        (tmp_path / "repo/.git").mkdir()
        assert find_workspace(tmp_path / "repo/app") is None


PATTERNS = [
    ("packages:\n  - 'apps/*'\n", ["apps/web"]),
    ("packages:\n  - apps/**\n  - '!**/fixtures/**'\n", ["apps/deep/down", "apps/web"]),
    ("packages: ['{apps,libs}/*']\n", ["apps/web", "libs/a"]),
    ("packages:\n  - ./apps/web/\n", ["apps/web"]),
    ("packages:\n  - '**'\n", ["apps/deep/down", "apps/fixtures/x", "apps/web", "libs/a"]),
    ("packages: 3\n", None),
    ("- a\n", None),
    ("packages: [\n", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), PATTERNS)
def test_packages_are_those_that_pnpm_takes(tmp_path, text, expected):
    (tmp_path / "pnpm-workspace.yaml").write_text(text, "utf-8")
    for folder in ("apps/web", "apps/deep/down", "apps/fixtures/x", "libs/a", "apps/web/node_modules/b"):
        package(tmp_path / folder)
    workspace = read_workspace(tmp_path)
    assert (None if workspace is None else workspace.packages()) == expected


@pytest.mark.parametrize("workspaces", [3, "apps/*", {"packages": None}, [1, None], []])
def test_workspaces_of_another_shape_count_as_none(tmp_path, workspaces):
    package(tmp_path, workspaces=workspaces)
    assert read_workspace(tmp_path) is None
