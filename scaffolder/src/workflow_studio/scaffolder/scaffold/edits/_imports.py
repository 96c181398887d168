"""Which local names an export of a package has in a file, and how to import one more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, append_member, named, unwrap, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

# Comments that stop working, or stop being true, when something is put above them.
_FILE_COMMENT = re.compile(r"@ts-(?:no)?check|eslint-disable|biome-ignore-all|@license|copyright|^///", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Symbol:
    """An export of a package.

    Attributes:
        name: The export; ``default`` is the default one.
        module: The package, with subpath.
        local: What a file calls the default export.
    """

    name: str
    module: str
    local: str = ""


def imported_names(source: Source, symbol: Symbol) -> set[str]:
    """Return every text that names ``symbol`` in the file: an alias, ``namespace.name``, or ``require(…).name``."""
    if symbol.name == "default":
        return module_bindings(source, symbol.module)
    found: set[str] = set()
    for statement in source.root.named_children:
        if statement.type == "import_statement":
            found |= set(_from_import(source, statement, symbol))
    for node in walk(source.root):
        if node.type == "variable_declarator":
            found |= set(_from_require(source, node, symbol))
        elif node.type == "member_expression" and required_module(source, node.child_by_field_name("object")) == (
            symbol.module
        ):
            field = node.child_by_field_name("property")
            if field is not None and source.text(field) == symbol.name:
                found.add(source.text(node))
    return found


def module_bindings(source: Source, module: str) -> set[str]:
    """Return the local names bound to the default export, or to the whole, of ``module``."""
    found = set()
    for statement in source.root.named_children:
        if statement.type != "import_statement" or module_of(source, statement) != module:
            continue
        clause = next((child for child in statement.named_children if child.type == "import_clause"), None)
        if clause is not None:
            found |= {source.text(child) for child in clause.named_children if child.type == "identifier"}
    for node in walk(source.root):
        if node.type == "variable_declarator" and required_module(source, node.child_by_field_name("value")) == module:
            name = node.child_by_field_name("name")
            if name is not None and name.type == "identifier":
                found.add(source.text(name))
    return found


def ensure_imported(source: Source, symbol: Symbol) -> tuple[Source, str]:
    """Import ``symbol`` unless it is, and return the file with the local name."""
    names = {name for name in imported_names(source, symbol) if not name.startswith("require")}
    if names:
        return source, min(names, key=len)
    local = _free_name(source, symbol.local or symbol.name)
    if is_commonjs(source):
        if symbol.name == "default":
            raise source.refusal(f"{symbol.module} is imported by its default export, which CommonJS cannot")
        return _add_require(source, symbol, local), local
    return _add_import(source, symbol, local), local


def is_commonjs(source: Source) -> bool:
    """Return whether the file uses ``require`` or ``module.exports``, not ``import`` and ``export``."""
    if any(node.type in {"import_statement", "export_statement"} for node in source.root.named_children):
        return False
    if source.path.endswith((".mjs", ".mts")):
        return False
    return any(_is_of_commonjs(source, node) for node in walk(source.root))


def _is_of_commonjs(source: Source, node: Node) -> bool:
    if node.type == "assignment_expression":
        return source.text(node.child_by_field_name("left") or node).startswith(("module.exports", "exports."))
    function = node.child_by_field_name("function") if node.type == "call_expression" else None
    return function is not None and source.text(function) == "require"


# Reading ------------------------------------------------------------------------------------------------------------


def module_of(source: Source, statement: Node) -> str | None:
    """Return the module that a statement imports from."""
    return source.string(statement.child_by_field_name("source"))


def _is_type_only(statement: Node) -> bool:
    return any(child.type in {"type", "typeof"} for child in statement.children)


def _from_import(source: Source, statement: Node, symbol: Symbol) -> Iterator[str]:
    if _is_type_only(statement):
        return
    for node in walk(statement):
        if node.type == "import_require_clause" and source.string(node.child_by_field_name("source")) == symbol.module:
            yield f"{source.text(node.named_children[0])}.{symbol.name}"
    if module_of(source, statement) != symbol.module:
        return
    for node in walk(statement):
        if node.type == "namespace_import":
            yield f"{source.text(node.named_children[0])}.{symbol.name}"
        elif node.type == "import_specifier" and not _is_type_only(node):
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            if name is not None and source.text(name) == symbol.name:
                yield source.text(alias or name)


def required_module(source: Source, value: Node | None) -> str | None:
    """Return ``x`` of ``require("x")`` or ``await import("x")``."""
    if value is None:
        return None
    call = unwrap(value)
    function = call.child_by_field_name("function") if call.type == "call_expression" else None
    if function is None or source.text(function) not in {"require", "import"}:
        return None
    arguments = call.child_by_field_name("arguments")
    values = named(arguments) if arguments is not None else []
    return source.string(values[0]) if len(values) == 1 else None


def _from_require(source: Source, declarator: Node, symbol: Symbol) -> Iterator[str]:
    target, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
    if target is None or value is None:
        return
    if required_module(source, value) == symbol.module:
        if target.type == "identifier":
            yield f"{source.text(target)}.{symbol.name}"
        for member in named(target) if target.type == "object_pattern" else []:
            if member.type == "shorthand_property_identifier_pattern" and source.text(member) == symbol.name:
                yield symbol.name
            elif member.type == "pair_pattern":
                key, alias = member.child_by_field_name("key"), member.child_by_field_name("value")
                if key is not None and alias is not None and source.text(key) == symbol.name:
                    yield source.text(alias)
    elif value.type == "member_expression" and target.type == "identifier":
        field = value.child_by_field_name("property")
        if (
            required_module(source, value.child_by_field_name("object")) == symbol.module
            and field is not None
            and source.text(field) == symbol.name
        ):
            yield source.text(target)


# Writing ------------------------------------------------------------------------------------------------------------


def _free_name(source: Source, wanted: str) -> str:
    kinds = {"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
    taken = {source.text(node) for node in walk(source.root) if node.type in kinds}
    candidates = [wanted, f"{wanted}Sdk", *(f"{wanted}Sdk{number}" for number in range(2, 100))]
    return next(name for name in candidates if name not in taken)


def _add_import(source: Source, symbol: Symbol, local: str) -> Source:
    statements = [node for node in source.root.named_children if node.type == "import_statement"]
    last = statements[-1] if statements else None
    if symbol.name == "default":
        line = f"import {local} from {source.quoted(symbol.module)}{source.semicolon}"
        return source.insert([_new_line(source, last, line)])
    specifier = symbol.name if local == symbol.name else f"{symbol.name} as {local}"
    for statement in statements:
        if module_of(source, statement) != symbol.module or _is_type_only(statement):
            continue
        names = next((node for node in walk(statement) if node.type == "named_imports"), None)
        if names is not None:
            return append_member(source, names, specifier)
    line = f"import {{ {specifier} }} from {source.quoted(symbol.module)}{source.semicolon}"
    return source.insert([_new_line(source, last, line)])


def _add_require(source: Source, symbol: Symbol, local: str) -> Source:
    specifier = symbol.name if local == symbol.name else f"{symbol.name}: {local}"
    last = None
    for statement in source.root.named_children:
        if statement.type not in {"lexical_declaration", "variable_declaration"}:
            continue
        for declarator in named(statement):
            if required_module(source, declarator.child_by_field_name("value")) is None:
                continue
            last = statement
            target = declarator.child_by_field_name("name")
            module = required_module(source, declarator.child_by_field_name("value"))
            if module == symbol.module and target is not None and target.type == "object_pattern":
                return append_member(source, target, specifier)
    line = f"const {{ {specifier} }} = require({source.quoted(symbol.module)}){source.semicolon}"
    insertion = _new_line(source, last, line)
    following = source.data[insertion.offset :].lstrip()
    # Without a semicolon `require("x")` and a next line that starts with a bracket would be one expression.
    if (
        not source.semicolon
        and following[:1] in {b"(", b"[", b"`", b"/", b"+", b"-"}
        and following[:2]
        not in {
            b"//",
            b"/*",
        }
    ):
        insertion = Insertion(insertion.offset, insertion.data.replace(line.encode(), f"{line};".encode()))
    return source.insert([insertion])


def _new_line(source: Source, last: Node | None, line: str) -> Insertion:
    """Return the insertion of ``line`` below the statement ``last``, or at the top of the file."""
    if last is None:
        return _at_top(source, line)
    last_byte = end_of(last)
    end = source.data.find(b"\n", last_byte)
    rest_end = len(source.data) if end == -1 else end
    rest = source.data[last_byte:rest_end].strip()
    if rest in {b"", b";"} or rest.startswith(b"//"):
        offset = rest_end - 1 if source.data[rest_end - 1 : rest_end] == b"\r" else rest_end
        return Insertion(offset, f"{source.eol}{line}".encode())
    return Insertion(last_byte, f"{source.eol}{line}{source.eol}".encode())


def end_of(statement: Node) -> int:
    """Return where a statement ends; a semicolon at the start of the next line guards that line, not this one."""
    children = statement.children
    if len(children) > 1 and children[-1].type == ";" and children[-1].start_point[0] > children[-2].end_point[0]:
        return children[-2].end_byte
    return statement.end_byte


def _at_top(source: Source, line: str) -> Insertion:
    anchor: Node | None = None
    statements = source.root.named_children
    for index, node in enumerate(statements):
        following = statements[index + 1] if index + 1 < len(statements) else None
        is_directive = node.type == "expression_statement" and named(node)[0].type == "string"
        if node.type == "hash_bang_line" or is_directive:
            anchor = node
        elif node.type == "comment":
            stands_alone = following is None or following.start_point[0] > node.end_point[0] + 1
            if stands_alone or _FILE_COMMENT.search(source.text(node)):
                anchor = node
        else:
            break
    if anchor is None:
        start = statements[0].start_byte if statements else 0
        return Insertion(start, f"{line}{source.eol}{source.eol if statements else ''}".encode())
    blank = source.eol if anchor.type == "comment" else ""
    return _new_line(source, anchor, f"{blank}{line}")
