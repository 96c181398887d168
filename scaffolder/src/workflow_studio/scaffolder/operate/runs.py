"""``studio runs``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DeploymentId, EnvironmentName, RunId
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.errors import ExitCode, StudioError
from workflow_studio.scaffolder.operate.fetch import events_of, hooks_of, pages, steps_of, workflow_id
from workflow_studio.scaffolder.operate.logs import show_logs
from workflow_studio.scaffolder.operate.moments import Moment
from workflow_studio.scaffolder.operate.run_details import run_document, show_details
from workflow_studio.scaffolder.operate.show import document, status, took, when
from workflow_studio.scaffolder.operate.timeline import short_name
from workflow_studio.scaffolder.operate.watch import MAX_INTERVAL, Watcher
from workflow_studio.scaffolder.operate.watch_display import display_for
from workflow_studio.scaffolder.options import (
    RunArgument,
    RunsArgument,
    complete_deployments,
    complete_environments,
    with_connection,
)
from workflow_studio.scaffolder.output import get_output

_SUMMARY = "Look at runs, watch, cancel, rerun and wake them."
RUN_ID = "wrun_01K0ABCDEFGHJKMNPQRSTVWXYZ"
_NOT_CANCELLED = frozenset({ErrorCode.RUN_NOT_FOUND, ErrorCode.RUN_FINISHED})
"""What is wrong with one run, and not with the command."""


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


IntervalOption = Annotated[
    float, typer.Option("--interval", min=0.05, max=60, help="Seconds between looks at a quiet run.")
]


def register(app: typer.Typer) -> None:
    """Add ``studio runs`` and its commands."""
    group = typer.Typer(
        help=_SUMMARY,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(
        group,
        "list",
        list_runs,
        examples=(
            "studio runs list --status failed",
            "studio runs list --workflow processOrder --since 24h --limit 100",
            "studio runs list --json | jq -r '.runs[].runId'",
        ),
    )
    add(group, "show", show_run, examples=(f"studio runs show {RUN_ID}",))
    add(
        group,
        "watch",
        watch_run,
        examples=(f"studio runs watch {RUN_ID}", f"studio runs watch {RUN_ID} --json | jq -c .event"),
    )
    add(
        group,
        "cancel",
        cancel_runs,
        examples=(
            f"studio runs cancel {RUN_ID}",
            "studio runs list --status running --json | jq -r '.runs[].runId' | xargs studio runs cancel",
        ),
    )
    add(
        group,
        "logs",
        show_logs,
        examples=(f"studio runs logs {RUN_ID} --level warn", f"studio runs logs {RUN_ID} --step charge --follow"),
    )
    add(
        group,
        "rerun",
        rerun_run,
        examples=(f"studio runs rerun {RUN_ID}", f"studio runs rerun {RUN_ID} --deployment latest --watch"),
    )
    add(group, "wake", wake_run, examples=(f"studio runs wake {RUN_ID}",))
    app.add_typer(group, name="runs")


@with_connection()
def list_runs(  # noqa: PLR0913 - one parameter per option of the command line
    *,
    state: Annotated[
        list[RunStatus] | None, typer.Option("--status", help="Only those that stand here; may be repeated.")
    ] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Only those of this function, or workflow id.")
    ] = None,
    deployment: Annotated[
        str | None,
        typer.Option("--deployment", metavar="ID", help="Only those of it.", autocompletion=complete_deployments),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            metavar="NAME",
            help="Only those that were started in it.",
            autocompletion=complete_environments,
            show_default=False,
        ),
    ] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")] = 20,
    connection: Connection,
) -> None:
    """List runs, newest first."""
    output = get_output()
    with connection.client() as client:
        name = None if workflow is None else workflow_id(client, workflow)
        place = None if deployment is None else DeploymentId(deployment)
        found = pages(
            lambda size, cursor: client.list_runs(
                workflow_name=name,
                status=state,
                deployment_id=place,
                environment=None if environment is None else EnvironmentName(environment),
                created_after=since,
                created_before=until,
                limit=size,
                cursor=cursor,
            ),
            limit,
        )
    if found:
        output.table(
            ("run", "workflow", "status", "created", "took", "deployment"),
            [
                (
                    run.run_id,
                    short_name(run.workflow_name),
                    status(run.status),
                    when(run.created_at),
                    took(run.created_at, run.completed_at),
                    run.deployment_id,
                )
                for run in found
            ],
        )
        if len(found) == limit:
            output.note(f"These are the newest {limit}; --limit shows more.")
    else:
        output.note(
            "There is no such run."
            if any((state, workflow, deployment, since, until))
            else "The worker has no run yet."
        )
    output.document({"runs": [document(run) for run in found]})


@with_connection()
def show_run(
    *,
    run: RunArgument,
    data: Annotated[bool, typer.Option("--data/--no-data", help="With arguments, results and payloads.")] = True,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="With the tokens of hooks; who has one can resume the run.")
    ] = False,
    connection: Connection,
) -> None:
    """Show a run: its steps as a timeline, its hooks, its result or error."""
    output = get_output()
    resolve: Literal["all", "none"] = "all" if data else "none"
    with connection.client() as client:
        found = client.get_run(RunId(run), resolve_data=resolve)
        steps = steps_of(client, RunId(run), resolve)
        events = events_of(client, RunId(run))
        hooks = [] if found.finished else hooks_of(client, RunId(run))
    show_details(output, found, steps, events, hooks, tokens=tokens)
    output.document(run_document(found, steps, events, hooks, tokens=tokens))


@with_connection()
def watch_run(*, run: RunArgument, interval: IntervalOption = MAX_INTERVAL, connection: Connection) -> int:
    """Watch a run until it ends: its events, steps and output as they come.

    Exit codes: 0 the run completed, 1 it failed or was cancelled, 130 you stopped watching (the run goes on). With
    --json every line is an object of its own, told apart by "type".
    """
    return _watch(connection, run, interval)


def _watch(connection: Connection, run: str, interval: float) -> int:
    with connection.client() as client, display_for(get_output()) as display:
        ended = Watcher(client, RunId(run), display, interval=interval).run()
    display.end(ended)
    return 0 if ended.status == "completed" else 1


@with_connection()
def rerun_run(
    *,
    run: RunArgument,
    deployment: Annotated[
        str | None,
        typer.Option(
            "--deployment",
            metavar="ID",
            help="On this one, or `latest`; that of the run by default.",
            autocompletion=complete_deployments,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch the new run until it ends.")] = False,
    interval: IntervalOption = MAX_INTERVAL,
    connection: Connection,
) -> int:
    """Start a run anew, with the same input.

    With --watch the exit code is that of `studio runs watch`.
    """
    output = get_output()
    with connection.client() as client:
        place = None if deployment is None else DeploymentId(deployment)
        started = client.rerun_run(RunId(run), deployment_id=place)
    if watch:
        output.note(f"{started.run_id} on {started.deployment_id}")
        return _watch(connection, started.run_id, interval)
    output.print(started.run_id)
    output.document(document(started))
    return 0


@with_connection()
def cancel_runs(*, runs: RunsArgument, connection: Connection) -> int:
    """Cancel runs: steps under way go on to their end, nothing follows them.

    Of several runs, one that is not there or has ended keeps none of the others from being cancelled; the exit code is
    1 then.
    """
    output = get_output()
    cancelled = []
    left: list[StudioError] = []
    for run in runs:
        try:
            with connection.client() as client:
                cancelled.append(client.cancel_run(RunId(run)))
        except StudioError as error:
            if len(runs) == 1 or error.code not in _NOT_CANCELLED:
                raise
            left.append(error)
            output.note(error.message, style="red")
        else:
            output.print(f"{cancelled[-1].run_id} {cancelled[-1].status}")
    shown: dict[str, Any] = {"runs": [document(run) for run in cancelled]}
    if left:
        summary = StudioError(f"{len(left)} of {len(runs)} runs were not cancelled.", code="not_all_cancelled")
        output.note(f"Error: {summary.message}", style="red")
        shown |= {"ok": False, "error": summary.to_json(), "failures": [error.to_json() for error in left]}
    output.document(shown)
    return ExitCode.FAILED if left else ExitCode.DONE


@with_connection()
def wake_run(*, run: RunArgument, connection: Connection) -> None:
    """End a run's sleeps now."""
    output = get_output()
    with connection.client() as client:
        woken = client.wake_run(RunId(run))
    count = woken.woken_waits
    output.print(f"{woken.run_id}: {count} sleep{'' if count == 1 else 's'} ended")
    output.document({"runId": woken.run_id, "wokenWaits": count})
