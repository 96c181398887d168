"""Which changed files call for a build, decided as the Workflow SDK's own integrations do.

A file matters when it marks functions as workflows or steps, or did at the last look; when it went into the last build,
which is what being imported by such a file comes to; and when its going or coming may lead an import elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SOURCE_SUFFIXES: Final = frozenset({".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"})
"""What the SDK reads as code (source: ``@workflow/builders`` 4.1.14, ``getInputFiles``)."""

Kind = Literal["added", "modified", "removed"]

# These follow @workflow/builders 4.1.14 (transform-utils, fast-discovery). What stands before a directive is not looked
# at, so every file the SDK takes for one of its own is taken for one here.
_DIRECTIVE: Final = re.compile(r"""^\s*(['"])use (?:workflow|step)\1;?\s*$""", re.MULTILINE)
_TEMPLATE: Final = re.compile(r"`(?:\\[\s\S]|[^`\\])*`")
_COMMENT: Final = re.compile(r"/\*[\s\S]*?\*/|//[^\r\n]*")
_SERDE: Final = re.compile(
    r"""from\s+(['"])@workflow/serde\1"""
    r"""|Symbol\.for\s*\(\s*(['"])workflow-(?:serialize|deserialize)\2\s*\)"""
    r"""|\[\s*WORKFLOW_(?:SERIALIZE|DESERIALIZE)\s*\]"""
)
_IMPORT: Final = re.compile(r"""\b(?:from|import|require)\b[\s(]*(['"])([^'"\r\n]+)\1""")


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not what it was.

    Attributes:
        path: The file, absolute.
        kind: What happened to it.
    """

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class Facts:
    """What matters about a file's code.

    Attributes:
        marks: Whether it marks workflows, steps or classes that are passed between them.
        imports: What it imports from elsewhere than its own folder: packages may bring steps along.
    """

    marks: bool = False
    imports: frozenset[str] = frozenset()


NOTHING: Final = Facts()


def facts_of(code: str) -> Facts:
    """Return what matters about a file's code."""
    return Facts(
        marks=_marks(code), imports=frozenset(found[2] for found in _IMPORT.finditer(code) if _is_far(found[2]))
    )


def _marks(code: str) -> bool:
    if _SERDE.search(code):
        return True
    if "use workflow" not in code and "use step" not in code:
        return False
    return _DIRECTIVE.search(_COMMENT.sub(_blank, _TEMPLATE.sub(_blank, code))) is not None


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\r\n]", " ", found[0])


def _is_far(specifier: str) -> bool:
    return not specifier.startswith(("./", "node:"))


@dataclass(slots=True)
class Known:
    """What is known of the last build and of the app's code.

    Attributes:
        facts: Of each file of code, at the last look.
        inputs: Files that went into the last build.
        configs: Files that say which packages there are and how code is compiled.
        every_source: Whether any code matters, because the last build broke or could not say what went in.
    """

    facts: dict[Path, Facts] = field(default_factory=dict)
    inputs: frozenset[Path] = frozenset()
    configs: frozenset[Path] = frozenset()
    every_source: bool = True

    def relevant(self, changes: Iterable[tuple[Change, Facts]]) -> tuple[Change, ...]:
        """Take note of changes and return those that call for a build, in the order of their paths.

        Args:
            changes: Each with what matters about the file's code now.
        """
        stems = {_stem(path) for path in self.inputs}
        found = []
        for change, now in changes:
            before = self.facts.pop(change.path, NOTHING)
            if self._changes_imports(before, now) or self._matters(change, before, now, stems):
                found.append(change)
            if change.kind != "removed" and change.path.suffix in SOURCE_SUFFIXES:
                self.facts[change.path] = now
        return tuple(sorted(found, key=lambda change: change.path))

    def _matters(self, change: Change, before: Facts, now: Facts, stems: set[Path]) -> bool:
        path = change.path
        if path in self.inputs or path in self.configs or before.marks or now.marks:
            return True
        if path.suffix not in SOURCE_SUFFIXES and path.suffix != ".json":
            return False
        # An import of `./price` that was `price/index.ts` is `price.ts` once there is one.
        return self.every_source or (change.kind == "added" and _stem(path) in stems)

    def _changes_imports(self, before: Facts, now: Facts) -> bool:
        """Tell whether the app, all other files taken together, imports something more or less."""
        changed = before.imports ^ now.imports
        return bool(changed) and bool(changed.difference(*(facts.imports for facts in self.facts.values())))


def _stem(path: Path) -> Path:
    """Return the path by which a file is imported: without suffix, and a folder for its index."""
    bare = path.with_suffix("")
    return bare.parent if bare.name == "index" else bare
