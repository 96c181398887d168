"""Where the template comes from: this installation, or the releases that a repository or bundle holds."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import TemplateError, UsageError
from workflow_studio.scaffolder.scaffold._template._bundle import (
    BUNDLE,
    PACKED,
    GitError,
    list_releases,
    run_git,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = "gh:org/workflow-studio"
"""What the answers file names as the template's source."""
TEMPLATE_VARIABLE: Final = "STUDIO_TEMPLATE"
"""Names a git repository, or a bundle of one, whose releases ``studio update`` takes instead of its own."""
_ADDRESS: Final = "github.com/org/workflow-studio"


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the template.

    Attributes:
        ref: Its tag, as ``v0.1.0``.
        folder: The template, as ``copier.yml`` and what it needs.
        source: What the answers file names as the template's source.
    """

    ref: str
    folder: Path
    source: str = REPOSITORY


def studio_version() -> str:
    """Return the version of this package, which is the template's."""
    return version("workflow-studio")


def template_ref() -> str:
    """Return the git tag of the template this package renders."""
    return f"v{studio_version()}"


def is_public_address(source: str) -> bool:
    """Tell whether a source named in an answers file is the public repository, however it is spelled."""
    address = source.removeprefix("git+").removesuffix("/").removesuffix(".git")
    for prefix in ("https://", "http://", "ssh://", "git://", "git@"):
        address = address.removeprefix(prefix)
    return source == REPOSITORY or address.removeprefix("git@").replace("github.com:", "github.com/") == _ADDRESS


def find_sources() -> Path:
    """Return the folder that holds ``copier.yml``: package data, or the root of the checkout.

    Raises:
        TemplateError: Neither is there.
    """
    packaged = Path(__file__).parents[2] / PACKED
    checkout = Path(__file__).parents[6]
    for folder in (packaged, checkout):
        if (folder / "copier.yml").is_file() and (folder / "template").is_dir():
            return folder
    raise TemplateError(
        "The template is missing from this installation.",
        code="template_missing",
        hint="Install it again: pip install --force-reinstall workflow-studio",
    )


def present_release() -> Release:
    """Return the version of the template that this package renders.

    Raises:
        TemplateError: The template is missing.
    """
    return Release(template_ref(), find_sources())


class Releases:
    """The versions of the template that can be had here, without a network.

    Attributes:
        refs: Their tags, the oldest first.
        newest: The one to update to.
        replaced: Whether they come from :data:`TEMPLATE_VARIABLE` and not from this installation.
    """

    def __init__(self, repository: Path | None, present: Release | None, scratch: Path) -> None:
        self.replaced = present is None
        self._repository = repository
        self._present = present
        self._scratch = scratch
        refs = list_releases(repository) if repository is not None else []
        if present is not None:
            limit = version_key(present.ref) or (0,)
            refs = [*(ref for ref in refs if (version_key(ref) or ()) < limit), present.ref]
        if not refs:
            raise UsageError(
                f"{TEMPLATE_VARIABLE} names a repository without releases.",
                code="template_without_releases",
                hint="A release is a tag such as v0.1.0.",
            )
        self.refs = tuple(refs)
        self.newest = refs[-1]

    def get(self, ref: str) -> Release:
        """Return a version of the template; it is there until :func:`open_releases` ends.

        Raises:
            UsageError: There is no such version.
        """
        if ref not in self.refs:
            known = ", ".join(self.refs)
            raise UsageError(
                f"Version {ref!r} of the template is not in this installation.",
                code="template_version_unknown",
                hint=f"It has {known}. A later Studio has later ones: pip install --upgrade workflow-studio",
            )
        if self._present is not None and ref == self._present.ref:
            return self._present
        folder = self._scratch / ref
        if not folder.exists():
            packed = run_git(["-C", str(self._repository), "archive", "--format=tar", ref])
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(folder, filter="data")
        return Release(ref, folder)


@contextmanager
def open_releases() -> Iterator[Releases]:
    """Open the versions of the template that came with this package, or those :data:`TEMPLATE_VARIABLE` names.

    Raises:
        TemplateError: git is missing, or what should hold the versions does not.
        UsageError: The variable names no repository.
    """
    with TemporaryDirectory(prefix="studio-template-") as name, _readable():
        scratch = Path(name).resolve()
        given = os.environ.get(TEMPLATE_VARIABLE)
        if given:
            yield Releases(_repository_of(Path(given).expanduser(), scratch), None, scratch)
            return
        present = present_release()
        bundle = present.folder / BUNDLE
        if bundle.is_file():
            yield Releases(_unpack(bundle, scratch), present, scratch)
        else:
            inside = (present.folder / ".git").exists()
            yield Releases(present.folder if inside else None, present, scratch)


def _repository_of(path: Path, scratch: Path) -> Path:
    if path.is_file():
        return _unpack(path, scratch)
    try:
        run_git(["-C", str(path), "rev-parse", "--git-dir"])
    except GitError as error:
        if not error.command:
            raise
        raise UsageError(
            f"{TEMPLATE_VARIABLE} is {path}, which is no git repository.",
            hint="Name a clone of the template's repository, or a git bundle of it.",
        ) from error
    return path


def _unpack(bundle: Path, scratch: Path) -> Path:
    repository = scratch / "repository.git"
    run_git(["init", "--quiet", "--bare", str(repository)])
    run_git(["-C", str(repository), "fetch", "--quiet", str(bundle), "refs/tags/*:refs/tags/*"])
    return repository


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except GitError as error:
        if not error.command:
            raise TemplateError(
                "git was not found; earlier versions of the template are read, and files merged, with it.",
                code="git_not_found",
                hint="Install git and try again.",
            ) from error
        raise TemplateError(
            f"The versions of the template cannot be read: {error}", hint="Install Studio again, and git 2.35 or later."
        ) from error
