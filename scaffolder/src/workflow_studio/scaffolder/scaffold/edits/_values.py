"""Values as code, in the style of the file they go into."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, Union

from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, ensure_imported
from workflow_studio.scaffolder.scaffold.edits._syntax import named, unwrap

if TYPE_CHECKING:
    from tree_sitter import Node

    from workflow_studio.scaffolder.scaffold.edits._syntax import Source

_SCALARS = frozenset({"true", "false", "null", "number"})
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an export: ``workflow()``, ``node({ mode: 'standalone' })``, ``WorkflowModule.forRoot()``.

    Attributes:
        symbol: What is called, or holds the method that is.
        arguments: Its arguments.
        method: Method of the export that is called instead.
    """

    symbol: Symbol
    arguments: tuple[Value, ...] = ()
    method: str = ""


Value: TypeAlias = Union[bool, int, str, "Mapping[str, Value]", "Sequence[Value]", Call, None]
"""A literal of JavaScript, or a call."""


class Unknown:
    """A value that cannot be told without running the file."""


UNKNOWN: Final = Unknown()


def import_for(source: Source, value: Value) -> tuple[Source, dict[Symbol, str]]:
    """Import what a value calls, and return the file with the local names."""
    names: dict[Symbol, str] = {}
    for symbol in symbols_of(value):
        source, names[symbol] = ensure_imported(source, symbol)
    return source, names


def symbols_of(value: Value) -> tuple[Symbol, ...]:
    """Return the exports that a value uses."""
    if isinstance(value, Call):
        return (value.symbol, *(symbol for item in value.arguments for symbol in symbols_of(item)))
    if isinstance(value, Mapping):
        return tuple(symbol for item in value.values() for symbol in symbols_of(item))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(symbol for item in value for symbol in symbols_of(item))
    return ()


def code_of(source: Source, value: Value, names: Mapping[Symbol, str]) -> str:
    """Return a value as code on one line.

    Args:
        source: The file, for its quotes.
        value: The value.
        names: Local names of what it calls, from :func:`import_for`.
    """
    if isinstance(value, Call):
        function = f"{names[value.symbol]}.{value.method}" if value.method else names[value.symbol]
        return f"{function}({', '.join(code_of(source, item, names) for item in value.arguments)})"
    if isinstance(value, str):
        return source.quoted(value)
    if isinstance(value, Mapping):
        members = (f"{key_of(source, key)}: {code_of(source, item, names)}" for key, item in value.items())
        return f"{{ {', '.join(members)} }}" if value else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(code_of(source, item, names) for item in value)}]"
    return json.dumps(value)


def key_of(source: Source, key: str) -> str:
    """Return a property's name as code."""
    return key if _IDENTIFIER.fullmatch(key) else source.quoted(key)


def literal(source: Source, node: Node) -> Value | Unknown:
    """Return the value of a literal."""
    node = unwrap(node)
    if node.type == "string":
        text = source.string(node)
        return UNKNOWN if text is None else text
    if node.type in _SCALARS:
        try:
            value: Value = json.loads(source.text(node))
        except json.JSONDecodeError:
            return UNKNOWN
        return value
    if node.type == "array":
        items: list[Value] = []
        for item in named(node):
            value_of_item = literal(source, item)
            if isinstance(value_of_item, Unknown):
                return UNKNOWN
            items.append(value_of_item)
        return items
    return _object(source, node) if node.type == "object" else UNKNOWN


def _object(source: Source, node: Node) -> Value | Unknown:
    found: dict[str, Value] = {}
    for member in named(node):
        key, item = member.child_by_field_name("key"), member.child_by_field_name("value")
        if member.type != "pair" or key is None or item is None or key.type == "computed_property_name":
            return UNKNOWN
        value = literal(source, item)
        if isinstance(value, Unknown):
            return UNKNOWN
        name = source.string(key) if key.type == "string" else source.text(key)
        found[name or ""] = value
    return found
