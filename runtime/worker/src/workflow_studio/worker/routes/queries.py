"""Query parameters that several addresses take."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from workflow_studio.compute.api import ResolveData, SortOrder


class Listing(BaseModel):
    """Which part of a list, in which order, with or without payloads."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    limit: int | None = Field(default=None, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=300)
    sort_order: SortOrder | None = None
    resolve_data: ResolveData = "none"


class RunsListing(Listing):
    """Which runs."""

    workflow_name: str | None = Field(default=None, max_length=1024)
    status: str | None = Field(default=None, pattern="^(pending|running|completed|failed|cancelled)$")


class EventsListing(Listing):
    """Which events."""

    run_id: str


class CorrelatedListing(Listing):
    """Which events of a step, hook or wait."""

    run_id: str | None = None


Resolve = Annotated[ResolveData, Query(alias="resolveData", description="Whether payloads are wanted.")]
"""``resolveData`` of a single entity."""

Wait = Annotated[
    int,
    Query(alias="waitMs", ge=0, description="Wait so many milliseconds for the end; at most 25,000 of them count."),
]
"""``waitMs`` of what may end."""
