"""Setting a property of the exported config, however deep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits._config import calls_of, config_object, object_of, property_value
from workflow_studio.scaffolder.scaffold.edits._syntax import Source, append_member
from workflow_studio.scaffolder.scaffold.edits._values import (
    Call,
    Value,
    code_of,
    import_for,
    key_of,
    literal,
    symbols_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from workflow_studio.scaffolder.scaffold.edits._imports import Symbol


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the config has a value; the objects on the way are made.

    Attributes:
        path: Names from the config down: ``("future", "v8_viteEnvironmentApi")``.
        value: The value.
        required: Another value is refused; otherwise whatever is there stays.
    """

    path: tuple[str, ...]
    value: Value
    required: bool = True

    @property
    def title(self) -> str:
        """What adding it does."""
        return f"set {'.'.join(self.path)}"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The exports that the value uses."""
        return symbols_of(self.value)

    def add(self, source: Source) -> Source:
        """Return the file with the property.

        Raises:
            EditRefusedError: The property has another value, or cannot be told without running the file.
        """
        _, _, present = self._find(source)
        if present is not None:
            if self.required and not self._is_value(source, present):
                wanted = "something else" if self.symbols else f"`{code_of(source, self.value, {})}`"
                why = f"`{'.'.join(self.path)}` is `{_short(source.text(present))}`, and has to be {wanted}"
                raise source.refusal(why, at=present)
            return source
        source, names = import_for(source, self.value)
        container, depth, _ = self._find(source)
        code = code_of(source, self.value, names)
        for key in reversed(self.path[depth + 1 :]):
            code = f"{{ {key_of(source, key)}: {code} }}"
        return append_member(source, container, f"{key_of(source, self.path[depth])}: {code}")

    def _find(self, source: Source) -> tuple[Node, int, Node | None]:
        """Return the deepest object on the way, how deep it is, and the value of the property if it has one."""
        container = config_object(source)
        for depth, key in enumerate(self.path):
            value = property_value(source, container, key)
            if value is None or depth == len(self.path) - 1:
                return container, depth, value
            container = object_of(source, value)
        raise source.refusal("the property has no name")

    def _is_value(self, source: Source, node: Node) -> bool:
        if isinstance(self.value, Call):
            return any(
                node.start_byte <= call.start_byte and call.end_byte <= node.end_byte
                for call in calls_of(source, self.value.symbol)
            )
        return literal(source, node) == self.value


def _short(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= 40 and line == text else f"{line[:40]}…"
