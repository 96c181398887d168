"""Wrapping the default export of a config file in calls."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits._config import (
    FUNCTIONS,
    binding,
    calls_of,
    default_export,
    first_argument,
)
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, ensure_imported, is_commonjs
from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, callee, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A function to put around the default export.

    Attributes:
        symbol: The function.
        awaited: It returns a promise that the config file shall await (an ES module can).
        takes_functions: It accepts a config that is a function.
    """

    symbol: Symbol
    awaited: bool = False
    takes_functions: bool = True


@dataclass(frozen=True, slots=True)
class Wrap:
    """The default export (or ``module.exports``) is wrapped in calls.

    Attributes:
        wrappers: The functions, the outermost first. One that is called already stays where it is; one that is
            missing goes directly inside the one before it.
    """

    wrappers: tuple[Wrapper, ...]

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"wrap in {', '.join(wrapper.symbol.name for wrapper in self.wrappers)}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The functions."""
        return tuple(wrapper.symbol for wrapper in self.wrappers)

    def add(self, source: Source) -> Source:
        """Return the file with the calls.

        Raises:
            EditRefusedError: There is no default export, it is re-exported, or where to wrap is unclear.
        """
        return wrap_default_export(source, self.wrappers)


def wrap_default_export(source: Source, wrappers: Sequence[Wrapper]) -> Source:
    """Wrap the default export (or ``module.exports``) in calls, and import what they need.

    Args:
        source: A config file.
        wrappers: Functions, the outermost first. One that is called already stays where it is; one that is missing
            goes directly inside the one before it.

    Raises:
        EditRefusedError: There is no default export, it is re-exported, or where to wrap is unclear.
    """
    existing = {wrapper: calls_of(source, wrapper.symbol) for wrapper in wrappers}
    if all(existing.values()):
        return source
    for calls in existing.values():
        if len(calls) > 1:
            raise source.refusal("a wrapper is called in several places", at=calls[1])
    # On the untouched file first, so that a refusal names a line of it.
    for node, missing in _targets(source, wrappers):
        _check_accepted(source, node, missing)
    # Importing before wrapping: a name that is used before it is imported would look taken.
    names: dict[Wrapper, str] = {}
    for wrapper, calls in existing.items():
        if not calls:
            source, names[wrapper] = ensure_imported(source, wrapper.symbol)
    insertions: list[Insertion] = []
    for node, missing in _targets(source, wrappers):
        opening = "".join(f"{_await(source, wrapper)}{names[wrapper]}(" for wrapper in missing)
        closing = ")" * len(missing) + _terminator(source, node)
        insertions += [Insertion(node.start_byte, opening.encode()), Insertion(node.end_byte, closing.encode())]
    return source.insert(insertions)


def _targets(source: Source, wrappers: Sequence[Wrapper]) -> list[tuple[Node, list[Wrapper]]]:
    """Return the expressions to wrap, each with its wrappers, the outermost first."""
    target: Node | None = None
    found: list[tuple[Node, list[Wrapper]]] = []
    for wrapper in wrappers:
        calls = calls_of(source, wrapper.symbol)
        if calls:
            target = first_argument(source, calls[0])
            continue
        target = target if target is not None else default_export(source)
        if found and found[-1][0] == target:
            found[-1][1].append(wrapper)
        else:
            found.append((target, [wrapper]))
    return found


def _check_accepted(source: Source, node: Node, wrappers: Sequence[Wrapper]) -> None:
    if all(wrapper.takes_functions for wrapper in wrappers):
        return
    value = node
    with suppress(EditRefusedError):
        value = _defined(source, node)
    if value.type in FUNCTIONS:
        for wrapper in wrappers:
            if not wrapper.takes_functions:
                raise source.refusal(f"{wrapper.symbol.name} does not accept a config that is a function", at=node)


def _defined(source: Source, node: Node) -> Node:
    """Return the value of a variable, or what ``defineConfig(…)`` is given."""
    for _ in range(8):
        node = unwrap(node)
        function = callee(node)
        if node.type == "identifier":
            node = binding(source, node)
        elif function is not None and source.text(function).startswith("define"):
            node = first_argument(source, node)
        else:
            break
    return node


def _await(source: Source, wrapper: Wrapper) -> str:
    return "await " if wrapper.awaited and not is_commonjs(source) else ""


def _terminator(source: Source, node: Node) -> str:
    # A function declaration ends without a semicolon; the call it becomes an argument of ends with one.
    return source.semicolon if node.type == "function_declaration" else ""
