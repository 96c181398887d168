"""What a call is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    import httpx

E_co = TypeVar("E_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
M = TypeVar("M", bound=BaseModel)

Value = str | int | list[str] | None
Query = dict[str, Value]


class Entries(Protocol[E_co]):
    """A page of any list."""

    @property
    def data(self) -> tuple[E_co, ...]:
        """The entries."""

    @property
    def cursor(self) -> str | None:
        """What to ask with for those after them."""

    @property
    def has_more(self) -> bool:
        """Whether there are any."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R_co]):
    """One call.

    Attributes:
        verb: The HTTP method.
        path: Below the worker's base URL.
        read: Makes an answer of a response; raises ValueError if that is none.
        query: Query parameters; None is left out.
        content: The body.
        headers: Sent besides those of every call.
        idempotency_key: Sent as ``Idempotency-Key``.
        repeatable: Whether doing it twice is as good as once, so that it is repeated though the first may have arrived.
        wait_ms: How long the worker may take before it answers, on top of the usual time.
        with_key: Whether the API key is sent.
        refusals: Whether a response other than 2xx is a refusal of the worker's.
    """

    verb: str
    path: str
    read: Callable[[httpx.Response], R_co]
    query: Query = field(default_factory=dict)
    content: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    idempotency_key: str | None = None
    repeatable: bool = True
    wait_ms: int = 0
    with_key: bool = True
    refusals: bool = True


def answer(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Return what reads an answer of a kind."""
    return lambda response: kind.model_validate_json(response.content)


def nothing(_response: httpx.Response) -> None:
    """Read an answer that has no content."""


def body(model: BaseModel) -> dict[str, Any]:
    """Return a JSON body as arguments of :class:`Call`."""
    content = model.model_dump_json(exclude_unset=True).encode()
    return {"content": content, "headers": (("content-type", "application/json"),)}


def given(**values: Any) -> dict[str, Any]:
    """Return those values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def segment(identifier: str) -> str:
    """Return an id as a part of a path that leads nowhere else.

    Raises:
        ValueError: If it cannot be one.
    """
    if not identifier or identifier in {".", ".."}:
        raise ValueError(f"{identifier!r} is not an id.")
    return quote(identifier, safe="")


def query(kind: type[Any], filters: Mapping[str, object], **more: Value) -> Query:
    """Return filters as query parameters.

    Args:
        kind: The typed dictionary that names the filters.
        filters: The filters.
        more: Further parameters.

    Raises:
        TypeError: If a filter has an unknown name.
        ValueError: If a moment has no time zone.
    """
    unknown = filters.keys() - kind.__annotations__.keys()
    if unknown:
        raise TypeError(f"There is no filter {min(unknown)!r}.")
    return {to_camel(name): _value(value) for name, value in filters.items()} | more


def _value(value: object) -> Value:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone.")
        return value.isoformat()
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Iterable):
        return [str(entry) for entry in value]
    raise TypeError(f"{value!r} cannot be a filter.")
