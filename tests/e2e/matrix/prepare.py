"""A fresh app of a framework, with its team's routes and a workflow; then Workflow Studio is put into it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.e2e.matrix.starter import APPS, HERE, copy_over, path_of_node
from tests.e2e.support import run, studio

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.matrix.starter import Starter

INSTALL = ("npm", "install", "--prefer-offline", "--no-audit", "--no-fund")


def prepare(starter: Starter, folder: Path) -> None:
    """Make, scaffold, install, build: what a team does, and in their order."""
    env = path_of_node(starter, folder.parent / f"node-of-{starter.label}")
    starter.make(folder)
    copy_over(APPS / starter.label, folder)
    workflows = folder / starter.workflows
    workflows.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "tour.ts", workflows / "tour.ts")
    theirs = team_files(starter, folder)

    made = studio("scaffold", "--no-install", *starter.scaffold, cwd=folder, env=env)
    assert made["detected"]["framework"] == starter.id
    assert made["manual"] == []
    run(*INSTALL, cwd=folder, env=env)
    run("npm", "run", "build", cwd=folder, env=env)
    studio("build", cwd=folder, env=env)
    assert team_files(starter, folder) == theirs, "the team's routes and workflows are as they were"
    again = studio("scaffold", "--no-install", "--check", cwd=folder, env=env)
    assert [change for change in again["changes"] if change["action"] not in {"unchanged", "keep"}] == []


def team_files(starter: Starter, folder: Path) -> dict[str, bytes]:
    """Return what the team wrote into the fresh app, but for configuration, which ``studio scaffold`` may edit."""
    overlay = APPS / starter.label
    edited = ("package.json", "tsconfig.json", ".gitignore", "nest-cli.json")
    names = [path.relative_to(overlay) for path in overlay.rglob("*") if path.is_file()]
    found = {
        str(name): (folder / name).read_bytes()
        for name in names
        if name.name not in edited and ".config." not in name.name and name.name not in {"main.ts", "app.module.ts"}
    }
    assert len(found) > 1
    return found | {"tour.ts": (folder / starter.workflows / "tour.ts").read_bytes()}
