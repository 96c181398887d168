"""Two releases of the template in one repository, as updates need them.

:func:`next_release` makes them; ``studio update`` takes its template from there when the environment variable
``STUDIO_TEMPLATE`` names the folder it returns.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.template import copy_template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Edit = str | None | tuple[str, str] | Callable[[str], str]
"""A file's new text, ``None`` to delete it, what to replace in it by what, or a function from text to text."""

PRESENT, NEXT = "v0.1.0", "v0.2.0"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run([*command, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str) -> None:
    """Commit all there is."""
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)


def next_release(folder: Path, edits: Mapping[str, Edit] | None = None) -> Path:
    """Make a repository of the template with v0.1.0, what there is now, and v0.2.0, which differs by ``edits``.

    Args:
        folder: Where to; it is made.
        edits: By path in the repository; without any, every file of the integration gets a line of its own.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    copy_template(folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "First")
    git(folder, "tag", PRESENT)
    for path, edit in (ORDINARY if edits is None else edits).items():
        apply_edit(folder / path, edit)
    change(folder / "copier.yml", "default: 0.1.0", "default: 0.2.0")
    commit(folder, "Second")
    git(folder, "tag", NEXT)
    return folder


def apply_edit(file: Path, edit: Edit) -> None:
    """Apply an edit to a file."""
    if edit is None:
        file.unlink()
    elif isinstance(edit, str):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edit, "utf-8", newline="")
    elif isinstance(edit, tuple):
        change(file, *edit)
    else:
        file.write_text(edit(file.read_text("utf-8")), "utf-8")


def change(file: Path, before: str, after: str) -> None:
    """Replace a text that is in a file once."""
    text = file.read_text("utf-8")
    assert text.count(before) == 1, f"{file}: {before!r} is there {text.count(before)} times"
    file.write_text(text.replace(before, after), "utf-8")


NEWS = "// From the version after the first.\n"


def _news_at_the_end(text: str) -> str:
    return text + NEWS


ORDINARY: Mapping[str, Edit] = {
    "template/_shared/workflow-studio/lib/config.cjs": _news_at_the_end,
    "template/_shared/workflow-studio/lib/trigger.cjs": _news_at_the_end,
    "template/_shared/workflow-studio/index.cjs": _news_at_the_end,
}
"""What an ordinary release changes: files every app in JavaScript has."""
