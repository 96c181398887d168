"""What several commands ask a worker for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel

from workflow_studio.client import ScopeError
from workflow_studio.scaffolder.deploy.actions import deployments
from workflow_studio.scaffolder.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.client import ComputeClient, Event, Hook, Page, Step
    from workflow_studio.compute.api import ResolveData
    from workflow_studio.compute.ids import RunId

T = TypeVar("T", bound=BaseModel)

PAGE: Final = 500


def pages(ask: Callable[[int, str | None], Page[T]], most: int | None = None) -> list[T]:
    """Return a list's entries.

    Args:
        ask: Asks for a page, given its size and where it begins.
        most: How many are wanted; all of them if absent.
    """
    found: list[T] = []
    cursor: str | None = None
    while most is None or len(found) < most:
        page = ask(PAGE if most is None else min(PAGE, most - len(found)), cursor)
        found.extend(page.data)
        if not page.has_more or page.cursor is None:
            break
        cursor = page.cursor
    return found


def steps_of(client: ComputeClient, run_id: RunId, data: ResolveData = "none") -> list[Step]:
    """Return a run's steps, oldest first."""
    return pages(
        lambda limit, cursor: client.list_run_steps(
            run_id, limit=limit, cursor=cursor, sort_order="asc", resolve_data=data
        )
    )


def events_of(client: ComputeClient, run_id: RunId, data: ResolveData = "none") -> list[Event]:
    """Return a run's log, oldest first."""
    return pages(lambda limit, cursor: client.list_run_timeline(run_id, limit=limit, cursor=cursor, resolve_data=data))


def hooks_of(client: ComputeClient, run_id: RunId, data: ResolveData = "none") -> list[Hook]:
    """Return a run's live hooks."""
    return pages(lambda limit, cursor: client.list_run_hooks(run_id, limit=limit, cursor=cursor, resolve_data=data))


def workflow_id(client: ComputeClient, name: str) -> str:
    """Return the id of a workflow that a person named by its id or by the function's name.

    Raises:
        UsageError: If no deployment has such a function, or several workflows are called so.
    """
    if "//" in name:
        return name
    try:
        known = {workflow for deployment in deployments(client) for workflow in deployment.workflows}
    except ScopeError as error:
        raise UsageError(
            f"This key may not look up which workflow {name} is.",
            code="unknown_workflow",
            hint="Give the whole id, such as workflow//./workflows/order//processOrder, or use a key with deploy:read.",
        ) from error
    found: list[str] = sorted(workflow for workflow in known if workflow.rsplit("//", 1)[-1] == name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"Several workflows are called {name}.", code="ambiguous_workflow", hint="Give one id: " + ", ".join(found)
        )
    raise UsageError(
        f"No deployment of this worker has a workflow called {name}.",
        code="unknown_workflow",
        hint="`studio deployments show` lists those of a deployment. For runs of code that was deleted, give the whole "
        "id, such as workflow//./workflows/order//processOrder.",
    )
