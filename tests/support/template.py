"""The template as tests use it: copied to a plain folder and rendered with Copier, untouched by anybody's settings."""

from __future__ import annotations

import shutil
from pathlib import Path

from copier import Settings, run_copy

ROOT = Path(__file__).parents[2]
TEMPLATES = tuple(sorted(path.parent.name for path in (ROOT / "template").glob("*/once.txt")))
"""Everything there is a template for."""
PYTHON = ("fastapi", "flask", "django")
FRAMEWORKS = tuple(name for name in TEMPLATES if name not in PYTHON)
"""The frameworks in JavaScript, whose apps run the workflows themselves until they are told otherwise."""
WITH_EXAMPLE = ("nextjs", "nitro", "sveltekit", "fastapi", "flask", "django")
"""The frameworks whose new app is in ``examples/``, for readers."""
PARTS = ("copier.yml", "template", "runtime/compute/src/workflow_studio/compute/js")
"""What the template consists of."""


def copy_template(target: Path) -> Path:
    """Copy the template into ``target`` and return it."""
    for part in PARTS:
        source, destination = ROOT / part, target / part
        if source.is_dir():
            shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
    return target


def render(template: Path, target: Path, framework: str, mode: str = "new", **answers: str) -> Path:
    """Render the template from a plain folder into ``target`` and return it."""
    run_copy(
        str(template),
        target,
        {"framework": framework, "mode": mode, **answers},
        defaults=True,
        overwrite=True,
        quiet=True,
        settings=Settings(),
    )
    return target


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below ``folder``, by POSIX path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
