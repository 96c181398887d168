"""From one version of the template to the next, by Copier's own update and by Studio's, which have to agree."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from copier import Settings, run_copy, run_update

from tests.support.releases import NEXT, PRESENT, change, commit, git, next_release
from tests.support.template import files
from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tool = Callable[[Path], int]

pytestmark = pytest.mark.usefixtures("own_git")

ADAPTER = "workflow-studio/next.cjs"
CONFIG = "workflow.config.ts"
ROUTE = "app/api/workflow-studio/diagnostics/remote-ownership/route.ts"
MARKER = "// From the version after the first."
DROPPED, ADDED = "workflow-studio/lib/access.cjs", "workflow-studio/lib/added.cjs"
ENTRY = "src/workflow_studio_app/__init__.py"

EDITS = {
    "template/_shared/adapters/next.cjs": lambda text: text.replace("\n", f"\n{MARKER}\n", 1),
    "template/_shared/workflow.config.ts": ("retries: 3", "retries: 5"),
    "template/_shared/order.jinja": ("'2s'", "'3s'"),
    "template/_shared/env.example": ("# Where the worker is.", "# Where the worker is: its URL."),
    "template/_shared/workflow-studio/lib/added.cjs": "module.exports = {};\n",
    "copier.yml": lambda text: text.replace("'access', ", "'added', "),
    "template/nextjs/package.json.jinja": ('"version": "0.1.0"', '"version": "0.2.0"'),
    "template/fastapi/{{ source_prefix }}workflow_studio_app/__init__.py": lambda text: text + f"# {MARKER}\n",
    "template/fastapi/{{ app_dir }}/__init__.py": ("The app.", "The app of a later version."),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's repository with the tags v0.1.0, what there is now, and v0.2.0, which changed things."""
    return next_release(tmp_path_factory.mktemp("repository") / "template", EDITS)


@pytest.fixture
def make_project(repository: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(**answers: str) -> Path:
        folder = tmp_path / "orders"
        run_copy(
            str(repository), folder, answers, vcs_ref=PRESENT, defaults=True, quiet=True, settings=Settings()
        )  # fmt: skip
        git(folder, "init", "--quiet")
        commit(folder, "Made")
        return folder

    return make


@pytest.fixture
def project(make_project: Callable[..., Path]) -> Path:
    return make_project(framework="nextjs")


def by_copier(project: Path) -> int:
    run_update(project, vcs_ref=NEXT, defaults=True, overwrite=True, quiet=True, settings=Settings())
    return 0  # with conflicts as well


def by_studio(project: Path) -> int:
    return main(["update", str(project)])


@pytest.fixture(params=[by_copier, by_studio])
def update(request: pytest.FixtureRequest, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    monkeypatch.setenv("STUDIO_TEMPLATE", str(repository))
    tool: Tool = request.param
    return tool


def test_files_nobody_touched_become_those_of_the_new_version(project: Path, update: Tool) -> None:
    assert update(project) == 0
    assert MARKER in (project / ADAPTER).read_text()
    assert "retries: 5" in (project / CONFIG).read_text()
    assert '"version": "0.2.0"' in (project / "workflow-studio/package.json").read_text()
    assert "_commit: v0.2.0" in (project / ".copier-answers.yml").read_text()
    assert (project / ADDED).exists()
    assert not (project / DROPPED).exists()


def test_what_the_user_owns_stays_as_it_is(project: Path, update: Tool) -> None:
    change(project / "workflows/order.ts", "'2s'", "'30 days'")
    commit(project, "Sleep longer")
    before = {name: (project / name).read_bytes() for name in ("workflows/order.ts", "package.json", "next.config.ts")}
    assert update(project) == 0
    assert {name: (project / name).read_bytes() for name in before} == before


def test_edits_and_news_in_one_file_come_together(project: Path, update: Tool) -> None:
    edit(project)
    assert update(project) == 0
    adapter = (project / ADAPTER).read_text()
    assert MARKER in adapter
    assert "console.info('ours');" in adapter
    config = (project / CONFIG).read_text()
    assert "mode: 'remote', // ours" in config
    assert "retries: 5" in config
    assert "// ours" in (project / ROUTE).read_text()
    assert "UU" not in git(project, "status", "--porcelain")


def test_clash_is_marked_and_reported(project: Path, update: Tool) -> None:
    change(project / CONFIG, "retries: 3", "retries: 1")
    commit(project, "Retry once")
    code = update(project)
    config = (project / CONFIG).read_text()
    assert "<<<<<<< " in config
    assert "retries: 1" in config
    assert "retries: 5" in config
    # Copier tells git, and Studio its caller.
    assert (code == 3) != ("UU workflow.config.ts" in git(project, "status", "--porcelain"))


def test_files_the_user_deleted_stay_deleted(project: Path, update: Tool) -> None:
    names = (".env.example", ROUTE, "workflows/order.ts", "app/page.tsx")
    for name in names:
        (project / name).unlink()
    commit(project, "Do without them")
    assert update(project) == 0
    assert [name for name in names if (project / name).exists()] == []


def test_update_to_the_same_version_changes_nothing(project: Path, repository: Path) -> None:
    run_update(project, vcs_ref=PRESENT, defaults=True, overwrite=True, quiet=True, settings=Settings())
    assert git(project, "status", "--porcelain") == ""


def test_app_in_python_gets_the_news_and_keeps_its_edits(make_project: Callable[..., Path], update: Tool) -> None:
    project = make_project(framework="fastapi", app_dir="src/shop")
    entry = project / ENTRY
    entry.write_text(f"# Ours.\n{entry.read_text()}")
    change(project / "src/shop/orders.py", "No such order.", "Never heard of it.")
    commit(project, "Edited")
    assert update(project) == 0
    assert entry.read_text().startswith("# Ours.\n")
    assert entry.read_text().endswith(f"# {MARKER}\n")
    assert "Never heard of it." in (project / "src/shop/orders.py").read_text()
    assert "later version" not in (project / "src/shop/__init__.py").read_text()


def edit(project: Path) -> None:
    """Edit generated files, away from what the new version changes in them."""
    adapter = project / ADAPTER
    adapter.write_text(adapter.read_text() + "console.info('ours');\n")
    change(project / CONFIG, "// mode: 'remote',", "mode: 'remote', // ours")
    change(project / ROUTE, "return handle", "// ours\n  return handle")
    commit(project, "Edit generated files")


@pytest.mark.parametrize("mode", ["new", "existing"])
@pytest.mark.parametrize("edited", [False, True])
def test_both_updates_give_the_same_files(
    repository: Path,
    make_project: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    *,
    edited: bool,
) -> None:
    monkeypatch.setenv("STUDIO_TEMPLATE", str(repository))
    project = make_project(framework="nextjs", mode=mode)
    if edited:
        edit(project)
        (project / "workflow-studio/lib/trigger.cjs").unlink()
        (project / ".env.example").unlink()
        (project / "lib.ts").write_text("export {};\n")
        commit(project, "Do without, and add")
    other = project.parent / "studio"
    shutil.copytree(project, other)
    by_copier(project)
    assert by_studio(other) == 0
    assert without_git(other) == without_git(project)
    assert git(project, "diff", "--name-only", "HEAD"), "there was nothing to update"


def without_git(project: Path) -> dict[str, bytes]:
    return {path: content for path, content in files(project).items() if not path.startswith(".git/")}
