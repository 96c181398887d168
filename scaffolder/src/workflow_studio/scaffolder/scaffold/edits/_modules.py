"""Importing the same from another package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._imports import required_module
from workflow_studio.scaffolder.scaffold.edits._syntax import walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from workflow_studio.scaffolder.scaffold.edits._imports import Symbol
    from workflow_studio.scaffolder.scaffold.edits._syntax import Source

_STATEMENTS = frozenset({"import_statement", "export_statement", "import_require_clause"})


@dataclass(frozen=True, slots=True)
class OtherModule:
    """What is imported from one package is imported from another, which exports the same.

    Attributes:
        old: The package.
        new: The package in its place.
    """

    old: str
    new: str

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"use {self.new}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Nothing is imported in addition."""
        return ()

    def add(self, source: Source) -> Source:
        """Return the file with the other package; one that imports neither is returned as it is.

        Raises:
            EditRefusedError: The package is named in another way than by an import, or both are imported.
        """
        places = list(walk(source.root))
        old = [node for node in places if self._may_name(source, node)]
        unclear = next((node for node in old if not self._is_imported(source, node)), None)
        if unclear is not None:
            raise source.refusal(f"{source.text(unclear)} may name {self.old} outside of a plain import", at=unclear)
        if old and any(node.type == "string" and source.string(node) == self.new for node in places):
            raise source.refusal(f"both {self.old} and {self.new} are used", at=old[0])
        for node in reversed(old):
            # The quotes stay those of the file.
            source = source.splice(node.start_byte + 1, node.end_byte - 1, self.new.encode())
        return source

    def _may_name(self, source: Source, node: Node) -> bool:
        """Tell whether a string is the package's name, or one put together at run time that may come to it."""
        if node.type == "string":
            return source.string(node) == self.old
        if node.type != "template_string":
            return False
        written = source.text(node)[1:-1].partition("${")[0]
        return "/" in written and self.old.startswith(written)

    def _is_imported(self, source: Source, node: Node) -> bool:
        parent = node.parent
        if node.type != "string" or parent is None:
            return False
        if parent.type in _STATEMENTS:
            return True
        return parent.type == "arguments" and required_module(source, parent.parent) == self.old
