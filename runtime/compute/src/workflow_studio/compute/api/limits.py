"""Limits: how many steps all workers of a service work on at the same time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, RootModel, StringConstraints

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import KeyId

LimitName = Annotated[str, StringConstraints(pattern=r"^(workflow|deployment|key):[^\x00-\x1f]{1,500}$")]
"""A scope, a colon and a name: ``workflow:``, ``deployment:`` or ``key:``; the name ``*`` is every other one."""

Most = Annotated[int, Field(ge=0, le=1_000_000)]
"""How many steps there may be; none is begun while it is 0."""


class LimitsRequest(RootModel[dict[LimitName, Most | None]]):
    """What to set: a limit by name; null removes it. Those that are not named stay as they are."""

    root: dict[LimitName, Most | None] = Field(min_length=1, max_length=1000)


class Limit(Answer):
    """How many steps there may be at the same time.

    Attributes:
        name: What it limits.
        most: How many there may be.
        from_settings: Whether it comes from the settings of the worker that answers.
        updated_at: When it was set, if it does not come from there.
        updated_by: The id of the key that set it.
    """

    name: str
    most: int
    from_settings: bool
    updated_at: datetime | None = None
    updated_by: KeyId | None = None


class Limits(Answer):
    """The limits that count, by name."""

    limits: tuple[Limit, ...] = ()
