"""Edits of Python modules: a call right after ``app = FastAPI()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_IMPORTS = frozenset({"import_statement", "import_from_statement", "future_import_statement"})


def add_app_call(source: Source, function: str, module: str) -> Source:
    """Have a module hand its FastAPI app to a function as soon as it is made.

    Args:
        source: The module.
        function: The function; it gets the app.
        module: Where it is imported from.

    Returns:
        The edited module; the same one if it calls the function already.

    Raises:
        EditRefusedError: Which app is meant, or where the call belongs, is unclear.
    """
    if any(node.type == "call" and _called(source, node) == function for node in walk(source.root)):
        return source
    name, statement = _app(source)
    indent = source.indent_at(statement.start_byte)
    call = Insertion(_end_of_line(source, statement), f"{source.eol}{indent}{function}({name})".encode())
    line = f"{source.eol}from {module} import {function}"
    return source.insert([Insertion(_end_of_line(source, _last_import(source)), line.encode()), call])


def _called(source: Source, call: Node) -> str:
    function = call.child_by_field_name("function")
    return source.text(function).rsplit(".", 1)[-1] if function is not None else ""


def _app(source: Source) -> tuple[str, Node]:
    """Return the name of the app, and the statement that makes it."""
    constructors = _constructors(source)
    made = [node for node in walk(source.root) if node.type == "call" and _function(source, node) in constructors]
    if not made:
        raise source.refusal("no FastAPI app is made here")
    if len(made) > 1:
        raise source.refusal("several FastAPI apps are made here", at=made[1])
    assignment = made[0].parent
    statement = assignment.parent if assignment is not None else None
    if assignment is None or statement is None or assignment.type != "assignment":
        raise source.refusal("the app is not assigned to a name", at=made[0])
    target = assignment.child_by_field_name("left")
    if target is None or target.type != "identifier" or statement.type != "expression_statement":
        raise source.refusal("the app is not assigned to a name", at=made[0])
    return source.text(target), statement


def _function(source: Source, call: Node) -> str:
    function = call.child_by_field_name("function")
    return source.text(function) if function is not None else ""


def _constructors(source: Source) -> set[str]:
    """Return what ``FastAPI`` is called here."""
    names: set[str] = set()
    for node in walk(source.root):
        if node.type == "import_from_statement":
            origin = node.child_by_field_name("module_name")
            if origin is not None and source.text(origin) in {"fastapi", "fastapi.applications"}:
                names |= {alias for name, alias in _imported(source, node) if name == "FastAPI"}
        elif node.type == "import_statement":
            names |= {f"{alias}.FastAPI" for name, alias in _imported(source, node) if name == "fastapi"}
    return names


def _imported(source: Source, statement: Node) -> list[tuple[str, str]]:
    """Return what a statement imports: each name, and what it is called here."""
    found = []
    for node in statement.children_by_field_name("name"):
        if node.type == "aliased_import":
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            if name is not None and alias is not None:
                found.append((source.text(name), source.text(alias)))
        else:
            found.append((source.text(node), source.text(node)))
    return found


def _last_import(source: Source) -> Node:
    """Return the last one of the imports that the module begins with."""
    last: Node | None = None
    for node in source.root.named_children:
        if node.type in _IMPORTS:
            last = node
        elif last is not None and node.type != "comment":
            break
    if last is None:
        raise source.refusal("FastAPI is not imported at the top of the module")
    return last


def _end_of_line(source: Source, statement: Node) -> int:
    """Return the end of the line that a statement ends on; there is nothing else on it but a comment."""
    end = source.data.find(b"\n", statement.end_byte)
    end = len(source.data) if end < 0 else end
    if source.data[end - 1 : end] == b"\r":
        end -= 1
    rest = source.data[statement.end_byte : end].strip()
    if rest and not rest.startswith(b"#"):
        raise source.refusal("there is something else on the same line", at=statement)
    return end
