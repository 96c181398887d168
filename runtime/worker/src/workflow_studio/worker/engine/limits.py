"""Limits: how many steps may be worked on at the same time, by all workers together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

Scope = Literal["workflow", "deployment", "key"]
SCOPES: Final[tuple[Scope, ...]] = ("workflow", "deployment", "key")
EACH: Final = "*"
"""Stands for every name that has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many steps of a workflow, of a deployment, and of the runs with a key there may be.

    Attributes:
        of: By scope and name; ``*`` is every name that has no limit of its own, each by itself.
    """

    of: Mapping[tuple[Scope, str], int] = field(default_factory=dict)

    @classmethod
    def named(cls, given: Mapping[str, int]) -> Self:
        """Return the limits that are named by scope, colon and name, such as ``workflow:*``."""
        parted = ((name.partition(":"), most) for name, most in given.items())
        return cls({(cast("Scope", scope), name): most for (scope, _, name), most in parted})

    def __bool__(self) -> bool:
        return bool(self.of)

    def most(self, scope: Scope, name: str) -> int | None:
        """Return how many there may be; None if that is not limited."""
        return self.of.get((scope, name), self.of.get((scope, EACH)))


class Usage:
    """What is worked on, and what more may be.

    Args:
        limits: How many there may be.
        rows: The steps that are worked on.
    """

    def __init__(self, limits: Limits, rows: Iterable[Mapping[str, Any]]) -> None:
        self._limits = limits
        self._used: Counter[tuple[Scope, str]] = Counter()
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Note a step that is worked on."""
        self._used.update(_names(row))

    def holds_back(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a step has to wait."""
        return any(self._is_full(scope, name) for scope, name in _names(row))

    def full(self) -> dict[Scope, list[str]]:
        """Return the names of which there may be no more."""
        found: dict[Scope, list[str]] = {scope: [] for scope in SCOPES}
        for scope, name in {*self._used, *self._limits.of}:
            if name != EACH and self._is_full(scope, name):
                found[scope].append(name)
        return found

    def _is_full(self, scope: Scope, name: str) -> bool:
        most = self._limits.most(scope, name)
        return most is not None and self._used[scope, name] >= most


def _names(row: Mapping[str, Any]) -> list[tuple[Scope, str]]:
    """Return what a step counts as; ``row`` has a column for each scope."""
    return [(scope, row[scope]) for scope in SCOPES if row[scope] is not None]
