"""What an update does to each file: from what the template made, what it makes now, and what the user has."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.update._text import dressed, merge, same, similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workflow_studio.scaffolder.scaffold._plan import Plan

_ALIKE = 0.6
"""From here on a file that went and one that came count as one file that moved."""


class Outcome(StrEnum):
    """What becomes of a file."""

    CREATE = "create"
    UPDATE = "update"
    MERGE = "merge"
    RENAME = "rename"
    RESTORE = "restore"
    DELETE = "delete"
    CONFLICT = "conflict"
    KEEP_MODIFIED = "keep-modified"
    SKIP_DELETED = "skip-deleted-by-you"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one file.

    Attributes:
        path: POSIX path inside the project.
        outcome: What becomes of it.
        note: Why, for people.
        moved_from: The path it had before, if the template moved it.
        conflicts: 1-based lines at which conflicts start; none for a conflict that is about the whole file.
    """

    path: str
    outcome: Outcome
    note: str = ""
    moved_from: str = ""
    conflicts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Versions:
    """Two versions of the template, rendered with the project's answers.

    Attributes:
        before: The version the project has.
        after: The version it gets.
        old: What ``before`` makes, by path.
        new: What ``after`` makes, by path.
        all_new: Returns what ``after`` makes for a new app: what an update leaves alone is in it as well.
        formatted: Returns texts as the project's own formatter writes them.
    """

    before: str
    after: str
    old: Mapping[str, bytes]
    new: Mapping[str, bytes]
    all_new: Callable[[], Mapping[str, bytes]]
    formatted: Callable[[list[tuple[str, bytes]]], list[bytes]] = lambda files: [content for _, content in files]

    @cached_property
    def moved(self) -> dict[str, str]:
        """New paths by old ones, of the files the template moved."""
        gone = [path for path in self.old if path not in self.new]
        came = [path for path in self.new if path not in self.old]
        pairs = [(similarity(self.old[left], self.new[right]), left, right) for left in gone for right in came]
        # The most alike first; of equals the one that kept its name.
        pairs.sort(key=lambda pair: (-pair[0], _name(pair[1]) != _name(pair[2]), pair[1], pair[2]))
        moved: dict[str, str] = {}
        for ratio, left, right in pairs:
            if ratio > _ALIKE and left not in moved and right not in moved.values():
                moved[left] = right
        return moved


@dataclass
class Comparison:
    """Plans what becomes of each file.

    Attributes:
        plan: Where it is planned.
        versions: The template before and after.
        entries: What becomes of each file, by path.
        formats: Whether the project formats what the template made; it shows in what is there.
    """

    plan: Plan
    versions: Versions
    entries: dict[str, Entry] = field(default_factory=dict)
    formats: bool = False

    def run(self, apart: str) -> None:
        """Compare every file but ``apart``, the answers file."""
        versions = self.versions
        self._format_at_once(apart)
        came = set(versions.moved.values())
        for path in sorted((versions.old.keys() | versions.new.keys()) - came - {apart}):
            target = versions.moved.get(path)
            if target is not None:
                self._moved(path, target)
            elif path not in versions.old:
                self._came(path)
            elif path not in versions.new:
                self._gone(path)
            else:
                self._stayed(path)

    def restore(self, path: str, content: bytes) -> None:
        """Make a file what the template makes, whatever is there."""
        mine = self.plan.read(path)
        (content,) = self._as_the_project([(path, content)])
        if mine is not None and same(mine, content):
            return
        self.plan.write(path, content if mine is None else dressed(content, mine), "--restore")
        self._enter(path, Outcome.RESTORE, "--restore")

    # One file ------------------------------------------------------------------------------------------------------

    def _stayed(self, path: str) -> None:
        mine, old, new = self.plan.read(path), self.versions.old[path], self.versions.new[path]
        if mine is None:
            if not same(old, new):
                self._enter(path, Outcome.SKIP_DELETED, f"you deleted it; --restore {path} brings it back")
        elif same(old, new) or same(mine, new):
            self._enter(path, Outcome.UNCHANGED)
        else:
            self._bring(path, mine, (path, old), (path, new))

    def _bring(self, path: str, mine: bytes, old: tuple[str, bytes], new: tuple[str, bytes]) -> None:
        """Bring what changed from ``old`` to ``new`` into a file of the user, and put the result at ``path``."""
        moved_from = old[0] if old[0] != path else ""
        base, theirs = self._closest(mine, old, new)
        if same(mine, base):
            self.plan.write(path, dressed(theirs, mine))
            self._enter(path, Outcome.RENAME if moved_from else Outcome.UPDATE, moved_from=moved_from)
            return
        if same(mine, theirs):
            self.plan.write(path, mine)
            self._enter(path, Outcome.RENAME if moved_from else Outcome.UNCHANGED, moved_from=moved_from)
            return
        merged = merge(mine, base, theirs, before=self.versions.before, after=self.versions.after)
        if merged.refused:
            note = f"it is no text, and both sides changed it; --restore {path} takes the template's"
            self.plan.keep(old[0], "yours is kept")
            self._enter(old[0], Outcome.CONFLICT, note)
            return
        self.plan.write(path, merged.content, "with your edits")
        outcome = Outcome.CONFLICT if merged.conflicts else Outcome.RENAME if moved_from else Outcome.MERGE
        note = "both sides changed the same lines" if merged.conflicts else "with your edits"
        self._enter(path, outcome, note, moved_from=moved_from, conflicts=merged.conflicts)

    def _came(self, path: str) -> None:
        mine, new = self.plan.read(path), self.versions.new[path]
        if mine is None:
            (content,) = self._as_the_project([(path, new)])
            self.plan.write(path, content)
            self._enter(path, Outcome.CREATE)
        elif self._is_as_made(path, mine, new):
            self._enter(path, Outcome.UNCHANGED)
        else:
            # There is nothing both come from, so nothing to merge by: what is there is never overwritten.
            self.plan.keep(path, "yours is kept")
            self._enter(path, Outcome.CONFLICT, f"you have a file of this name; --restore {path} takes the template's")

    def _gone(self, path: str) -> None:
        mine, old = self.plan.read(path), self.versions.old[path]
        if mine is None or path in self.versions.all_new():
            return  # what a new app gets once is its owner's from then on
        if self._is_as_made(path, mine, old):
            self.plan.delete(path, "the template has it no more")
            self._enter(path, Outcome.DELETE, "the template has it no more")
        else:
            self.plan.keep(path, "the template has it no more; your edits are in it")
            self._enter(path, Outcome.KEEP_MODIFIED, "the template has it no more; your edits are in it")

    def _moved(self, path: str, target: str) -> None:
        mine, there = self.plan.read(path), self.plan.read(target)
        new = self.versions.new[target]
        if there is not None:
            if mine is None:
                self._came(target)
            elif same(there, new):
                self._gone(path)
            else:
                self.plan.keep(target, "yours is kept")
                note = f"{path} moves here, where you have a file; --restore {target} takes the template's"
                self._enter(target, Outcome.CONFLICT, note)
        elif mine is None:
            note = f"you deleted {path}, which is here now; --restore {target} brings it back"
            self._enter(target, Outcome.SKIP_DELETED, note)
        else:
            self._bring(target, mine, (path, self.versions.old[path]), (target, new))
            if path not in self.entries:  # else it could not be brought there
                self.plan.delete(path, f"moved to {target}")

    def _enter(
        self, path: str, outcome: Outcome, note: str = "", *, moved_from: str = "", conflicts: tuple[int, ...] = ()
    ) -> None:
        self.entries[path] = Entry(path, outcome, note, moved_from, conflicts)

    # The project's formatter ---------------------------------------------------------------------------------------

    def _closest(self, mine: bytes, old: tuple[str, bytes], new: tuple[str, bytes]) -> tuple[bytes, bytes]:
        """Return both versions as the template writes them or as the project's formatter does: whichever is nearer."""
        if same(mine, old[1]):
            return old[1], new[1]
        base, theirs = self.versions.formatted([old, new])
        if similarity(mine, base) > similarity(mine, old[1]):
            return base, theirs
        return old[1], new[1]

    def _is_as_made(self, path: str, mine: bytes, made: bytes) -> bool:
        return same(mine, made) or same(mine, self.versions.formatted([(path, made)])[0])

    def _as_the_project(self, files: list[tuple[str, bytes]]) -> list[bytes]:
        """Return texts formatted if the project formats what the template made."""
        return self.versions.formatted(files) if self.formats else [content for _, content in files]

    def _format_at_once(self, apart: str) -> None:
        """Let the formatter see every text it will be asked for in one go: starting it takes longer than its work."""
        versions = self.versions
        texts: list[tuple[str, bytes]] = []
        for path, old in versions.old.items():
            mine = self.plan.read(path)
            if path == apart or mine is None or same(mine, old):
                continue
            texts.append((path, old))
            target = versions.moved.get(path, path)
            if target in versions.new:
                texts.append((target, versions.new[target]))
        if not texts:
            return
        texts += [(path, new) for path, new in versions.new.items() if path not in versions.old and path != apart]
        versions.formatted(texts)
        for path, old in versions.old.items():
            mine = self.plan.read(path)
            if path != apart and mine is not None and not same(mine, old):
                (base,) = versions.formatted([(path, old)])
                self.formats = self.formats or (base != old and similarity(mine, base) > similarity(mine, old))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
