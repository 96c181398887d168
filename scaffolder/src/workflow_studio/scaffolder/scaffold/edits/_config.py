"""The config object of a file: the default export, what object it is, what its properties hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, imported_names
from workflow_studio.scaffolder.scaffold.edits._syntax import Source, callee, named, unwrap, walk

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = frozenset({"arrow_function", "function_expression", "function_declaration"})
_GENERATORS = frozenset({"generator_function", "generator_function_declaration"})
# Calls that return, or wrap, the config they are given: defineConfig(…), withSentryConfig(…), mergeConfig(…, …).
_CONFIG_CALL = re.compile(r"^(?:define|with|merge)[A-Z]\w*$")


def calls_of(source: Source, symbol: Symbol) -> list[Node]:
    """Return the calls of ``symbol`` anywhere in the file."""
    names = imported_names(source, symbol)
    return [
        node for node in walk(source.root) if (function := callee(node)) is not None and source.text(function) in names
    ]


def first_argument(source: Source, call: Node) -> Node:
    arguments = call.child_by_field_name("arguments")
    values = named(arguments) if arguments is not None else []
    if not values or values[0].type == "spread_element":
        raise source.refusal("the call has no plain first argument", at=call)
    return values[0]


def default_export(source: Source) -> Node:
    """Return the expression (or function declaration) that the file exports by default.

    Raises:
        EditRefusedError: There is none, there are several, or it is only named (``export { x as default }``).
    """
    found: list[Node] = []
    for statement in source.root.named_children:
        if statement.type == "export_statement":
            node = _exported(source, statement)
        elif statement.type == "expression_statement":
            node = _assigned(source, named(statement)[0])
        else:
            continue
        if node is not None:
            found.append(node)
    if not found:
        raise source.refusal("the file has no default export")
    if len(found) > 1:
        raise source.refusal("the file has several default exports", at=found[1])
    return found[0]


def _exported(source: Source, statement: Node) -> Node | None:
    tokens = {child.type for child in statement.children}
    if "=" in tokens:
        raise source.refusal("`export =` cannot be wrapped here", at=statement)
    if "default" in tokens:
        node = statement.child_by_field_name("value") or statement.child_by_field_name("declaration")
        if node is None or node.type in _GENERATORS or "class" in node.type:
            raise source.refusal("the default export is not a config object or function", at=statement)
        _check_function_name(source, node)
        return node
    for specifier in walk(statement):
        if specifier.type != "export_specifier":
            continue
        name = specifier.child_by_field_name("alias") or specifier.child_by_field_name("name")
        if name is not None and source.text(name) == "default":
            raise source.refusal("the default export is re-exported by name", at=specifier)
    return None


def _check_function_name(source: Source, node: Node) -> None:
    """A wrapped function declaration is an expression: its name is no longer visible to the rest of the file."""
    name = node.child_by_field_name("name") if node.type == "function_declaration" else None
    if name is None:
        return
    uses = [
        other for other in walk(source.root) if other.type == "identifier" and source.text(other) == source.text(name)
    ]
    if any(other.start_byte < node.start_byte or other.end_byte > node.end_byte for other in uses):
        raise source.refusal("the exported function is used by name elsewhere in the file", at=name)


def _assigned(source: Source, expression: Node) -> Node | None:
    if expression.type != "assignment_expression":
        return None
    left, right = expression.child_by_field_name("left"), expression.child_by_field_name("right")
    if left is None or right is None or source.text(left) != "module.exports":
        return None
    # module.exports = exports = value
    while right.type == "assignment_expression":
        right = right.child_by_field_name("right") or right
    return right


# The config object --------------------------------------------------------------------------------------------------


def config_object(source: Source) -> Node:
    """Return the object literal that the default export is, through the usual ways of writing it.

    Raises:
        EditRefusedError: It cannot be told without running the file.
    """
    return object_of(source, default_export(source))


def object_of(source: Source, node: Node) -> Node:
    """Return the object literal that an expression is.

    Raises:
        EditRefusedError: It cannot be told without running the file.
    """
    return _object(source, node, depth=0)


def _object(source: Source, node: Node, *, depth: int) -> Node:
    node = unwrap(node)
    if depth > 16:
        raise source.refusal("the config is built in too many steps", at=node)
    if node.type == "object":
        return node
    if node.type == "identifier":
        return _object(source, binding(source, node), depth=depth + 1)
    if node.type in FUNCTIONS:
        return _object(source, _result(source, node), depth=depth + 1)
    if node.type == "call_expression":
        return _object(source, _config_argument(source, node), depth=depth + 1)
    raise source.refusal("the config object is computed", at=node)


def _config_argument(source: Source, call: Node) -> Node:
    function = callee(call)
    name = source.text(function).rsplit(".", 1)[-1] if function is not None else ""
    arguments = call.child_by_field_name("arguments")
    values = named(arguments) if arguments is not None and arguments.type == "arguments" else []
    if not values or not _CONFIG_CALL.match(name) or any(value.type == "spread_element" for value in values):
        raise source.refusal(f"the config comes from a call of {name or 'a function'}", at=call)
    # mergeConfig(base, own): lists are joined, so either would do; the last one is the file's own.
    return values[-1] if name.startswith("merge") else values[0]


def _result(source: Source, function: Node) -> Node:
    body = function.child_by_field_name("body")
    if body is None:
        raise source.refusal("the config function has no body", at=function)
    if body.type != "statement_block":
        return body
    returns = [node for node in _own_nodes(body) if node.type == "return_statement"]
    values = named(returns[0]) if len(returns) == 1 else []
    if len(values) != 1:
        raise source.refusal("the config function returns in several places", at=function)
    return values[0]


def _own_nodes(body: Node) -> list[Node]:
    found, stack = [], [body]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(
            child for child in node.children if child.type not in FUNCTIONS and child.type != "method_definition"
        )
    return found


def binding(source: Source, identifier: Node) -> Node:
    """Return the value the one declaration of a variable gives it.

    Raises:
        EditRefusedError: It is imported, declared more than once, or changed after its declaration.
    """
    name = source.text(identifier)
    declared: list[Node] = []
    for node in walk(source.root):
        if node.type in {"variable_declarator", "function_declaration"}:
            target = node.child_by_field_name("name")
            if target is not None and source.text(target) == name:
                declared.append(node)
        elif node.type == "assignment_expression":
            left = node.child_by_field_name("left")
            if left is not None and re.match(rf"{re.escape(name)}(?!\w|\$)", source.text(left)):
                raise source.refusal(f"{name} is changed after its declaration", at=node)
    if len(declared) != 1:
        why = f"{name} comes from another file" if not declared else f"{name} is declared more than once"
        raise source.refusal(why, at=identifier)
    if declared[0].type == "function_declaration":
        return declared[0]
    value = declared[0].child_by_field_name("value")
    if value is None:
        raise source.refusal(f"{name} has no value at its declaration", at=declared[0])
    return value


def property_value(source: Source, container: Node, key: str) -> Node | None:
    """Return the value of a property of an object literal, following a shorthand; ``None`` when it has none.

    Raises:
        EditRefusedError: It is a method or accessor, or a spread or computed key could hold it.
    """
    found: Node | None = None
    unclear: Node | None = None
    for member in named(container):
        if member.type == "shorthand_property_identifier" and source.text(member) == key:
            found = binding(source, member)
        elif member.type == "pair":
            name = member.child_by_field_name("key")
            if name is not None and name.type == "computed_property_name":
                unclear = member
            elif name is not None and key in {source.text(name), source.string(name)}:
                found = member.child_by_field_name("value")
        elif member.type == "method_definition":
            name = member.child_by_field_name("name")
            if name is not None and source.text(name) == key:
                raise source.refusal(f"`{key}` is a method", at=member)
        elif member.type == "spread_element":
            unclear = member
    if found is None and unclear is not None:
        raise source.refusal(f"`{key}` may come from `{source.text(unclear)}`", at=unclear)
    return found
