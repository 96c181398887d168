"""Adding an item to an array of the exported config: ``modules``, ``plugins``, ``integrations``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._config import binding, calls_of, config_object, property_value
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, imported_names, module_bindings
from workflow_studio.scaffolder.scaffold.edits._syntax import Source, append_member, callee, named, unwrap, walk
from workflow_studio.scaffolder.scaffold.edits._values import Call, code_of, import_for

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class ArrayItem:
    """An array of the config holds an item, behind what is there; the array is made when there is none.

    Attributes:
        key: The property that is the array.
        item: A plain string (``"workflow/nitro"``), or a call of an export (``workflow()``).
        first: The item goes in front of what is there.
        before: Calls that the item has to stand in front of: it goes in front of the first of them.
        behind: Calls that the item has to stand behind: where it is there already, it is checked.
    """

    key: str
    item: str | Call
    first: bool = False
    before: tuple[Symbol, ...] = ()
    behind: tuple[Symbol, ...] = ()

    @property
    def title(self) -> str:
        """What adding it does."""
        name = self.item if isinstance(self.item, str) else f"{self.item.symbol.name}()"
        return f"add {name} to {self.key}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The export that is called."""
        return () if isinstance(self.item, str) else (self.item.symbol,)

    def add(self, source: Source) -> Source:
        """Return the file with the item.

        Raises:
            EditRefusedError: The array cannot be told without running the file, or holds the item in a place where
                it does not work.
        """
        if isinstance(self.item, Call) and calls_of(source, self.item.symbol):
            self._check_order(source)
            return source
        array = self._find(source)
        if array is not None and isinstance(self.item, str) and _holds(source, array, self.item):
            return source
        # The text of the item needs the local name; importing moves offsets, so the array is looked up again after.
        source, names = import_for(source, self.item)
        code = code_of(source, self.item, names)
        array = self._find(source)
        if array is None:
            return append_member(source, config_object(source), f"{self.key}: [{code}]")
        first = self.first or bool(self.before)
        return append_member(source, array, code, before=self._following(source, array), first=first)

    def _find(self, source: Source) -> Node | None:
        value = property_value(source, config_object(source), self.key)
        return array_of(source, value, self.key) if value is not None else None

    def _following(self, source: Source, array: Node) -> Node | None:
        """Return the element that the item goes in front of."""
        return next((element for element in named(array) if _calls_one_of(source, element, self.before)), None)

    def _check_order(self, source: Source) -> None:
        if not isinstance(self.item, Call) or not (self.before or self.behind):
            return
        own = calls_of(source, self.item.symbol)[0]
        for other in (call for symbol in (*self.before, *self.behind) for call in calls_of(source, symbol)):
            wrong = own.start_byte > other.start_byte if self.before else own.start_byte < other.start_byte
            if wrong and own.parent == other.parent:
                where = "in front of" if self.before else "behind"
                name = source.text(other.child_by_field_name("function") or other)
                raise source.refusal(f"{self.item.symbol.name}() has to stand {where} {name}()", at=own)


def _calls_one_of(source: Source, element: Node, symbols: tuple[Symbol, ...]) -> bool:
    names = {name for symbol in symbols for name in imported_names(source, symbol)}
    return any((function := callee(node)) is not None and source.text(function) in names for node in walk(element))


def array_of(source: Source, node: Node, key: str) -> Node:
    """Return the array literal that the value of ``key`` is.

    Raises:
        EditRefusedError: It is computed.
    """
    for _ in range(8):
        node = unwrap(node)
        if node.type == "array":
            return node
        if node.type == "identifier":
            node = binding(source, node)
        elif node.type == "call_expression":
            node = _filtered(source, node, key)
        else:
            break
    raise source.refusal(f"`{key}` is not a plain array", at=node)


def _filtered(source: Source, call: Node, key: str) -> Node:
    """Return ``[…]`` of ``[…].filter(Boolean)``."""
    function = call.child_by_field_name("function")
    if function is not None and function.type == "member_expression":
        target, method = function.child_by_field_name("object"), function.child_by_field_name("property")
        if target is not None and method is not None and source.text(method) in {"filter", "flat"}:
            return target
    raise source.refusal(f"`{key}` is not a plain array", at=call)


def _holds(source: Source, array: Node, module: str) -> bool:
    bound = module_bindings(source, module)
    for element in named(array):
        inner = unwrap(element)
        # ["module", options] is how modules take options.
        inner = named(inner)[0] if inner.type == "array" and named(inner) else inner
        if source.string(inner) == module or source.text(inner) in bound:
            return True
    return False
