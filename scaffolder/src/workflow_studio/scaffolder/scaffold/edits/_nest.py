"""Edits of a Nest app's modules: an import of the root module, and a call where the app is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._arrays import array_of
from workflow_studio.scaffolder.scaffold.edits._config import calls_of, object_of, property_value
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, ensure_imported, imported_names
from workflow_studio.scaffolder.scaffold.edits._syntax import (
    TRANSPARENT,
    Insertion,
    Source,
    append_member,
    callee,
    named,
    walk,
)
from workflow_studio.scaffolder.scaffold.edits._values import Call, code_of, import_for

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class ModuleImport:
    """A module class lists one more module in ``@Module({ imports: [...] })``.

    Attributes:
        item: The module: ``WorkflowModule.forRoot()``.
        class_name: Which class, where a file has several modules.
    """

    item: Call
    class_name: str = "AppModule"

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"import {self.item.symbol.name}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The module."""
        return (self.item.symbol,)

    def add(self, source: Source) -> Source:
        """Return the file with the module.

        Raises:
            EditRefusedError: There is no ``@Module`` with an object, there are several, or its imports are computed.
        """
        if self._is_there(source):
            return source
        self._array(source)
        source, names = import_for(source, self.item)
        code = code_of(source, self.item, names)
        container, array = self._array(source)
        if array is None:
            first = bool(named(container))
            return append_member(source, container, f"imports: [{code}]", first=first)
        return append_member(source, array, code)

    def _is_there(self, source: Source) -> bool:
        names = imported_names(source, self.item.symbol)
        _, array = self._array(source) if names else (None, None)
        return array is not None and any(
            node.type in {"identifier", "member_expression"} and source.text(node) in names for node in walk(array)
        )

    def _array(self, source: Source) -> tuple[Node, Node | None]:
        argument = self._argument(source)
        container = object_of(source, argument)
        value = property_value(source, container, "imports")
        return container, array_of(source, value, "imports") if value is not None else None

    def _argument(self, source: Source) -> Node:
        """Return the argument of the decorator ``@Module(…)``."""
        decorators = {node.id: node for node in walk(source.root) if _is_module_decorator(source, node)}
        found = list(decorators.values())
        if len(found) > 1:
            found = [node for node in found if _decorated(source, node) == self.class_name] or found
        if not found:
            raise source.refusal("there is no class with the decorator @Module(…)")
        if len(found) > 1:
            raise source.refusal("several classes have the decorator @Module(…)", at=found[1])
        call = named(found[0])[0]
        arguments = call.child_by_field_name("arguments")
        values = named(arguments) if arguments is not None else []
        if len(values) != 1 or values[0].type == "spread_element":
            raise source.refusal("@Module has no plain argument", at=found[0])
        return values[0]


def _is_module_decorator(source: Source, node: Node) -> bool:
    if node.type != "decorator":
        return False
    call = named(node)[0] if named(node) else node
    function = call.child_by_field_name("function") if call.type == "call_expression" else None
    return function is not None and source.text(function) in imported_names(source, Symbol("Module", "@nestjs/common"))


def _decorated(source: Source, decorator: Node) -> str | None:
    """Return the name of the class that a decorator is on."""
    node: Node | None = decorator.parent
    if node is not None and node.type != "class_declaration":
        # `@Module() export class A {}`: the class is inside the export that the decorator belongs to.
        node = next((child for child in node.named_children if "class" in child.type), None)
    name = node.child_by_field_name("name") if node is not None else None
    return source.text(name) if name is not None else None


@dataclass(frozen=True, slots=True)
class CallBehind:
    """A function is called with a variable, right behind the statement that makes it.

    Attributes:
        symbol: The function.
        maker: What the variable is made by, as it is called: ``Symbol("NestFactory", "@nestjs/core")``.
        method: The method of ``maker`` that makes it.
        awaited: The call returns a promise to wait for.
    """

    symbol: Symbol
    maker: Symbol
    method: str
    awaited: bool = False

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"call {self.symbol.name}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The function."""
        return (self.symbol,)

    def add(self, source: Source) -> Source:
        """Return the file with the call.

        Raises:
            EditRefusedError: The variable is not made by one statement of its own.
        """
        if calls_of(source, self.symbol):
            return source
        self._statement(source)
        source, local = ensure_imported(source, self.symbol)
        statement, variable = self._statement(source)
        indent = source.indent_at(statement.start_byte)
        keyword = "await " if self.awaited else ""
        guard = ";" if not source.semicolon and _next_starts_with_bracket(source, statement) else source.semicolon
        line = f"{source.eol}{indent}{keyword}{local}({source.text(variable)}){guard}"
        return source.insert([Insertion(_end_of_line(source, statement), line.encode())])

    def _statement(self, source: Source) -> tuple[Node, Node]:
        """Return the statement that makes the variable, and the variable's name."""
        makers = {f"{name}.{self.method}" for name in imported_names(source, self.maker)}
        calls = [
            node
            for node in walk(source.root)
            if (function := callee(node)) is not None and "".join(source.text(function).split()) in makers
        ]
        if not calls:
            raise source.refusal(f"there is no call of {self.maker.name}.{self.method}")
        if len(calls) > 1:
            raise source.refusal(f"{self.maker.name}.{self.method} is called in several places", at=calls[1])
        statement, variable, awaited = _declaration(calls[0])
        if statement is None or variable is None:
            raise source.refusal("the app is not kept in a variable of its own", at=calls[0])
        if not awaited:
            raise source.refusal(f"{self.maker.name}.{self.method} is not awaited where it is called", at=calls[0])
        return statement, variable


def _declaration(call: Node) -> tuple[Node | None, Node | None, bool]:
    """Return the statement ``const variable = await call``, its variable, and whether it awaits."""
    function = call.child_by_field_name("function")
    awaited = function is not None and function.type == "await_expression"
    node = call
    while node.parent is not None and node.parent.type in TRANSPARENT:
        node = node.parent
        awaited = awaited or node.type == "await_expression"
    declarator = node.parent if node.parent is not None and node.parent.type == "variable_declarator" else None
    variable = declarator.child_by_field_name("name") if declarator is not None else None
    statement = declarator.parent if declarator is not None else None
    is_own = (
        variable is not None
        and variable.type == "identifier"
        and statement is not None
        and len(named(statement)) == 1
        and statement.parent is not None
        and statement.parent.type in {"statement_block", "program"}
    )
    return (statement, variable, awaited) if is_own else (None, None, awaited)


def _end_of_line(source: Source, statement: Node) -> int:
    """Return where the statement's line ends, so that a comment beside it stays there."""
    end = source.data.find(b"\n", statement.end_byte)
    line_end = len(source.data) if end == -1 else end
    rest = source.data[statement.end_byte : line_end].strip()
    if rest and not rest.startswith(b"//"):
        return statement.end_byte
    return line_end - 1 if source.data[line_end - 1 : line_end] == b"\r" else line_end


def _next_starts_with_bracket(source: Source, statement: Node) -> bool:
    return source.data[statement.end_byte :].lstrip()[:1] in {b"(", b"[", b"`"}
