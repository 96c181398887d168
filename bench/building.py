"""One build of one app, which every World runs."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from tests.e2e.support import run, studio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE: Final = Path(__file__).parent
WORK: Final = HERE / ".work"
"""Where builds are kept."""

_ROOT: Final = HERE.parent
_MADE: Final = {"node_modules", ".output", ".nitro", "__pycache__", ".pytest_cache"}
_SOURCES: Final = (
    HERE / "app",
    _ROOT / "copier.yml",
    _ROOT / "template",
    _ROOT / "scaffolder/src",
)
"""What the build is made from."""


@contextmanager
def alone(tell: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other benchmark of this checkout runs: two at once would measure each other."""
    WORK.mkdir(exist_ok=True)
    lock = FileLock(WORK / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell("Waiting for another benchmark of this checkout to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def built_app() -> Path:
    """Return the app's folder, built from what the checkout has now; an earlier build of the same is taken again.

    Call it :func:`alone`: other builds are deleted.
    """
    folder = WORK / f"app-{_digest()}"
    if not folder.exists():
        for old in WORK.glob("app-*"):
            shutil.rmtree(old)
        build(folder)
    return folder


def build(folder: Path) -> None:
    """Make the app in a new folder as its team would: install, scaffold, build. What fails leaves nothing behind."""
    try:
        shutil.copytree(HERE / "app", folder, ignore=shutil.ignore_patterns(*_MADE))
        run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", cwd=folder)
        studio("scaffold", "--yes", cwd=folder)
        run("npm", "run", "build", cwd=folder)
        studio("build", cwd=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _digest() -> str:
    """Return what stands for everything that the build is made from."""
    total = hashlib.sha256()
    for source in _SOURCES:
        for file in _files(source):
            total.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()[:12]


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    for file in sorted(source.rglob("*")):
        if file.is_file() and not _MADE & set(file.parts):
            yield file
