"""Rendering the template with Copier, so that the result is what `copier copy` of the repository would make.

Copier takes versions from git repositories and records the repository and the tag in the answers file. It is far
quicker with a plain folder, of which it records neither: both are put into the answers file here, and a later
`copier update` works from the public address.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import TemplateError
from workflow_studio.scaffolder.scaffold._template._copier import run_copy
from workflow_studio.scaffolder.scaffold._template._sources import Release, present_release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SOURCE = re.compile(rb"^_src_path:.*(?:\n[ \t].*)*$", re.MULTILINE)


def render(
    answers: Mapping[str, Any],
    *,
    answers_file: str = ".copier-answers.yml",
    release: Release | None = None,
    as_update: bool = False,
) -> dict[str, bytes]:
    """Render the template.

    Args:
        answers: Answers to the template's questions.
        answers_file: Where Copier keeps the answers in the project.
        release: The version of the template; by default the one of this package.
        as_update: Leave out what a project gets only once, as `copier update` does.

    Returns:
        The content of every file, by POSIX path.

    Raises:
        TemplateError: The template is missing or broken, or an answer is refused.
    """
    release = release or present_release()
    with tempfile.TemporaryDirectory(prefix="studio-render-") as name:
        target = Path(name).resolve() / str(answers.get("project_name") or "app")
        exclude = _exclusions_of_updates(release) if as_update else ()
        _copy(release, target, answers, answers_file, exclude)
        files = {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in sorted(target.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
    if answers_file in files:
        files[answers_file] = _name_release(files[answers_file], release)
    return files


def _copy(
    release: Release, target: Path, answers: Mapping[str, Any], answers_file: str, exclude: Sequence[str]
) -> None:
    try:
        run_copy(
            str(release.folder),
            target,
            dict(answers),
            answers_file=answers_file,
            exclude=exclude,
            defaults=True,
            overwrite=True,
            quiet=True,
        )
    except (Exception, SystemExit) as error:  # Copier raises errors of many kinds, built-in ones too
        raise TemplateError(f"The template could not be rendered: {_first_line(error)}") from error


def _exclusions_of_updates(release: Release) -> list[str]:
    """Return the template's own exclusions, evaluated as in an update; Copier adds them to what a copy leaves out."""
    import yaml  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415 - only scaffolding pays for it

    config = yaml.load((release.folder / "copier.yml").read_text("utf-8"), _permissive_loader(yaml))  # noqa: S506
    return [f"{{% set _copier_operation = 'update' %}}{pattern}" for pattern in config.get("_exclude") or ()]


def _permissive_loader(yaml: Any) -> Any:
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Reads what Copier reads: `!include` is its own tag, and holds questions, not exclusions."""

    Loader.add_constructor("!include", lambda _loader, _node: {})
    return Loader


def _name_release(content: bytes, release: Release) -> bytes:
    """Put the version and the public address where Copier recorded the folder.

    Raises:
        TemplateError: The template's answers file has not the entries Copier writes.
    """
    named = f"_commit: {release.ref}\n_src_path: {release.source}".encode()
    replaced, count = _SOURCE.subn(lambda _: named, content)
    if count != 1:
        raise TemplateError("The template's answers file does not hold what Copier records.")
    return replaced


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
