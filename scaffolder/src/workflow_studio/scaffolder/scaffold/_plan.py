"""A plan: everything a command would do to a project, worked out before anything is written."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold._project import read_bytes

if TYPE_CHECKING:
    from pathlib import Path


class Action(StrEnum):
    """What happens to a file."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one file.

    Attributes:
        path: POSIX path inside the project.
        before: The content the plan was made for; ``None`` when there was no file.
        after: The content to write; ``None`` leaves the file as it is.
        note: Why, for people.
        kept: The file differs from the template on purpose and stays the user's.
        deleted: The file is removed; ``after`` is ``None``.
    """

    path: str
    before: bytes | None
    after: bytes | None
    note: str = ""
    kept: bool = False
    deleted: bool = False

    @property
    def action(self) -> Action:
        """What writing this change would do."""
        if self.kept:
            return Action.KEEP
        if self.deleted and self.before is not None:
            return Action.DELETE
        if self.after is None or self.after == self.before:
            return Action.UNCHANGED
        return Action.CREATE if self.before is None else Action.UPDATE

    @property
    def writes(self) -> bool:
        """Whether the file is written or removed."""
        return self.action in {Action.CREATE, Action.UPDATE, Action.DELETE}

    def diff(self) -> str:
        """Return a unified diff, empty when nothing is written."""
        if not self.writes:
            return ""
        try:
            old = (self.before or b"").decode("utf-8").splitlines(keepends=True)
            new = (self.after or b"").decode("utf-8").splitlines(keepends=True)
        except UnicodeDecodeError:
            return f"Binary file {self.path} differs\n"
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        target = "/dev/null" if self.deleted else f"b/{self.path}"
        lines = difflib.unified_diff(old, new, source, target)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True, slots=True)
class ManualStep:
    """Something a person has to do.

    Attributes:
        path: The file, inside the project.
        line: 1-based line.
        why: Why it was not done for them.
        snippet: What to paste.
    """

    path: str
    line: int
    why: str
    snippet: str


@dataclass(slots=True)
class Plan:
    """Everything a command would do.

    Attributes:
        root: The project's folder.
        changes: By path, in the order they are shown.
        manual: What is left for a person.
        notes: What a person should know.
    """

    root: Path
    changes: dict[str, Change] = field(default_factory=dict)
    manual: list[ManualStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self, path: str) -> bytes | None:
        """Return the content a file will have, ``None`` when there will be none."""
        change = self.changes.get(path)
        if change is not None and change.writes:
            return change.after
        return read_bytes(self.root, path)

    def text(self, path: str) -> str | None:
        """Return the text a file will have."""
        data = self.read(path)
        return None if data is None else data.decode("utf-8", "replace")

    def write(self, path: str, after: bytes, note: str = "") -> None:
        """Plan the content of a file; a second call for the same file builds on the first."""
        earlier = self.changes.get(path)
        before = earlier.before if earlier is not None else read_bytes(self.root, path)
        self.changes[path] = Change(path, before, after, note)

    def delete(self, path: str, note: str = "") -> None:
        """Plan to remove a file, and the folders that are empty without it; one that is not there stays away."""
        earlier = self.changes.get(path)
        before = earlier.before if earlier is not None else read_bytes(self.root, path)
        self.changes[path] = Change(path, before, None, note, deleted=True)

    def keep(self, path: str, note: str) -> None:
        """Leave a file as the user made it, and say so."""
        self.changes[path] = Change(path, read_bytes(self.root, path), None, note, kept=True)

    @property
    def pending(self) -> list[Change]:
        """The changes that write or remove something."""
        return [change for change in self.changes.values() if change.writes]
