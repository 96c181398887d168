"""Rendering the template with Copier, offline, so that the result is what `copier copy` of the repository would make.

Copier takes templates from git repositories and records the repository and the tag in the answers file. The sources
that come with this package (or the checkout it runs from) therefore become a repository of one commit in a temporary
folder, and git is told, for this process only, that the public address means that folder. The answers file then names
the public address and the version, and a later `copier update` works from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = "gh:org/workflow-studio"
"""What the answers file names as the template's source."""
_REPOSITORY_URL = "https://github.com/org/workflow-studio.git"
TEMPLATE_PATHS = ("copier.yml", "template", "runtime/compute/src/workflow_studio/compute/js")
"""What the template consists of, in the repository; ``hatch_build.py`` packs the same paths into the wheel."""

# A repository found through these would be the user's, not ours (they are set inside git hooks).
_GIT_STATE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")


def studio_version() -> str:
    """Return the version of this package, which is the template's."""
    return version("workflow-studio")


def template_ref() -> str:
    """Return the git tag of the template this package renders."""
    return f"v{studio_version()}"


def find_sources() -> Path:
    """Return the folder that holds ``copier.yml``: package data, or the root of the checkout.

    Raises:
        TemplateError: Neither is there.
    """
    packaged = Path(__file__).parents[1] / "_template"
    checkout = Path(__file__).parents[5]
    for folder in (packaged, checkout):
        if (folder / "copier.yml").is_file() and (folder / "template").is_dir():
            return folder
    raise TemplateError(
        "The template is missing from this installation.",
        code="template_missing",
        hint="Install it again: pip install --force-reinstall workflow-studio",
    )


def render(answers: Mapping[str, Any], *, answers_file: str = ".copier-answers.yml") -> dict[str, bytes]:
    """Render the template.

    Args:
        answers: Answers to the template's questions.
        answers_file: Where Copier keeps the answers in the project.

    Returns:
        The content of every file, by POSIX path.

    Raises:
        TemplateError: git is missing, an answer is refused, or the template is broken.
    """
    with tempfile.TemporaryDirectory(prefix="studio-template-") as name:
        folder = Path(name).resolve()
        repository = folder / "repository"
        _make_repository(find_sources(), repository)
        target = folder / "render" / str(answers.get("project_name") or "app")
        target.parent.mkdir()
        with _git_environment(_variables(repository, folder / "cache")):
            _copy(target, answers, answers_file)
        return {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in sorted(target.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


def _copy(target: Path, answers: Mapping[str, Any], answers_file: str) -> None:
    try:
        from copier import Settings, run_copy  # noqa: PLC0415 - importing Copier takes a second

        run_copy(
            REPOSITORY,
            target,
            dict(answers),
            answers_file=answers_file,
            vcs_ref=template_ref(),
            defaults=True,
            overwrite=True,
            quiet=True,
            # The user's own Copier settings must not change what is made.
            settings=Settings(),
        )
    except (Exception, SystemExit) as error:  # Copier raises errors of many kinds, built-in ones too
        raise TemplateError(f"The template could not be rendered: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _make_repository(sources: Path, repository: Path) -> None:
    """Make a git repository of one commit, tagged with the version; the same sources give the same commit."""
    git = shutil.which("git")
    if git is None:
        raise TemplateError(
            "git was not found; Copier, which renders the template, needs it.",
            code="git_not_found",
            hint="Install git and try again.",
        )
    repository.mkdir(parents=True)
    for relative in TEMPLATE_PATHS:
        source, target = sources / relative, repository / relative
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".DS_Store"))
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_STATE} | _HERMETIC
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all", "--force"),
        ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", f"Template {template_ref()}"),
        ("tag", template_ref()),
    ):
        result = subprocess.run(  # noqa: S603 - git, in a folder of our own
            [git, *arguments], cwd=repository, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise TemplateError(f"git {arguments[0]} failed: {_first_line(RuntimeError(result.stderr))}")


_HERMETIC = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **{
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", "Workflow Studio"),
            ("EMAIL", "studio@localhost"),
            ("DATE", "2025-01-01T00:00:00Z"),
        )
    },
}


def _variables(repository: Path, cache: Path) -> dict[str, str]:
    return {
        **_HERMETIC,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": _REPOSITORY_URL,
        "COPIER_CACHE_DIR": str(cache),
    }


@contextmanager
def _git_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for Copier, which starts git through plumbum's own copy of the environment."""
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.callback(_restore, before)
        for name in _GIT_STATE:
            os.environ.pop(name, None)
        os.environ.update(variables)
        from plumbum import local  # noqa: PLC0415 - comes with Copier

        stack.enter_context(local.env(**variables))
        for name in _GIT_STATE:
            if name in local.env:
                del local.env[name]
        yield


def _restore(before: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)
