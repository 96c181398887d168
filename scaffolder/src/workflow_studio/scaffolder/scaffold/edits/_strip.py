"""Taking the use of packages out of a config file or module again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._imports import end_of, module_of, required_module
from workflow_studio.scaffolder.scaffold.edits._syntax import TRANSPARENT, Source, callee, named, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

_STATEMENTS = frozenset({"import_statement", "lexical_declaration", "variable_declaration", "expression_statement"})


def strip_modules(source: Source, is_one: Callable[[str], bool]) -> Source:
    """Take out what edits add of certain packages: wrappers, items of arrays, calls, and their imports.

    Args:
        source: The file.
        is_one: Tells of a package, with its subpath, whether it is to go.

    Returns:
        The file without them.

    Raises:
        EditRefusedError: Something of them is used in a way that edits do not make.
    """
    # On the untouched file first, so that a refusal names a line of it.
    for statement, names in _imports(source, is_one):
        for use in [node for name in names for node in walk(source.root) if _is_use(source, node, name, statement)]:
            _without_use(source, use)
    while True:
        edited = _step(source, is_one)
        if edited is None:
            return source
        source = edited


def _step(source: Source, is_one: Callable[[str], bool]) -> Source | None:
    """Return the file with one thing less, or ``None`` when there is nothing left."""
    for node in walk(source.root):
        if node.type == "string" and node.parent is not None and node.parent.type == "array":
            text = source.string(node)
            if text is not None and "/" in text and is_one(text):
                return _without_item(source, node)
    for statement, names in _imports(source, is_one):
        for name in names:
            use = next((node for node in walk(source.root) if _is_use(source, node, name, statement)), None)
            if use is not None:
                return _without_use(source, use)
        return _without_statement(source, statement)
    return None


def _imports(source: Source, is_one: Callable[[str], bool]) -> list[tuple[Node, list[str]]]:
    """Return the statements that import, and the local names that each one makes."""
    found = []
    for statement in source.root.named_children:
        module: str | None = None
        names: list[str] = []
        if statement.type == "import_statement":
            module = module_of(source, statement)
            clause = next((node for node in statement.named_children if node.type == "import_clause"), None)
            names = _names(source, clause) if clause is not None else []
        elif statement.type in _STATEMENTS and len(named(statement)) == 1:
            declarator = named(statement)[0]
            module = required_module(source, declarator.child_by_field_name("value"))
            target = declarator.child_by_field_name("name")
            names = _names(source, target) if target is not None else []
        if module is not None and is_one(module):
            found.append((statement, names))
    return found


def _names(source: Source, node: Node) -> list[str]:
    """Return the names that an import or a pattern makes: of ``a as b``, only ``b``."""
    if node.type in {"identifier", "shorthand_property_identifier_pattern"}:
        return [source.text(node)]
    if node.type in {"import_specifier", "pair_pattern"}:
        last = named(node)[-1]
        return [source.text(last)]
    return [name for child in named(node) for name in _names(source, child)]


def _is_use(source: Source, node: Node, name: str, statement: Node) -> bool:
    outside = node.end_byte <= statement.start_byte or node.start_byte >= statement.end_byte
    kinds = {"identifier", "shorthand_property_identifier", "type_identifier"}
    return outside and node.type in kinds and source.text(node) == name


def _without_use(source: Source, use: Node) -> Source:
    call = use.parent
    if call is not None and call.type == "array":
        return _without_item(source, use)
    while call is not None and call.type in {"member_expression", "await_expression"}:
        if call.type == "await_expression" and call.parent is not None and call.parent.type != "call_expression":
            break
        call = call.parent
    function = callee(call) if call is not None else None
    if call is None or function is None or not function.start_byte <= use.start_byte < function.end_byte:
        raise source.refusal(f"`{source.text(use)}` is used here", at=use)
    if function.type == "member_expression" and function.child_by_field_name("object") != use:
        raise source.refusal(f"`{source.text(use)}` is used here", at=use)
    outer = call
    while outer.parent is not None and outer.parent.type in TRANSPARENT - {"parenthesized_expression"}:
        outer = outer.parent
    parent = outer.parent
    if parent is not None and parent.type == "array":
        return _without_item(source, outer)
    if parent is not None and parent.type == "expression_statement":
        return _without_statement(source, parent)
    return _unwrapped(source, call, outer if outer.type == "await_expression" else call)


def _unwrapped(source: Source, call: Node, outer: Node) -> Source:
    """Put the first argument in the place of the call."""
    arguments = call.child_by_field_name("arguments")
    values = named(arguments) if arguments is not None else []
    if len(values) != 1 or values[0].type == "spread_element":
        raise source.refusal("the call has other arguments than the one that it was made with", at=call)
    value = values[0]
    text = _moved_left(source, source.text(value), value, outer)
    end = outer.end_byte
    is_function = value.type in {"function_expression", "function_declaration"}
    if is_function and source.data[end : end + 1] == b";":
        end += 1
    return source.splice(outer.start_byte, end, text.encode())


def _moved_left(source: Source, text: str, value: Node, outer: Node) -> str:
    """Return a text that began on a line of its own, further to the left by as much as it had been moved right."""
    if value.start_point[0] == outer.start_point[0]:
        return text
    inner, target = source.indent_at(value.start_byte), source.indent_at(outer.start_byte)
    extra = inner.removeprefix(target)
    lines = text.split("\n")
    if not inner.startswith(target) or not all(line.startswith(inner) or not line.strip() for line in lines[1:]):
        return text
    return "\n".join(
        [lines[0], *(target + line[len(target + extra) :] if line.strip() else line for line in lines[1:])]
    )


def _without_item(source: Source, item: Node) -> Source:
    """Take an element out of an array; an array that is empty then goes with its property."""
    array = item.parent
    if array is None:
        raise source.refusal("the item is in no array", at=item)
    # ["module", options] is how modules take options.
    if array.parent is not None and array.parent.type == "array" and named(array)[0] == item:
        return _without_item(source, array)
    pair = array.parent
    if len(named(array)) == 1 and pair is not None and pair.type == "pair":
        return without_member(source, pair)
    return without_member(source, item)


def without_member(source: Source, member: Node) -> Source:
    """Take a member out of an array or object, with its comma and its line."""
    container = member.parent
    if container is None:
        raise source.refusal("the member is in nothing", at=member)
    members = named(container)
    index = members.index(member)
    start, end = member.start_byte, member.end_byte
    comma = next((child for child in container.children if child.type == "," and child.start_byte >= end), None)
    is_own = comma is not None and (index + 1 == len(members) or comma.start_byte < members[index + 1].start_byte)
    if len(members) == 1:
        closing = container.children[-1]
        has_comment = any(child.type == "comment" for child in container.children)
        if not has_comment:
            return source.splice(container.children[0].end_byte, closing.start_byte, b"")
    if index + 1 < len(members) and comma is not None and is_own:
        following = members[index + 1]
        between = source.data[comma.end_byte : following.start_byte]
        if b"//" not in between and b"/*" not in between:
            return source.splice(start, following.start_byte, b"")
    if index > 0:
        previous = members[index - 1]
        between = source.data[previous.end_byte : start]
        if b"//" not in between and b"/*" not in between:
            return source.splice(previous.end_byte, end, b"")
        # A comment beside the one before stays; its comma, if the list had none at its end, does no harm.
        line = source.data.rfind(b"\n", 0, start)
        if not source.data[line + 1 : start].strip():
            start = line - 1 if source.data[line - 1 : line] == b"\r" else line
    if is_own and comma is not None:
        end = comma.end_byte
    return source.splice(start, end, b"")


def _without_statement(source: Source, statement: Node) -> Source:
    """Take a statement out with its line, and with the blank line that had been made for it."""
    data = source.data
    # A semicolon at the start of the next line guards that line.
    start, end = statement.start_byte, end_of(statement)
    line_start = data.rfind(b"\n", 0, start) + 1
    following = data.find(b"\n", end)
    line_end = len(data) if following == -1 else following + 1
    if data[line_start:start].strip() or data[end:line_end].strip(b" \t\r\n;"):
        return source.splice(start, end, b"")
    is_last_import = statement.type == "import_statement" and not any(
        node.type == "import_statement" and node != statement for node in source.root.named_children
    )
    if is_last_import or _is_lone_require(source, statement):
        blank = re.match(rb"[ \t]*\r?\n", data[line_end:])
        before = re.search(rb"\n[ \t]*\r?\n$", data[:line_start])
        if line_start == 0 and blank:
            line_end += blank.end()
        elif before is not None:
            line_start = before.start() + 1
    return source.splice(line_start, line_end, b"")


def _is_lone_require(source: Source, statement: Node) -> bool:
    if statement.type not in {"lexical_declaration", "variable_declaration"}:
        return False
    requires = [
        node
        for node in source.root.named_children
        if node.type == statement.type
        and named(node)
        and required_module(source, named(node)[0].child_by_field_name("value")) is not None
    ]
    return len(requires) == 1
