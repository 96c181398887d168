"""Edits of Django's settings: an entry in front of a list such as ``MIDDLEWARE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, named, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_LISTS = frozenset({"list", "tuple"})


def add_first(source: Source, name: str, entry: str, *others: str) -> Source:
    """Put a text in front of a list that is assigned to a name.

    Args:
        source: The settings.
        name: The name, such as ``MIDDLEWARE``.
        entry: The text.
        others: Other texts that are as good.

    Returns:
        The edited settings; the same ones if the text is in them.

    Raises:
        EditRefusedError: It is unclear which list that is.
    """
    if any(_is_member(node) and _text(source, node) in {entry, *others} for node in walk(source.root)):
        return source
    refuse_positions(source, name)
    found = _literal(source, name, set())
    members = named(found)
    quoted = f"{_quote(source, found)}{entry}{_quote(source, found)}"
    if not members:
        # A tuple of one needs its comma.
        comma = "," if found.type == "tuple" or _has_comments(found) else ""
        return source.insert([_into_empty(source, found, quoted + comma)])
    opening = found.children[0]
    if members[0].start_point[0] == opening.start_point[0]:
        return source.insert([Insertion(members[0].start_byte, f"{quoted}, ".encode())])
    indent = source.indent_at(members[0].start_byte)
    return source.insert([Insertion(_end_of_line(source, opening), f"{source.eol}{indent}{quoted},".encode())])


def assigns(source: Source, name: str) -> bool:
    """Tell whether a module gives a name a value of its own; one that adds to what it was before is none."""
    return bool(_assignments(source, name))


def refuse_positions(source: Source, name: str) -> None:
    """Refuse a list that is changed by position: one entry more in front would change which entry is meant.

    Raises:
        EditRefusedError: It is.
    """
    for node in walk(source.root):
        if node.type == "subscript":
            of = node.child_by_field_name("value")
            is_one = of is not None and source.text(of) == name
        else:
            is_one = node.type == "call" and _counts_in(source, node, name)
        if is_one:
            raise source.refusal(f"{name} is changed by position", at=node)


def _counts_in(source: Source, call: Node, name: str) -> bool:
    function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or given is None or source.text(function) not in {f"{name}.insert", f"{name}.pop"}:
        return False
    first = next(iter(named(given)), None)
    is_start = first is not None and source.text(first) == "0" and source.text(function).endswith(".insert")
    return first is not None and first.type == "integer" and not is_start


def _is_member(node: Node) -> bool:
    """Tell whether a node is a text in a list, or one that is given to a call such as ``MIDDLEWARE.insert``."""
    return node.type == "string" and node.parent is not None and node.parent.type in {*_LISTS, "argument_list", "set"}


def _literal(source: Source, name: str, seen: set[str], used_at: Node | None = None) -> Node:
    """Return the list that a name stands for, or the first one of those that it is made of."""
    found = _assignments(source, name)
    if not found:
        raise source.refusal(f"{name} is not set here", at=used_at)
    if len(found) > 1:
        raise source.refusal(f"{name} is set more than once", at=found[1])
    statement = found[0].parent
    if statement is None or statement.parent != source.root:
        raise source.refusal(f"{name} is not set at the top level of the module", at=found[0])
    value = found[0].child_by_field_name("right")
    if value is None:
        raise source.refusal(f"{name} has no value here", at=found[0])
    return _first_list(source, name, value, {*seen, name})


def _first_list(source: Source, name: str, value: Node, seen: set[str]) -> Node:
    while value.type in {"parenthesized_expression", "binary_operator"}:
        if value.type == "binary_operator":
            operator, left = value.child_by_field_name("operator"), value.child_by_field_name("left")
            if operator is None or left is None or source.text(operator) != "+":
                break
            value = left
        else:
            value = named(value)[0]
    if value.type in _LISTS:
        return value
    if value.type == "identifier" and source.text(value) not in seen:
        return _literal(source, source.text(value), seen, value)
    raise source.refusal(f"{name} is not a list that is written here", at=value)


def _assignments(source: Source, name: str) -> list[Node]:
    found = []
    for node in walk(source.root):
        if node.type == "assignment":
            left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is None or left.type != "identifier" or source.text(left) != name:
                continue
            if value is None or not any(
                part.type == "identifier" and source.text(part) == name for part in walk(value)
            ):
                found.append(node)
    return found


def _into_empty(source: Source, found: Node, quoted: str) -> Insertion:
    opening, closing = found.children[0], found.children[-1]
    if opening.start_point[0] == closing.start_point[0]:
        return Insertion(opening.end_byte, quoted.encode())
    outer = source.indent_at(opening.start_byte)
    comments = [child for child in found.children if child.type == "comment"]
    indent = source.indent_at(comments[-1].start_byte) if comments else f"{outer}    "
    indent = indent if len(indent) > len(outer) else f"{outer}    "
    return Insertion(_end_of_line(source, opening), f"{source.eol}{indent}{quoted.rstrip(',')},".encode())


def _has_comments(found: Node) -> bool:
    return any(child.type == "comment" for child in found.children)


def _end_of_line(source: Source, opening: Node) -> int:
    """Return the end of the line that a bracket is on; behind it is nothing but a comment."""
    end = source.data.find(b"\n", opening.end_byte)
    end = len(source.data) if end < 0 else end
    if source.data[end - 1 : end] == b"\r":
        end -= 1
    rest = source.data[opening.end_byte : end].strip()
    if rest and not rest.startswith(b"#"):
        raise source.refusal("there is something else on the same line", at=opening)
    return end


def _quote(source: Source, found: Node) -> str:
    for node in walk(found):
        if node.type == "string":
            return "'" if source.text(node).lstrip("rRbBuUfF").startswith("'") else '"'
    return "'" if source.data.count(b"'") > source.data.count(b'"') else '"'


def _text(source: Source, node: Node) -> str:
    return source.text(node).lstrip("rRuU").strip("'\"")
