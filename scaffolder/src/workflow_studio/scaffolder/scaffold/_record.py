"""What was changed in the user's own files, kept in the project so that it can be taken back.

It is a patch such as git makes, in the folder that Studio owns: ``git apply -R`` takes it back as well.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.scaffold._project import resolve_inside
from workflow_studio.scaffolder.scaffold._template._bundle import GitError, run_git

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workflow_studio.scaffolder.scaffold._plan import Plan

NAME: Final = "scaffold.patch"
"""Name of the record, in the folder of the generated package."""
_HEADING: Final = (
    "What `studio scaffold` changed in files of yours. `studio remove` takes it back; keep this file under version\n"
    "control until then.\n"
)
_SECTION: Final = re.compile(r"^diff --git a/.*? b/(.*)\n", re.MULTILINE)
_CONTEXT: Final = 2


@dataclass(frozen=True, slots=True)
class Section:
    """What was changed in one file.

    Attributes:
        path: The file.
        text: A patch of this file alone.
    """

    path: str
    text: str

    @property
    def makes_file(self) -> bool:
        """Whether the file was not there before."""
        return "\n--- /dev/null\n" in self.text

    @property
    def added(self) -> list[str]:
        """The lines that were added."""
        return [line[1:] for line in self._body if line.startswith("+")]

    @property
    def removed(self) -> list[str]:
        """The lines that were taken out."""
        return [line[1:] for line in self._body if line.startswith("-")]

    @property
    def _body(self) -> list[str]:
        return self.text.partition("\n@@")[2].split("\n")

    def undo(self, current: bytes) -> bytes | None:
        """Return what a file was before, edited elsewhere or not; ``None`` when the changed lines were edited since.

        Args:
            current: The file as it is.

        Returns:
            The file as it was; empty for one that was made.
        """
        with tempfile.TemporaryDirectory(prefix="studio-undo-") as name:
            folder = Path(name).resolve()
            target = resolve_inside(folder, self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(current)
            # A change at the end of the file is found there also when something was added below it: unidiff-zero.
            options = ["--reverse", "--whitespace=nowarn", "--unidiff-zero"]
            arguments = ["-C", str(folder), "-c", "core.autocrlf=false", "apply", *options, "-"]
            # Two folders up there might be a repository, whose paths the patch would then be read as.
            ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
            try:
                run_git(arguments, ceiling, data=self.text.encode("utf-8", "surrogateescape"))
            except GitError:
                return None
            return target.read_bytes() if target.exists() else b""


def record_edits(plan: Plan, folder: str, paths: Iterable[str]) -> None:
    """Add what a plan changes in files of the user to the record in the project.

    Args:
        plan: The plan, to which the record is added.
        folder: The folder of the generated package, with a slash at its end.
        paths: The files.
    """
    changes = [plan.changes[path] for path in paths if path in plan.changes]
    sections = [
        _section(change.path, change.before, change.after)
        for change in changes
        if change.writes and change.after is not None
    ]
    path = f"{folder}{NAME}"
    before = (plan.read(path) or b"").decode("utf-8", "surrogateescape")
    if sections:
        plan.write(path, ((before or _HEADING) + "".join(sections)).encode("utf-8", "surrogateescape"))
    elif before:
        plan.write(path, before.encode("utf-8", "surrogateescape"))


def read_record(data: bytes | None) -> list[Section]:
    """Return what is recorded, in the order in which it was done."""
    text = (data or b"").decode("utf-8", "surrogateescape")
    starts = list(_SECTION.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)] * bool(starts)
    return [Section(match[1], text[match.start() : end]) for match, end in zip(starts, ends, strict=True)]


def _section(path: str, before: bytes | None, after: bytes) -> str:
    old, new = (_lines(data or b"") for data in (before, after))
    lines = list(
        difflib.unified_diff(
            old, new, "/dev/null" if before is None else f"a/{path}", f"b/{path}", n=_CONTEXT, lineterm="\n"
        )
    )
    head = f"diff --git a/{path} b/{path}\n" + ("new file mode 100644\n" if before is None else "")
    return head + "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    """Return the lines as git counts them: only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", data.decode("utf-8", "surrogateescape"))
