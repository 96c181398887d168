"""A source file as text plus its syntax tree, and the style the file is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import EditRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node, Parser, Tree

_BOM = b"\xef\xbb\xbf"
# Wrappers of an expression that change nothing about its value.
TRANSPARENT = frozenset(
    {
        "parenthesized_expression",
        "as_expression",
        "satisfies_expression",
        "non_null_expression",
        "type_assertion",
        "await_expression",
    }
)


@lru_cache(maxsize=4)
def _parser(dialect: str) -> Parser:
    from tree_sitter import Language, Parser  # noqa: PLC0415 - shared libraries: loaded when something is edited

    if dialect == "python":
        import tree_sitter_python  # noqa: PLC0415

        return Parser(Language(tree_sitter_python.language()))
    if dialect == "toml":
        import tree_sitter_toml  # noqa: PLC0415

        return Parser(Language(tree_sitter_toml.language()))
    import tree_sitter_typescript  # noqa: PLC0415

    grammar = (
        tree_sitter_typescript.language_typescript()
        if dialect == "typescript"
        else tree_sitter_typescript.language_tsx()
    )
    return Parser(Language(grammar))


def _dialect(path: str) -> str:
    if path.endswith((".ts", ".mts", ".cts")):
        return "typescript"
    if path.endswith(".py"):
        return "python"
    return "toml" if path.endswith((".toml", "Pipfile")) else "tsx"


@dataclass(frozen=True, slots=True)
class Insertion:
    """Bytes to put in at an offset of the old text."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Source:
    """A JavaScript, TypeScript, JSON, Python or TOML file.

    Attributes:
        path: Shown in refusals; its suffix picks the grammar.
        data: The text as UTF-8, without byte order mark.
        bom: Whether the file starts with a byte order mark.
        dialect: Grammar: ``typescript``, ``python``, ``toml``, or ``tsx``, which also reads JavaScript and JSON.
    """

    path: str
    data: bytes
    bom: bool = False
    dialect: str = "tsx"

    @classmethod
    def load(cls, path: str, data: bytes) -> Source:
        """Read a file.

        Raises:
            EditRefusedError: It is not UTF-8, or does not parse.
        """
        bom = data.startswith(_BOM)
        source = cls(path, data.removeprefix(_BOM), bom, _dialect(path))
        try:
            source.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise source.refusal("the file is not UTF-8 text") from error
        if b"\0" in data or source.root.has_error:
            raise source.refusal("the file does not parse", at=source.first_error)
        return source

    def dump(self) -> bytes:
        """Return the bytes of the file."""
        return _BOM + self.data if self.bom else self.data

    def insert(self, insertions: Sequence[Insertion]) -> Source:
        """Return the source with ``insertions`` applied, parsed again.

        Raises:
            EditRefusedError: The result does not parse: nothing of it is kept.
        """
        offsets = [insertion.offset for insertion in insertions]
        if len(set(offsets)) != len(offsets):
            raise self.refusal("two edits meet at one place")
        pieces, position = [], 0
        for insertion in sorted(insertions, key=lambda item: item.offset):
            pieces += [self.data[position : insertion.offset], insertion.data]
            position = insertion.offset
        result = Source(self.path, b"".join([*pieces, self.data[position:]]), self.bom, self.dialect)
        if result.root.has_error:
            raise self.refusal("the edited file would not parse")
        return result

    def splice(self, start: int, end: int, data: bytes) -> Source:
        """Return the source with ``data`` in place of a range, parsed again.

        Raises:
            EditRefusedError: The result does not parse: nothing of it is kept.
        """
        result = Source(self.path, self.data[:start] + data + self.data[end:], self.bom, self.dialect)
        if result.root.has_error:
            raise self.refusal("the edited file would not parse")
        return result

    def refusal(self, why: str, *, at: Node | None = None) -> EditRefusedError:
        """Return the error that leaves the file alone, pointing at ``at``."""
        return EditRefusedError(why, path=self.path, line=at.start_point[0] + 1 if at is not None else 1)

    # The tree ------------------------------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> Tree:
        """The concrete syntax tree."""
        return _parser(self.dialect).parse(self.data)

    @property
    def root(self) -> Node:
        """The tree's root."""
        return self.tree.root_node

    @property
    def first_error(self) -> Node | None:
        """The first node that could not be parsed."""
        return next((node for node in walk(self.root) if node.is_error or node.is_missing), None)

    def text(self, node: Node) -> str:
        """Return the text of a node."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8")

    def string(self, node: Node | None) -> str | None:
        """Return the value of a plain string literal without escapes, else ``None``."""
        if node is None or node.type != "string":
            return None
        parts = node.named_children
        if any(part.type != "string_fragment" for part in parts):
            return None
        return "".join(self.text(part) for part in parts)

    # Style ---------------------------------------------------------------------------------------------------------

    @cached_property
    def eol(self) -> str:
        """The line ending most lines have."""
        crlf = self.data.count(b"\r\n")
        return "\r\n" if crlf and crlf * 2 >= self.data.count(b"\n") else "\n"

    @cached_property
    def quote(self) -> str:
        """The quote most strings have."""
        strings = [
            self.data[node.start_byte : node.start_byte + 1] for node in walk(self.root) if node.type == "string"
        ]
        return "'" if strings.count(b"'") > strings.count(b'"') else '"'

    @cached_property
    def semicolon(self) -> str:
        """``";"`` when statements end with one, else the empty string."""
        kinds = {
            "import_statement",
            "lexical_declaration",
            "variable_declaration",
            "expression_statement",
            "return_statement",
        }
        ends = [self.text(node).endswith(";") for node in walk(self.root) if node.type in kinds]
        if not ends:
            ends = [
                self.text(node).endswith(";") for node in self.root.named_children if node.type == "export_statement"
            ]
        return ";" if not ends or sum(ends) * 2 >= len(ends) else ""

    @cached_property
    def indent(self) -> str:
        """One level of indentation."""
        steps: dict[str, int] = {}
        for node in walk(self.root):
            if node.type not in {"object", "array", "statement_block"} or not node.named_children:
                continue
            outer, inner = self.indent_at(node.start_byte), self.indent_at(node.named_children[0].start_byte)
            if inner.startswith(outer) and inner != outer:
                steps[inner[len(outer) :]] = steps.get(inner[len(outer) :], 0) + 1
        return max(steps, key=lambda step: steps[step]) if steps else "  "

    def indent_at(self, offset: int) -> str:
        """Return the white space the line of ``offset`` starts with."""
        start = self.data.rfind(b"\n", 0, offset) + 1
        found = re.compile(rb"[ \t]*").match(self.data, start)
        return found.group().decode() if found else ""

    def quoted(self, value: str) -> str:
        """Return ``value`` as a string literal in the file's style; ``value`` has no quotes or backslashes."""
        return f"{self.quote}{value}{self.quote}"


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it, in the order of the text."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def named(node: Node) -> list[Node]:
    """Return the named children without comments."""
    return [child for child in node.named_children if child.type != "comment"]


def unwrap(node: Node) -> Node:
    """Return the expression inside parentheses, casts, ``satisfies`` and ``await``."""
    while node.type in TRANSPARENT:
        inner = named(node)
        if not inner:
            break
        # In `<T>value` the value comes last; everywhere else it comes first.
        node = inner[-1] if node.type == "type_assertion" else inner[0]
    return node


def callee(node: Node) -> Node | None:
    """Return what a call calls, ``None`` when the node is no call.

    The grammar reads ``await f<T>(x)`` as a call of ``await f``; it is one of ``f``.
    """
    function = node.child_by_field_name("function") if node.type == "call_expression" else None
    return unwrap(function) if function is not None else None


def append_member(
    source: Source,
    container: Node,
    member: str,
    *,
    after: Node | None = None,
    before: Node | None = None,
    first: bool = False,
    tight: bool = False,
) -> Source:
    """Insert a member into an array, object or list of imports, in the style it is written in.

    Args:
        source: The file.
        container: A node whose first and last children are its brackets.
        member: The text of the member.
        after: The member to insert behind; ``None`` means the last one.
        before: The member to insert in front of instead.
        first: Insert in front of all members instead, unless ``before`` says where.
        tight: No space after a comma on one line.
    """
    members = named(container)
    if not members:
        return source.insert([_into_empty(source, container, member)])
    multiline = members[0].start_point[0] > container.children[0].start_point[0]
    separator = source.eol + source.indent_at(members[0].start_byte) if multiline else ("" if tight else " ")
    following = before if before is not None else members[0] if first else None
    if following is not None:
        return source.insert([Insertion(following.start_byte, f"{member},{separator}".encode())])
    anchor = after if after is not None else members[-1]
    comma = _comma_after(container, anchor)
    if comma is not None:
        offset = end_of_line_comments(container, comma) if multiline else comma.end_byte
        return source.insert([Insertion(offset, f"{separator}{member},".encode())])
    offset = end_of_line_comments(container, anchor) if multiline else anchor.end_byte
    if offset == anchor.end_byte:
        return source.insert([Insertion(offset, f",{separator}{member}".encode())])
    return source.insert([Insertion(anchor.end_byte, b","), Insertion(offset, f"{separator}{member}".encode())])


def _into_empty(source: Source, container: Node, member: str) -> Insertion:
    opening, closing = container.children[0], container.children[-1]
    comments = [child for child in container.children if child.type == "comment"]
    anchor = comments[-1] if comments else opening
    if opening.start_point[0] != closing.start_point[0]:
        outer = source.indent_at(opening.start_byte)
        inner = source.indent_at(anchor.start_byte) if comments else outer + source.indent
        tail = "" if b"\n" in source.data[anchor.end_byte : closing.start_byte] else source.eol + outer
        return Insertion(anchor.end_byte, f"{source.eol}{inner or source.indent}{member}{tail}".encode())
    padding = " " if container.type != "array" else ""
    head = " " if comments else padding
    tail = "" if source.data[anchor.end_byte : closing.start_byte].strip(b" \t") != b"" else padding
    if source.data[anchor.end_byte : closing.start_byte]:
        tail = ""
    return Insertion(anchor.end_byte, f"{head}{member}{tail}".encode())


def _comma_after(container: Node, member: Node) -> Node | None:
    for child in container.children:
        if child.start_byte < member.end_byte or child.type == "comment":
            continue
        return child if child.type == "," else None
    return None


def end_of_line_comments(container: Node, node: Node) -> int:
    """Return the end of the comments that follow ``node`` on its line: they belong to it."""
    end = node.end_byte
    for child in container.children:
        if (
            child.type == "comment"
            and child.start_byte >= end
            and child.start_point[0] == child.end_point[0] == node.end_point[0]
        ):
            end = child.end_byte
    return end
