"""Values of workflows as Python has them, and what Python hands to workflows as JSON has it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from workflow_studio.compute.payload import TYPE_KEY

_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}


def to_python(value: Any) -> Any:
    """Return a value of a workflow, as the worker shows it, in Python's own types where it has them.

    A ``Date`` becomes a ``datetime``, a ``BigInt`` an ``int``, a ``Map`` a ``dict`` and a ``Set`` a ``set`` if what
    they hold can be in one, bytes of any kind ``bytes``, ``undefined`` becomes None. What Python has nothing for stays
    as it is shown, such as an ``Error``: ``{"$type": "Error", "value": {"name": …, "message": …}}``.

    Args:
        value: JSON, in which a value that JSON lacks is an object with the key ``$type``.
    """
    if isinstance(value, list):
        return [to_python(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    if TYPE_KEY not in value:
        return {name: to_python(entry) for name, entry in value.items()}
    read = _READERS.get(str(value[TYPE_KEY]), _bytes)
    try:
        return read(value)
    except (KeyError, TypeError, ValueError):  # an object of the app's own that has such a key
        return {name: entry if name == TYPE_KEY else to_python(entry) for name, entry in value.items()}


Shown = Mapping[str, Any]


def _date(shown: Shown) -> datetime | None:
    return None if shown["value"] is None else datetime.fromisoformat(shown["value"])


def _map(shown: Shown) -> dict[Any, Any] | list[tuple[Any, Any]]:
    pairs = [(to_python(key), to_python(entry)) for key, entry in shown["entries"]]
    return dict(pairs) if all(_hashable(key) for key, _ in pairs) else pairs


def _set(shown: Shown) -> set[Any] | list[Any]:
    values = [to_python(entry) for entry in shown["values"]]
    return set(values) if all(map(_hashable, values)) else values


def _bytes(shown: Shown) -> bytes:
    return base64.b64decode(shown["base64"])


def _hashable(value: Any) -> bool:
    return not isinstance(value, dict | list | set)


_READERS: Final[Mapping[str, Callable[[Shown], Any]]] = {
    "undefined": lambda _: None,
    "Number": lambda shown: _NUMBERS[shown["value"]],
    "BigInt": lambda shown: int(shown["value"]),
    "Date": _date,
    "Map": _map,
    "Set": _set,
}
