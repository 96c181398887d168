"""From one version of the template to the next, in a project whose owner has edited things."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from copier import Settings, run_copy, run_update

from tests.support.template import copy_template

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("own_git")

ADAPTER = "workflow-studio/next.cjs"
ROUTE = "app/api/workflow-studio/diagnostics/remote-ownership/route.ts"
MARKER = "// From the version after the first."


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The template's repository with the tags v0.1.0, what there is now, and v0.2.0, which changed things."""
    folder = tmp_path / "repository"
    folder.mkdir()
    copy_template(folder)
    git(folder, "init", "--quiet")
    commit(folder, "First")
    git(folder, "tag", "v0.1.0")
    shared = folder / "template/_shared"
    change(shared / "adapters/next.cjs", "// The Next.js adapter.", f"// The Next.js adapter.\n{MARKER}")
    change(shared / "workflow.config.ts", "retries: 3", "retries: 5")
    change(shared / "order.jinja", "'2s'", "'3s'")
    change(folder / "template/nextjs/package.json.jinja", '"0.1.0"', '"0.2.0"')
    change(shared / "env.example", "# Where the worker is.", "# Where the worker is: its URL.")
    change(folder / "copier.yml", "default: 0.1.0", "default: 0.2.0")
    change(
        folder / "template/fastapi/{{ source_prefix }}workflow_studio_app/streams.py",
        'b": still here',
        'b": here, still',
    )
    change(folder / "template/fastapi/{{ app_dir }}/__init__.py", "The app.", "The app of a later version.")
    commit(folder, "Second")
    git(folder, "tag", "v0.2.0")
    return folder


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "orders"
    run_copy(
        str(repository), folder, {"framework": "nextjs"}, vcs_ref="v0.1.0", defaults=True, quiet=True,
        settings=Settings(),
    )  # fmt: skip
    git(folder, "init", "--quiet")
    commit(folder, "Made")
    return folder


def update(project: Path) -> None:
    run_update(project, vcs_ref="v0.2.0", defaults=True, overwrite=True, quiet=True, settings=Settings())


def test_files_nobody_touched_become_those_of_the_new_version(project: Path) -> None:
    update(project)
    assert MARKER in (project / ADAPTER).read_text()
    assert "retries: 5" in (project / "workflow.config.ts").read_text()
    assert '"version": "0.2.0"' in (project / "workflow-studio/package.json").read_text()
    assert "_commit: v0.2.0" in (project / ".copier-answers.yml").read_text()


def test_what_the_user_owns_stays_as_it_is(project: Path) -> None:
    change(project / "workflows/order.ts", "'2s'", "'30 days'")
    commit(project, "Sleep longer")
    before = {name: (project / name).read_bytes() for name in ("workflows/order.ts", "package.json", "next.config.ts")}
    update(project)
    assert {name: (project / name).read_bytes() for name in before} == before


def test_edits_and_news_in_one_file_come_together(project: Path) -> None:
    change(project / ADAPTER, "refusePromise(config, 'withWorkflowStudioNext');", "console.info('ours');")
    change(project / "workflow.config.ts", "// mode: 'remote',", "mode: 'remote', // ours")
    change(project / ROUTE, "return handle", "// ours\n  return handle")
    commit(project, "Edit generated files")
    update(project)
    adapter = (project / ADAPTER).read_text()
    assert MARKER in adapter
    assert "console.info('ours');" in adapter
    config = (project / "workflow.config.ts").read_text()
    assert "mode: 'remote', // ours" in config
    assert "retries: 5" in config
    assert "// ours" in (project / ROUTE).read_text()
    assert "UU" not in git(project, "status", "--porcelain")


def test_a_clash_is_marked_and_reported(project: Path) -> None:
    change(project / "workflow.config.ts", "retries: 3", "retries: 1")
    commit(project, "Retry once")
    update(project)
    config = (project / "workflow.config.ts").read_text()
    assert "<<<<<<< before updating" in config
    assert "retries: 1" in config
    assert "retries: 5" in config
    assert "UU workflow.config.ts" in git(project, "status", "--porcelain")


def test_files_the_user_deleted_stay_deleted(project: Path) -> None:
    names = (".env.example", ROUTE, "workflows/order.ts", "app/page.tsx")
    for name in names:
        (project / name).unlink()
    commit(project, "Do without them")
    update(project)
    assert [name for name in names if (project / name).exists()] == []


def test_an_update_to_the_same_version_changes_nothing(project: Path) -> None:
    run_update(project, vcs_ref="v0.1.0", defaults=True, overwrite=True, quiet=True, settings=Settings())
    assert git(project, "status", "--porcelain") == ""


def test_an_app_in_python_gets_the_news_and_keeps_its_edits(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    answers = {"framework": "fastapi", "app_dir": "src/shop"}
    run_copy(
        str(repository), project, answers, vcs_ref="v0.1.0", defaults=True, quiet=True, settings=Settings()
    )  # fmt: skip
    git(project, "init", "--quiet")
    streams = project / "src/workflow_studio_app/streams.py"
    change(streams, "_POLL_SECONDS: Final = 0.5", "_POLL_SECONDS: Final = 0.1  # ours")
    change(project / "src/shop/orders.py", "No such order.", "Never heard of it.")
    commit(project, "Made and edited")
    update(project)
    assert "here, still" in streams.read_text()
    assert "_POLL_SECONDS: Final = 0.1  # ours" in streams.read_text()
    assert "Never heard of it." in (project / "src/shop/orders.py").read_text()
    assert "later version" not in (project / "src/shop/__init__.py").read_text()
    assert "UU" not in git(project, "status", "--porcelain")
