"""Edits of Python modules: a call right after ``app = FastAPI()`` or ``app = Flask(__name__)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_IMPORTS = frozenset({"import_statement", "import_from_statement", "future_import_statement"})


@dataclass(frozen=True, slots=True)
class AppClass:
    """What makes an app.

    Attributes:
        name: The class.
        package: The package it is imported from.
        modules: The modules of that package that export it.
    """

    name: str
    package: str
    modules: tuple[str, ...]


FASTAPI_APP = AppClass("FastAPI", "fastapi", ("fastapi", "fastapi.applications"))
FLASK_APP = AppClass("Flask", "flask", ("flask", "flask.app"))


def add_app_call(source: Source, function: str, module: str, app_class: AppClass = FASTAPI_APP) -> Source:
    """Have a module hand its app to a function as soon as the app is made.

    Args:
        source: The module.
        function: The function; it gets the app.
        module: Where it is imported from.
        app_class: What makes the app.

    Returns:
        The edited module; the same one if it calls the function already.

    Raises:
        EditRefusedError: Which app is meant, or where the call belongs, is unclear.
    """
    known = {alias for _, name, alias in _imports(source, module) if name == function} or {function}
    if any(node.type == "call" and _function(source, node).rsplit(".", 1)[-1] in known for node in walk(source.root)):
        return source
    name, statement, imported_at = _app(source, app_class)
    indent = source.indent_at(statement.start_byte)
    call = f"{source.eol}{indent}{min(known)}({name})".encode()
    insertions = [Insertion(_end_of_line(source, statement), call)]
    if not any(found == function for _, found, _ in _imports(source, module)):
        insertions.append(_import_behind(source, imported_at, f"from {module} import {function}"))
    return source.insert(insertions)


def _app(source: Source, app_class: AppClass) -> tuple[str, Node, Node]:
    """Return the name of the app, the statement that makes it, and the import of its class."""
    constructors = dict(_constructors(source, app_class))
    made = [node for node in walk(source.root) if node.type == "call" and _function(source, node) in constructors]
    if not made:
        raise source.refusal(f"no {app_class.name} app is made here")
    if len(made) > 1:
        raise source.refusal(f"several {app_class.name} apps are made here", at=made[1])
    assignment = made[0].parent
    statement = assignment.parent if assignment is not None else None
    if assignment is None or statement is None or assignment.type != "assignment":
        raise source.refusal("the app is not assigned to a name", at=made[0])
    target = assignment.child_by_field_name("left")
    if target is None or target.type != "identifier" or statement.type != "expression_statement":
        raise source.refusal("the app is not assigned to a name", at=made[0])
    imported_at = constructors[_function(source, made[0])]
    _require_reachable(source, imported_at, statement)
    return source.text(target), statement, imported_at


def _require_reachable(source: Source, imported_at: Node, statement: Node) -> None:
    """Refuse an import whose names the statement cannot be sure to see."""
    home = imported_at.parent
    if home is None or home == source.root:
        return
    if home.type == "block" and home.start_byte <= statement.start_byte < home.end_byte:
        return  # both are in one function, or in one branch of it
    owner = home.parent
    if owner is not None and owner.type == "try_statement" and owner.parent == source.root:
        return  # the import that everybody gets, or the module ends
    raise source.refusal("what makes the app is not imported at the top of the module", at=imported_at)


def _function(source: Source, call: Node) -> str:
    function = call.child_by_field_name("function")
    return source.text(function) if function is not None else ""


def _constructors(source: Source, app_class: AppClass) -> Iterator[tuple[str, Node]]:
    """Return what the class is called here, and each time where that comes from."""
    for module in app_class.modules:
        for statement, name, alias in _imports(source, module):
            if name in {app_class.name, "*"}:
                yield (app_class.name if name == "*" else alias), statement
    for node in walk(source.root):
        if node.type == "import_statement":
            for name, alias in _imported(source, node):
                if name == app_class.package:
                    yield f"{alias}.{app_class.name}", node


def _imports(source: Source, module: str) -> Iterator[tuple[Node, str, str]]:
    """Return each thing that is imported from a module: the statement, its name there, and what it is called here."""
    for node in walk(source.root):
        if node.type != "import_from_statement":
            continue
        origin = node.child_by_field_name("module_name")
        if origin is None or source.text(origin) != module:
            continue
        if any(child.type == "wildcard_import" for child in node.children):
            yield node, "*", "*"
        for name, alias in _imported(source, node):
            yield node, name, alias


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


def _import_behind(source: Source, imported_at: Node, line: str) -> Insertion:
    """Return the insertion of an import behind another one, and behind those that follow it directly."""
    home = imported_at.parent
    owner = home.parent if home is not None and home.type == "block" else None
    in_try = owner is not None and owner.type == "try_statement" and owner.parent == source.root
    last = owner if owner is not None and in_try else imported_at
    following = last.next_named_sibling
    while following is not None and following.type in _IMPORTS:
        last, following = following, following.next_named_sibling
    indent = source.indent_at(last.start_byte)
    return Insertion(_end_of_line(source, last), f"{source.eol}{indent}{line}".encode())


def _end_of_line(source: Source, statement: Node) -> int:
    """Return the end of the line that a statement ends on; there is nothing else on it but a comment."""
    start = source.data.rfind(b"\n", 0, statement.start_byte) + 1
    if source.data[start : statement.start_byte].strip():
        raise source.refusal("there is something else on the same line", at=statement)
    end = source.data.find(b"\n", statement.end_byte)
    end = len(source.data) if end < 0 else end
    if source.data[end - 1 : end] == b"\r":
        end -= 1
    rest = source.data[statement.end_byte : end].strip()
    if rest and not rest.startswith(b"#"):
        raise source.refusal("there is something else on the same line", at=statement)
    return end
