"""Keeps ``examples/`` what the template makes: ``python -m tests.support.examples --write``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.support.template import ROOT, WITH_EXAMPLE, copy_template, files, render

EXAMPLES = ROOT / "examples"
# Copier notes in it where the template was on the machine that rendered it.
ANSWERS_FILE = ".copier-answers.yml"
# What building and running an example leaves in its folder.
MADE_BY_USE = frozenset(
    {
        "node_modules", "package-lock.json", "next-env.d.ts", "tsconfig.tsbuildinfo", "build", "dist", ".env",
        ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache",
        ".next", ".nitro", ".output", ".svelte-kit", ".swc", ".well-known", ".workflow-data", ".workflow-studio",
    }
)  # fmt: skip


def name_of(framework: str) -> str:
    """Return the folder of a framework's example."""
    return f"{framework}-app"


def rendered(framework: str, folder: Path) -> dict[str, bytes]:
    """Return the files of a framework's example as the template makes them now; ``folder`` is scratch space."""
    name = name_of(framework)
    template = copy_template(folder / f"template-of-{name}")
    app = files(render(template, folder / name, framework, project_name=name))
    del app[ANSWERS_FILE]
    return app


def committed(framework: str) -> dict[str, bytes]:
    """Return the files of a framework's example as they are in the repository."""
    return {
        path: content
        for path, content in files(EXAMPLES / name_of(framework)).items()
        if not MADE_BY_USE & set(path.split("/"))
    }


def write() -> None:
    """Make every example anew. What building them left there is kept."""
    for framework in WITH_EXAMPLE:
        folder = EXAMPLES / name_of(framework)
        with tempfile.TemporaryDirectory() as scratch:
            app = rendered(framework, Path(scratch))
        for path in committed(framework).keys() - app.keys():
            (folder / path).unlink()
        for path, content in app.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def outdated() -> list[str]:
    """Return the examples that are not what the template makes."""
    with tempfile.TemporaryDirectory() as scratch:
        return [name_of(name) for name in WITH_EXAMPLE if rendered(name, Path(scratch)) != committed(name)]


def main(arguments: list[str] | None = None) -> int:
    """Write the examples, or say which are outdated."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.examples", description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the examples anew")
    if parser.parse_args(arguments).write:
        write()
        return 0
    for name in (names := outdated()):
        sys.stderr.write(f"examples/{name} is not what the template makes; run this with --write.\n")
    return 1 if names else 0


if __name__ == "__main__":
    raise SystemExit(main())
