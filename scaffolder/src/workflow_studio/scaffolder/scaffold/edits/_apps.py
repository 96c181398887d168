"""Wrapping the call that makes an app: ``const app = express();``, ``new Hono()``, ``require('fastify')()``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._config import calls_of
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, ensure_imported, imported_names
from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, callee, named, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class WrapApp:
    """A function is called with the app where the app is made, so before anything else is done with it.

    Attributes:
        symbol: The function, which returns the app.
        makers: What makes an app when it is called, with ``new`` or without.
    """

    symbol: Symbol
    makers: tuple[Symbol, ...]

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"make the app with {self.symbol.name}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The function."""
        return (self.symbol,)

    def add(self, source: Source) -> Source:
        """Return the file with the call.

        Raises:
            EditRefusedError: The file makes no app, or several.
        """
        if calls_of(source, self.symbol):
            return source
        self._maker(source)
        source, local = ensure_imported(source, self.symbol)
        maker = self._maker(source)
        return source.insert([Insertion(maker.start_byte, f"{local}(".encode()), Insertion(maker.end_byte, b")")])

    def _maker(self, source: Source) -> Node:
        modules = {maker.module for maker in self.makers}
        names = set().union(*(imported_names(source, maker) for maker in self.makers))
        if any(maker.name == "default" for maker in self.makers):
            names |= set(_whole_modules(source, modules))
        found = [node for node in walk(source.root) if _makes(source, node, names, modules)]
        if not found:
            raise source.refusal(f"no app of {self.makers[0].module} is made here")
        if len(found) > 1:
            raise source.refusal("several apps are made here", at=found[1])
        return found[0]


def _whole_modules(source: Source, modules: set[str]) -> Iterator[str]:
    """Yield the names of modules that are called as what they export by default."""
    for statement in source.root.named_children:
        for node in walk(statement) if statement.type == "import_statement" else ():
            # The clause of `import x = require('x')` names the module itself.
            holder = node if node.type == "import_require_clause" else statement
            if source.string(holder.child_by_field_name("source")) not in modules:
                continue
            if node.type in {"import_require_clause", "namespace_import"}:
                yield source.text(node.named_children[0])
            elif node.type == "import_specifier":
                name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
                if name is not None and alias is not None and source.text(name) == "default":
                    yield source.text(alias)


def _makes(source: Source, node: Node, names: set[str], modules: set[str]) -> bool:
    function = node.child_by_field_name("constructor") if node.type == "new_expression" else callee(node)
    if function is None:
        return False
    return source.text(function) in names or _required(source, function) in modules


def _required(source: Source, node: Node) -> str | None:
    """Return ``x`` of ``require("x")``, which is called at once."""
    function = callee(node)
    arguments = node.child_by_field_name("arguments")
    if function is None or source.text(function) != "require" or arguments is None:
        return None
    values = named(arguments)
    return source.string(values[0]) if len(values) == 1 else None
