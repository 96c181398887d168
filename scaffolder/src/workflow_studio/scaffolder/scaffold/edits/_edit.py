"""What every edit of a config file or module can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold.edits._imports import Symbol
    from workflow_studio.scaffolder.scaffold.edits._syntax import Source


class Edit(Protocol):
    """One edit: adding it twice is adding it once."""

    @property
    def title(self) -> str:
        """What adding it does, for people: ``wrap in withWorkflow``."""

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The exports that the added code uses."""

    def add(self, source: Source) -> Source:
        """Return the file with the edit.

        Raises:
            EditRefusedError: Where it belongs is unclear.
        """
