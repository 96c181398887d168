"""Edits of ``pyproject.toml`` and ``Pipfile``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.scaffold.edits._syntax import (
    Insertion,
    Source,
    append_member,
    end_of_line_comments,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

_LIST = ("project", "dependencies")
_DYNAMIC = ("project", "dynamic")
_POETRY = ("tool", "poetry", "dependencies")
_PACKAGES = ("packages",)
_DYNAMIC_FILES = (
    ("tool", "setuptools", "dynamic", "dependencies", "file"),
    ("tool", "hatch", "metadata", "hooks", "requirements_txt", "files"),
    ("tool", "hatch", "metadata", "hooks", "requirements_txt", "filename"),
)


def add_requirements(path: str, data: bytes, requirements: Mapping[str, str]) -> bytes:
    """Return the file with more dependencies of the project; the rest stays as it is, byte for byte.

    Args:
        path: The file, for refusals; in a ``Pipfile`` dependencies are elsewhere.
        data: The file.
        requirements: Version ranges, such as ``>=1``, by name. None of them is there yet.

    Raises:
        EditRefusedError: The file has no list of dependencies that can be added to.
    """
    source = Source.load(path, data)
    wanted = _said(source)
    keys = _place(source, wanted)
    target = _at(wanted, keys)
    for name, versions in requirements.items():
        if isinstance(target, list):
            target.append(f"{name}{versions}")
            source = _add_to_list(source, keys, f"{name}{versions}")
        else:
            target[name] = versions
            source = _add_to_table(source, keys, name, versions)
    if _said(source) != wanted:
        raise source.refusal("the edited file would not say the same")
    return source.dump()


def dynamic_files(pyproject: Mapping[str, Any]) -> list[str]:
    """Return the files that a build backend takes the project's dependencies from."""
    if not _is_dynamic(pyproject):
        return []
    found = [_at(pyproject, keys) for keys in _DYNAMIC_FILES]
    files = [file for item in found for file in (item if isinstance(item, list) else [item])]
    return [file for file in files if isinstance(file, str)]


def _said(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise source.refusal("the file cannot be read as TOML") from error


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_dynamic(pyproject: Mapping[str, Any]) -> bool:
    found = _at(pyproject, _DYNAMIC)
    return isinstance(found, list) and "dependencies" in found


def _place(source: Source, document: dict[str, Any]) -> tuple[str, ...]:
    """Return the keys of the list of dependencies, or of the table of them."""
    if source.path == "Pipfile":
        if not isinstance(_at(document, _PACKAGES), dict):
            raise source.refusal("it has no [packages]")
        return _PACKAGES
    if isinstance(_at(document, _LIST), list):
        return _LIST
    if isinstance(_at(document, _POETRY), dict):
        return _POETRY
    pairs = {pair.keys: pair.node for pair in _pairs(source)}
    if _is_dynamic(document):
        files = ", ".join(dynamic_files(document)) or "what the build backend takes them from"
        raise source.refusal(f"the dependencies are dynamic: add to {files}", at=pairs.get(_DYNAMIC))
    raise source.refusal("it has no list of dependencies in [project]", at=pairs.get(_LIST))


# The tree -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A key and its value.

    Attributes:
        keys: The way to it from the root.
        node: The whole.
        table: The way to the table whose lines it is among; ``None`` inside of an inline table.
    """

    keys: tuple[str, ...]
    node: Node
    table: tuple[str, ...] | None

    @property
    def key(self) -> Node:
        return named(self.node)[0]

    @property
    def value(self) -> Node:
        return named(self.node)[-1]


def _pairs(source: Source) -> Iterator[_Pair]:
    for keys, table in [((), source.root), *_tables(source)]:
        for node in named(table):
            if node.type == "pair":
                yield from _from(source, _Pair((*keys, *_keys(source, named(node)[0])), node, keys))


def _from(source: Source, pair: _Pair) -> Iterator[_Pair]:
    yield pair
    if pair.value.type == "inline_table":
        for node in named(pair.value):
            yield from _from(source, _Pair((*pair.keys, *_keys(source, named(node)[0])), node, None))


def _tables(source: Source) -> list[tuple[tuple[str, ...], Node]]:
    return [(_keys(source, named(node)[0]), node) for node in named(source.root) if node.type == "table"]


def _keys(source: Source, node: Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(key for part in named(node) for key in _keys(source, part))
    text = source.text(node)
    (key,) = tomllib.loads(f"{text} = 0") if node.type == "quoted_key" else (text,)
    return (key,)


# Adding -------------------------------------------------------------------------------------------------------------


def _add_to_list(source: Source, keys: tuple[str, ...], requirement: str) -> Source:
    array = next((pair.value for pair in _pairs(source) if pair.keys == keys), None)
    if array is None or array.type != "array":
        raise source.refusal(f"the list {'.'.join(keys)} was not found")
    first, second = (*named(array), None, None)[:2]
    tight = first is not None and second is not None and source.data[first.end_byte : second.start_byte] == b","
    return append_member(source, array, source.quoted(requirement), tight=tight)


def _add_to_table(source: Source, keys: tuple[str, ...], name: str, versions: str) -> Source:
    pairs = list(_pairs(source))
    inline = next((pair.value for pair in pairs if pair.keys == keys), None)
    if inline is not None:
        return append_member(source, inline, f"{name} = {source.quoted(versions)}")
    within = [
        pair
        for pair in pairs
        if pair.table is not None and pair.table == keys[: len(pair.table)] and pair.keys[: len(keys)] == keys
    ]
    if within:
        last = within[-1]
        equals = "=" if source.data[last.key.end_byte : last.value.start_byte] == b"=" else " = "
        name = ".".join((*keys[len(last.table or ()) :], name))
        return _add_line(source, last.node, last.value, f"{name}{equals}{source.quoted(versions)}")
    table = next((node for found, node in _tables(source) if found == keys), None)
    if table is None:
        raise source.refusal(f"it has no table [{'.'.join(keys)}]")
    heading = next(node for node in table.children if node.type == "]")
    return _add_line(source, table, heading, f"{name} = {source.quoted(versions)}")


def _add_line(source: Source, whole: Node, end: Node, line: str) -> Source:
    """Add a line below a pair or a heading, of which ``end`` is the end: the grammar counts a carriage return in."""
    offset = end_of_line_comments(whole, end)
    return source.insert([Insertion(offset, f"{source.eol}{source.indent_at(whole.start_byte)}{line}".encode())])
