"""The answers the template is rendered with, and the file in the project that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import TemplateError, UsageError
from workflow_studio.scaffolder.scaffold._project import read_bytes
from workflow_studio.scaffolder.scaffold._template import REPOSITORY, template_ref

if TYPE_CHECKING:
    from pathlib import Path

_DEFAULT_FILE = ".copier-answers.yml"
_OWN_FILE = ".copier-answers.workflow-studio.yml"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier run left in the project.

    Attributes:
        path: The answers file, inside the project.
        commit: The template's tag, as ``v0.1.0``.
        answers: The answers, without Copier's own entries.
        source: Where the template came from, as ``gh:org/workflow-studio``.
    """

    path: str
    commit: str
    answers: dict[str, Any]
    source: str = REPOSITORY

    @property
    def is_current(self) -> bool:
        """Whether the project was made by the template this package has."""
        return self.commit == template_ref()


def read_recorded(root: Path, *, newest: str | None = None) -> tuple[Recorded | None, str]:
    """Return what an earlier run recorded, and the name the answers file has or will have.

    Another template's answers file is left alone: ours then gets a name of its own.

    Args:
        root: The project's folder.
        newest: The newest version of the template there is; by default the one of this package.

    Raises:
        TemplateError: Our answers file cannot be read.
        UsageError: The project was made by a newer Studio.
    """
    free = _DEFAULT_FILE
    for path in (_OWN_FILE, _DEFAULT_FILE):
        data = read_bytes(root, path)
        if data is None:
            continue
        entries = _parse(path, data)
        if not _is_ours(entries):
            free = _OWN_FILE if path == _DEFAULT_FILE else free
            continue
        recorded = Recorded(
            path,
            str(entries.get("_commit", "")),
            {name: value for name, value in entries.items() if not name.startswith("_")},
            str(entries.get("_src_path", "")),
        )
        _refuse_newer(recorded, newest or template_ref())
        return recorded, path
    return None, free


def _is_ours(entries: dict[str, Any]) -> bool:
    # A copy made from a fork or a local checkout has another source, but answers the same questions.
    return entries.get("_src_path") == REPOSITORY or {"framework", "mode", "app_dir"} <= entries.keys()


def _parse(path: str, data: bytes) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415 - only scaffolding pays for it

    try:
        entries = yaml.safe_load(data.decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(
            f"{path} cannot be read.",
            code="answers_unreadable",
            hint="Restore it from version control, or delete it and scaffold again.",
        ) from error
    return entries if isinstance(entries, dict) else {}


def _refuse_newer(recorded: Recorded, newest: str) -> None:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - only scaffolding pays for it

    try:
        newer = Version(recorded.commit.removeprefix("v")) > Version(newest.removeprefix("v"))
    except InvalidVersion:
        return
    if newer:
        raise UsageError(
            f"This project was scaffolded by Workflow Studio {recorded.commit}, which is newer than {newest}.",
            code="studio_too_old",
            hint="Update it: pip install --upgrade workflow-studio",
        )
