"""New apps of every framework, in TypeScript and in JavaScript: formatted, and right by their own type check.

One installation serves them all: each app is a folder below it, so that its packages are found by walking up.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.template import FRAMEWORKS, render

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LANGUAGES = ("ts", "js")
PRETTIER = {
    "prettier": "3.10.1",
    "prettier-plugin-astro": "1.1.0",
    "prettier-plugin-svelte": "4.1.1",
}
CHECK_JS = {
    "compilerOptions": {
        "allowJs": True, "checkJs": True, "strict": True, "noEmit": True, "module": "node20", "target": "es2022",
        "lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"], "types": ["node"], "skipLibCheck": True,
    },
    "include": ["workflow-studio/**/*"],
}  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_")}
    quiet = {"NEXT_TELEMETRY_DISABLED": "1", "NUXT_TELEMETRY_DISABLED": "1", "ASTRO_TELEMETRY_DISABLED": "1"}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **quiet, "NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} in {cwd.name}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def apps(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("types")
    wanted: dict[str, str] = dict(PRETTIER)
    for framework in FRAMEWORKS:
        for language in LANGUAGES:
            folder = render(template, root / f"{framework}-{language}", framework, language=language)
            package: dict[str, Any] = json.loads((folder / "package.json").read_text())
            for name, version in {**package["devDependencies"], **package["dependencies"]}.items():
                if name == "workflow-studio":
                    continue
                assert wanted.setdefault(name, version) == version, f"{name} is of one version in all templates"
            (folder / "node_modules").mkdir()
            (folder / "node_modules/workflow-studio").symlink_to("../workflow-studio")
    (root / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    run(
        "npm",
        "install",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--legacy-peer-deps",
        cwd=root,
    )
    return root


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_new_app_passes_its_own_type_check(apps: Path, framework: str, language: str) -> None:
    run("npm", "run", "typecheck", cwd=apps / f"{framework}-{language}")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_generated_package_is_checked_javascript(apps: Path, framework: str) -> None:
    folder = apps / f"{framework}-ts"
    (folder / "tsconfig.check.json").write_text(json.dumps(CHECK_JS))
    run("npx", "tsc", "--project", "tsconfig.check.json", cwd=folder)


def test_every_file_is_as_prettier_writes_it(apps: Path) -> None:
    plugins = [f"--plugin={name}" for name in PRETTIER if "plugin" in name]
    run("npx", "prettier", "--single-quote", *plugins, "--check", ".", "!**/README.md", cwd=apps)
