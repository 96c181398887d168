"""Packs the template into the wheel, so that `studio` works without a checkout and without a network.

The present version is there as plain files, to render quickly, and every release is in a git bundle, for updates. An
sdist gets the same files under ``_template/``, and a wheel built from that sdist takes them from there.
"""

from __future__ import annotations

import importlib.util
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE = "src/workflow_studio/scaffolder"


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
        bundles = _load(root / _PACKAGE / "scaffold/_template/_bundle.py")
        source = next((folder for folder in (root / bundles.PACKED, root.parent) if _holds_template(folder)), None)
        if source is None:
            message = f"copier.yml is neither in {root / bundles.PACKED} nor in {root.parent}"
            raise FileNotFoundError(message)
        target = bundles.PACKED if self.target_name == "sdist" else f"workflow_studio/scaffolder/{bundles.PACKED}"
        for relative in bundles.TEMPLATE_PATHS:
            start = source / relative
            for path in [start] if start.is_file() else sorted(start.rglob("*")):
                inside = path.relative_to(source)
                if path.is_file() and not bundles.IGNORED.intersection(inside.parts):
                    build_data["force_include"][str(path)] = f"{target}/{inside.as_posix()}"
        bundle = source / bundles.BUNDLE
        if not bundle.is_file():
            bundle = self._make_bundle(bundles, source)
        build_data["force_include"][str(bundle)] = f"{target}/{bundles.BUNDLE}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made on the way."""
        del version, build_data, artifact_path
        self._temporary.close()

    @property
    def _temporary(self) -> ExitStack:
        return self.__dict__.setdefault("_stack", ExitStack())

    def _make_bundle(self, bundles: ModuleType, source: Path) -> Path:
        if (source / ".git/shallow").is_file():
            self.app.display_warning(
                "This clone is shallow: releases whose tags are not here are missing from the wheel, and apps made by "
                "them cannot be updated with it. To release, fetch everything: git fetch --tags --unshallow"
            )
        scratch = Path(self._temporary.enter_context(tempfile.TemporaryDirectory(prefix="studio-bundle-")))
        bundle = scratch / bundles.BUNDLE
        bundles.make_bundle(source, f"v{self.metadata.version}", bundle, scratch)
        return bundle


def _holds_template(folder: Path) -> bool:
    return (folder / "copier.yml").is_file()


def _load(file: Path) -> ModuleType:
    """Import a file of the package, which is not installed while it is built."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
