"""Calls about what happened in runs: steps, hooks, events, streams, output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workflow_studio.client._calls.base import Call, answer, query, segment
from workflow_studio.client._filters import CorrelatedFilter, Listing, OutputFilter, Part
from workflow_studio.compute.api import Event, Hook, OutputPage, Page, Step, Stream

if TYPE_CHECKING:
    import httpx

    from workflow_studio.compute.api import ResolveData
    from workflow_studio.compute.ids import EntityId, HookId, RunId, StepId, WaitId

JSON_LINES: Final = "application/x-ndjson"
SILENCE_MS: Final = 30_000
"""How long nothing may come of a stream: the worker says every 15 seconds that it goes on."""


def list_run_steps(run_id: RunId, part: Listing) -> Call[Page[Step]]:
    return Call("GET", f"/v1/runs/{segment(run_id)}/steps", answer(Page[Step]), query(Listing, part))


def list_run_hooks(run_id: RunId, part: Listing) -> Call[Page[Hook]]:
    return Call("GET", f"/v1/runs/{segment(run_id)}/hooks", answer(Page[Hook]), query(Listing, part))


def get_step(step_id: StepId, run_id: RunId | None, resolve_data: ResolveData) -> Call[Step]:
    parameters = {"runId": run_id, "resolveData": resolve_data}
    return Call("GET", f"/v1/steps/{segment(step_id)}", answer(Step), {**parameters})


def get_hook(hook_id: HookId, resolve_data: ResolveData) -> Call[Hook]:
    return Call("GET", f"/v1/hooks/{segment(hook_id)}", answer(Hook), {"resolveData": resolve_data})


def list_run_events(run_id: RunId, part: Listing) -> Call[Page[Event]]:
    return Call("GET", f"/v1/runs/{segment(run_id)}/events", answer(Page[Event]), query(Listing, part))


def list_events_by_correlation_id(
    identifier: EntityId | StepId | HookId | WaitId, filters: CorrelatedFilter
) -> Call[Page[Event]]:
    path = f"/v1/events/correlation/{segment(identifier)}"
    return Call("GET", path, answer(Page[Event]), query(CorrelatedFilter, filters))


def list_run_streams(run_id: RunId, part: Part) -> Call[Page[Stream]]:
    return Call("GET", f"/v1/runs/{segment(run_id)}/streams", answer(Page[Stream]), query(Part, part))


def read_run_stream(run_id: RunId, name: str, start_index: int, *, follow: bool) -> Call[None]:
    path = f"/v1/runs/{segment(run_id)}/streams/{segment(name)}"
    parameters = {"startIndex": str(start_index), "follow": str(follow).lower()}
    headers = (("accept", JSON_LINES),)
    return Call("GET", path, begins, {**parameters}, headers=headers, wait_ms=SILENCE_MS)


def begins(response: httpx.Response) -> None:
    """Read the head of an answer of lines."""
    if not response.headers.get("content-type", "").startswith(JSON_LINES):
        raise ValueError("The answer is not a stream of lines.")


def list_run_output(run_id: RunId, filters: OutputFilter, wait_ms: int) -> Call[OutputPage]:
    more = {"waitMs": wait_ms} if wait_ms else {}
    return Call(
        "GET",
        f"/v1/runs/{segment(run_id)}/output",
        answer(OutputPage),
        query(OutputFilter, filters, **more),
        repeatable=not wait_ms,
        wait_ms=wait_ms,
    )
