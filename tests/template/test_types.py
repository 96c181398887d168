"""New apps of every framework, in TypeScript and in JavaScript: formatted, and right by their own type check.

One installation serves them all: they are the workspaces of one repository.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.node import path_of_newer_node
from tests.support.rotation import part_of
from tests.support.template import FRAMEWORKS, render

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LANGUAGES = ("ts", "js")
CHECKED = part_of(FRAMEWORKS, 2)
"""The frameworks whose packages are installed for the type check."""
PRETTIER = {
    "prettier": "3.10.1",
    "prettier-plugin-astro": "1.1.0",
    "prettier-plugin-svelte": "4.1.1",
    "svelte": "5.57.3",
}
INSTALL = (
    "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock", "--legacy-peer-deps",
)  # fmt: skip
CHECK_JS = {
    "compilerOptions": {
        "allowJs": True, "checkJs": True, "strict": True, "noEmit": True, "module": "node20", "target": "es2022",
        "lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"], "types": ["node"], "skipLibCheck": True,
    },
    "include": ["workflow-studio/**/*"],
}  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    node = path_of_newer_node(cwd.parent / "newer-node")  # Astro and Nuxt refuse the system's
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_")}
    quiet = {"NEXT_TELEMETRY_DISABLED": "1", "NUXT_TELEMETRY_DISABLED": "1", "ASTRO_TELEMETRY_DISABLED": "1"}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **quiet, **node, "NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} in {cwd.name}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Apps:
    """The new apps."""

    root: Path

    def folder(self, framework: str, language: str) -> Path:
        # The packages of Nuxt are of other lines than those of Nitro 3 beside it, and so are what it finds around it.
        return self.root / ("nuxt" if framework == "nuxt" else "others") / f"{framework}-{language}"


@pytest.fixture(scope="module")
def apps(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Apps:
    made = Apps(tmp_path_factory.mktemp("types"))
    folders = [made.folder(framework, language) for framework in CHECKED for language in LANGUAGES]
    for folder in folders:
        framework, _, language = folder.name.rpartition("-")
        render(template, folder, framework, language=language)
    for root in {folder.parent for folder in folders}:
        workspace = {"private": True, "workspaces": ["*-ts", "*-js"]}
        (root / "package.json").write_text(json.dumps(workspace))
        run(*INSTALL, cwd=root)
        # npm takes the packages of one name and version for one; each app has its own.
        (root / "node_modules/workflow-studio").unlink(missing_ok=True)
    for folder in folders:
        link = folder / "node_modules/workflow-studio"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to("../workflow-studio")
    return made


def leave_one_of_each(folder: Path) -> None:
    """Remove files that there are already, in other apps; what may hold settings stays."""
    seen: set[tuple[str, bytes]] = set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found = file.name, file.read_bytes()
        if found in seen and not file.name.startswith(".") and file.suffix != ".json":
            file.unlink()
        seen.add(found)


def test_every_file_is_as_prettier_writes_it(template: Path, tmp_path: Path) -> None:
    names = [f"{framework}-{language}" for framework in FRAMEWORKS for language in LANGUAGES]
    for name in names:
        framework, _, language = name.rpartition("-")
        render(template, tmp_path / name, framework, language=language)
    leave_one_of_each(tmp_path)
    (tmp_path / "package.json").write_text(json.dumps({"private": True, "devDependencies": PRETTIER}))
    run(*INSTALL, cwd=tmp_path)
    plugins = [f"--plugin={name}" for name in PRETTIER if "plugin" in name]
    run("npx", "prettier", "--single-quote", *plugins, "--check", *names, "!**/README.md", cwd=tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("framework", CHECKED)
def test_a_new_app_passes_its_own_type_check(apps: Apps, framework: str, language: str) -> None:
    run("npm", "run", "typecheck", cwd=apps.folder(framework, language))


@pytest.mark.parametrize("framework", CHECKED)
def test_the_generated_package_is_checked_javascript(apps: Apps, framework: str) -> None:
    folder = apps.folder(framework, "ts")
    (folder / "tsconfig.check.json").write_text(json.dumps(CHECK_JS))
    run("npx", "tsc", "--project", "tsconfig.check.json", cwd=folder)
