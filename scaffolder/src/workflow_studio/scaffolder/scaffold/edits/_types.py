"""Turning a generated TypeScript file into JavaScript, for apps that have no TypeScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._syntax import Source, walk

if TYPE_CHECKING:
    from tree_sitter import Node


def strip_types(path: str, data: bytes) -> bytes | None:
    """Return the file without type annotations and type imports.

    Args:
        path: The file, for its grammar.
        data: TypeScript.

    Returns:
        JavaScript, or ``None`` when types are more than annotations (enums, casts, generics).
    """
    source = Source.load(path, data)
    removed: list[Node] = []
    stack = [source.root]
    while stack:
        node = stack.pop()
        is_type_import = node.type == "import_statement" and any(child.type == "type" for child in node.children)
        if node.type == "type_annotation" or is_type_import:
            removed.append(node)
        else:
            stack.extend(node.children)
    text = source.data
    for node in sorted(removed, key=lambda item: item.start_byte, reverse=True):
        end = node.end_byte
        if node.type == "import_statement" and text[end : end + 1] == b"\n":
            end += 1
        text = text[: node.start_byte] + text[end:]
    plain = Source.load(path, text)
    return None if any(_is_typescript(node) for node in walk(plain.root)) else text


def _is_typescript(node: Node) -> bool:
    return node.is_named and (
        node.type in {"as_expression", "satisfies_expression", "non_null_expression", "enum_declaration"}
        or node.type.startswith(("type_", "interface_", "ambient_", "abstract_"))
    )
