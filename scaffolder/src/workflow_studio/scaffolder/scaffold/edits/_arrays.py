"""Adding an item to an array of the exported config: ``modules``, ``plugins``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._exports import binding, calls_of, config_object, property_value
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, ensure_imported, module_bindings
from workflow_studio.scaffolder.scaffold.edits._syntax import Source, append_member, named, unwrap

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class ArrayItem:
    """What an array shall hold.

    Attributes:
        module: As a plain string, the item itself (``"workflow/nitro"``).
        symbol: When set, the item is a call of this export instead (``workflowPlugin()``).
    """

    module: str
    symbol: Symbol | None = None


def add_array_item(source: Source, key: str, item: ArrayItem) -> Source:
    """Add ``item`` to the array ``key`` of the config object, behind what is there.

    Raises:
        EditRefusedError: The array cannot be told without running the file.
    """
    if item.symbol is not None and calls_of(source, item.symbol):
        return source
    container = config_object(source)
    value = property_value(source, container, key)
    array = _array(source, value, key) if value is not None else None
    if array is not None and item.symbol is None and _holds(source, array, item.module):
        return source
    # The text of the item needs the local name; importing moves offsets, so the array is looked up again after.
    if item.symbol is not None:
        source, local = ensure_imported(source, item.symbol)
        text = f"{local}()"
        container = config_object(source)
        value = property_value(source, container, key)
        array = _array(source, value, key) if value is not None else None
    else:
        text = source.quoted(item.module)
    if array is None:
        return append_member(source, container, f"{key}: [{text}]")
    return append_member(source, array, text)


def _array(source: Source, node: Node, key: str) -> Node:
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
