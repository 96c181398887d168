"""Adding to JSON files, comments and trailing commas included, without rewriting them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.scaffold.edits._strip import without_member
from workflow_studio.scaffolder.scaffold.edits._syntax import Insertion, Source, append_member, named, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_VALUES = frozenset({"object", "array", "string", "number", "true", "false", "null", "unary_expression"})
_PARTS = frozenset({"pair", "string_fragment", "escape_sequence", "comment", "ERROR"})


@dataclass(frozen=True)
class JsonDocument:
    """A JSON or JSONC file whose top level is an object.

    The text is parsed as the JavaScript expression ``(text)``, of which JSON is a part.
    """

    source: Source

    @classmethod
    def load(cls, path: str, data: bytes) -> JsonDocument:
        """Read a file.

        Raises:
            EditRefusedError: It does not parse, or is not an object.
        """
        # Nothing goes in front but a bracket, so that the line numbers of refusals stay true.
        raw = Source(path, data)
        bom = data.startswith(b"\xef\xbb\xbf")
        body = data.removeprefix(b"\xef\xbb\xbf")
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise raw.refusal("the file is not UTF-8 text") from error
        document = cls(replace(raw, data=b"(" + body + b"\n)", bom=bom))
        if b"\0" in data or document.source.root.has_error:
            raise document.source.refusal("the file is not valid JSON", at=document.source.first_error)
        statements = document.source.root.named_children
        if len([node for node in statements if node.type != "comment"]) != 1:
            raise document.source.refusal("the file is not one JSON object")
        if document.root.type != "object":
            raise document.source.refusal("the file is not a JSON object", at=document.root)
        for node in walk(document.root):
            if node.is_named and node.type not in _VALUES | _PARTS:
                raise document.source.refusal("the file is not valid JSON", at=node)
        try:
            document.get()
        except RecursionError as error:
            raise document.source.refusal("the file is nested too deeply") from error
        return document

    def dump(self) -> bytes:
        """Return the bytes of the file."""
        body = self.source.data.removeprefix(b"(").removesuffix(b"\n)")
        return b"\xef\xbb\xbf" + body if self.source.bom else body

    @property
    def root(self) -> Node:
        """The top-level object."""
        statement = next(node for node in self.source.root.named_children if node.type != "comment")
        parenthesized = named(statement)[0] if named(statement) else statement
        inner = named(parenthesized)
        return inner[0] if inner else parenthesized

    def get(self, *keys: str) -> Any:
        """Return the value at a path as Python values, or ``None``; without keys, all of it."""
        node = self._find(keys)
        return None if node is None else self._value(node)

    def has(self, *keys: str) -> bool:
        """Tell whether there is a value at a path, ``null`` included."""
        return self._find(keys) is not None

    def line(self, *keys: str) -> int:
        """Return the 1-based line of the value at a path, or of the file when it has none."""
        node = self._find(keys)
        return node.start_point[0] + 1 if node is not None else 1

    def _find(self, keys: tuple[str, ...]) -> Node | None:
        node: Node | None = self.root
        for key in keys:
            node = self._member(node, key) if node is not None and node.type == "object" else None
        return node

    def _member(self, container: Node, key: str) -> Node | None:
        found = None
        for pair in named(container):
            name = pair.child_by_field_name("key") if pair.type == "pair" else None
            if name is not None and self._value(name) == key:
                found = pair.child_by_field_name("value")  # JSON.parse takes the last of equal keys
        return found

    def _value(self, node: Node) -> Any:
        if node.type == "object":
            pairs = [pair for pair in named(node) if pair.type == "pair"]
            return {
                str(self._value(pair.named_children[0])): self._value(value)
                for pair in pairs
                if (value := pair.child_by_field_name("value")) is not None
            }
        if node.type == "array":
            return [self._value(item) for item in named(node)]
        try:
            return json.loads(self.source.text(node))
        except json.JSONDecodeError as error:
            raise self.source.refusal("the file is not valid JSON", at=node) from error

    # Writing -------------------------------------------------------------------------------------------------------

    def set_default(self, keys: tuple[str, ...], value: Any, *, in_order: bool = False) -> JsonDocument:
        """Set a property unless it has a value; objects on the way are made.

        Args:
            keys: Path of the property.
            value: JSON value.
            in_order: Insert by name when the object's keys are sorted; else behind the last one.

        Raises:
            EditRefusedError: Something on the way is not an object.
        """
        if self._find(keys) is not None:
            return self
        depth, container = 0, self.root
        for key in keys[:-1]:
            inner = self._member(container, key)
            if inner is None:
                break
            if inner.type != "object":
                raise self.source.refusal(f'"{".".join(keys[: depth + 1])}" is not an object', at=inner)
            container, depth = inner, depth + 1
        for key in reversed(keys[depth + 1 :]):
            value = {key: value}
        return self._insert(container, keys[depth], value, in_order=in_order and depth == len(keys) - 1)

    def replace(self, keys: tuple[str, ...], value: Any) -> JsonDocument:
        """Replace the value at a path, which is there."""
        node = self._find(keys)
        if node is None:
            raise self.source.refusal(f'"{".".join(keys)}" has no value')
        text = self._text(value, node.parent or node)
        return replace(self, source=self.source.splice(node.start_byte, node.end_byte, text.encode()))

    def remove(self, keys: tuple[str, ...]) -> JsonDocument:
        """Take out the property at a path, if it is there; an object that is empty then goes with it."""
        node = self._find(keys)
        pair = node.parent if node is not None else None
        if pair is None or pair.type != "pair":
            return self
        container = pair.parent
        if container is not None and len(named(container)) == 1 and len(keys) > 1:
            return self.remove(keys[:-1])
        return replace(self, source=without_member(self.source, pair))

    def remove_item(self, keys: tuple[str, ...], item: Any) -> JsonDocument:
        """Take an item out of an array, if it is there; an array that is empty then goes with its property."""
        array = self._find(keys)
        found = [node for node in named(array) if self._value(node) == item] if array is not None else []
        if array is None or array.type != "array" or not found:
            return self
        if len(named(array)) == 1:
            return self.remove(keys)
        return replace(self, source=without_member(self.source, found[0]))

    def append(self, keys: tuple[str, ...], item: Any) -> JsonDocument:
        """Add an item to an array, which is made when missing.

        Raises:
            EditRefusedError: What is there is not an array.
        """
        array = self._find(keys)
        if array is None:
            return self.set_default(keys, [item])
        if array.type != "array":
            raise self.source.refusal(f'"{".".join(keys)}" is not an array', at=array)
        return replace(self, source=append_member(self.source, array, self._text(item, array), tight=self._tight))

    def _insert(self, container: Node, key: str, value: Any, *, in_order: bool) -> JsonDocument:
        text = f"{json.dumps(key, ensure_ascii=False)}{':' if self._tight else ': '}{self._text(value, container)}"
        pairs = [pair for pair in named(container) if pair.type == "pair"]
        names = [str(self._value(pair.named_children[0])) for pair in pairs]
        if not pairs and not self._one_line and container.start_point[0] == container.end_point[0]:
            # An empty object in a file of many lines is opened up, as package managers write it.
            return replace(self, source=self._open_up(container, text))
        before = len(pairs)
        if in_order and names == sorted(names):
            before = sum(name < key for name in names)
        first, after = before == 0 and bool(pairs), pairs[before - 1] if before else None
        return replace(
            self, source=append_member(self.source, container, text, after=after, first=first, tight=self._tight)
        )

    def _open_up(self, container: Node, text: str) -> Source:
        source, eol = self.source, self.source.eol
        outer = source.indent_at(container.start_byte)
        inner = f"{eol}{outer}{source.indent}{text}{eol}{outer}"
        return source.insert([Insertion(container.children[-1].start_byte, inner.encode())])

    @property
    def _one_line(self) -> bool:
        return bool(named(self.root)) and self.root.start_point[0] == self.root.end_point[0]

    @property
    def _tight(self) -> bool:
        return self._one_line and b'": ' not in self.source.data

    def _text(self, value: Any, near: Node) -> str:
        if self._tight:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if not isinstance(value, dict) or near.type == "array" or self._one_line:
            return _one_line(value)
        text = json.dumps(value, ensure_ascii=False, indent=self.source.indent)
        outer = self.source.indent_at(named(near)[0].start_byte if named(near) else near.start_byte)
        if not named(near):
            outer += self.source.indent
        return text.replace("\n", self.source.eol + outer)


def _one_line(value: Any) -> str:
    """Return JSON on one line with spaces inside braces, as JavaScript formatters write short objects."""
    if isinstance(value, dict):
        members = ", ".join(f"{json.dumps(key)}: {_one_line(item)}" for key, item in value.items())
        return f"{{ {members} }}"
    if isinstance(value, list):
        return "[" + ", ".join(_one_line(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
