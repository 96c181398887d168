"""Query parameters that several addresses take."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from workflow_studio.compute.api import ResolveData, SortOrder, StreamFormat


class Listing(BaseModel):
    """Which part of a list, in which order, with or without payloads."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    limit: int | None = Field(default=None, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=300)
    sort_order: SortOrder | None = None
    resolve_data: ResolveData = "none"


RunStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


class RunsListing(Listing):
    """Which runs."""

    workflow_name: str | None = Field(default=None, max_length=1024)
    status: list[RunStatus] | None = Field(default=None, max_length=5)
    deployment_id: str | None = Field(default=None, max_length=100)
    environment: str | None = Field(default=None, max_length=63, description="Those started in it.")
    created_after: AwareDatetime | None = Field(default=None, description="That moment or later.")
    created_before: AwareDatetime | None = Field(default=None, description="Earlier than that moment.")


class StreamsListing(BaseModel):
    """Which part of a run's streams."""

    model_config = Listing.model_config

    limit: int | None = Field(default=None, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=2000)


class StreamReading(BaseModel):
    """What of a stream is read, and how."""

    model_config = Listing.model_config

    start_index: int = Field(default=0, ge=-(2**53), le=2**53, description="The first chunk; -1 is the last one.")
    follow: bool = Field(default=True, description="Whether to wait for what is written from now on.")
    format: StreamFormat = "json"


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
