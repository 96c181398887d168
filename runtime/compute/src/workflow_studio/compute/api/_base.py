"""What requests and answers have in common."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

T = TypeVar("T")

ResolveData = Literal["none", "all"]
SortOrder = Literal["asc", "desc"]


class Answer(BaseModel):
    """What the worker sends."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, serialize_by_alias=True
    )


class Request(BaseModel):
    """What the worker is sent: a field it does not know is a mistake, and refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, serialize_by_alias=True
    )


class Page(Answer, Generic[T]):
    """A part of a list.

    Attributes:
        data: The entries.
        cursor: What to ask with for the entries after these; None if there were none.
        has_more: Whether there are more now.
    """

    data: tuple[T, ...]
    cursor: str | None = None
    has_more: bool = False
