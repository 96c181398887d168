"""Importing the same from another package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._imports import module_bindings
from workflow_studio.scaffolder.scaffold.edits._syntax import walk

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold.edits._imports import Symbol
    from workflow_studio.scaffolder.scaffold.edits._syntax import Source


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
        """Return the file with the other package; one that imports neither is returned as it is."""
        if not module_bindings(source, self.old):
            return source
        named = [node for node in walk(source.root) if node.type == "string" and source.string(node) == self.old]
        for node in reversed(named):
            # The quotes stay those of the file.
            source = source.splice(node.start_byte + 1, node.end_byte - 1, self.new.encode())
        return source
