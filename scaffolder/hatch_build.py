"""Packs the template into the wheel, so that `studio scaffold` works without a checkout and without a network.

An sdist gets the same files under ``_template/``, and a wheel built from that sdist takes them from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The same list as TEMPLATE_PATHS of workflow_studio.scaffolder.scaffold._template; a test compares them.
TEMPLATE_PATHS = ("copier.yml", "template", "runtime/compute/src/workflow_studio/compute/js")
_PACKED = "_template"
_IN_WHEEL = "workflow_studio/scaffolder/_template"
_IGNORED = frozenset({"__pycache__", "node_modules", ".DS_Store"})


class TemplateBuildHook(BuildHookInterface[Any]):
    """Adds the template to sdists and wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add every file of the template; an editable install reads the checkout instead.

        Raises:
            FileNotFoundError: The template is neither beside nor inside this folder.
        """
        if version == "editable":
            return
        root = Path(self.root)
        source = next((folder for folder in (root / _PACKED, root.parent) if (folder / "copier.yml").is_file()), None)
        if source is None:
            message = f"copier.yml is neither in {root / _PACKED} nor in {root.parent}"
            raise FileNotFoundError(message)
        target = _PACKED if self.target_name == "sdist" else _IN_WHEEL
        for relative in TEMPLATE_PATHS:
            start = source / relative
            for path in [start] if start.is_file() else sorted(start.rglob("*")):
                inside = path.relative_to(source)
                if path.is_file() and not _IGNORED.intersection(inside.parts):
                    build_data["force_include"][str(path)] = f"{target}/{inside.as_posix()}"
