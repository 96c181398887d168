"""``studio audit``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from typing import Annotated

import typer

from workflow_studio.compute.ids import KeyId
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.operate.fetch import pages
from workflow_studio.scaffolder.operate.moments import Moment
from workflow_studio.scaffolder.operate.show import document, when
from workflow_studio.scaffolder.options import with_connection
from workflow_studio.scaffolder.output import get_output


def register(app: typer.Typer) -> None:
    """Add ``studio audit`` and its commands."""
    group = typer.Typer(help="Who changed what on the worker.", no_args_is_help=True, rich_markup_mode=None)
    add(
        group,
        "list",
        list_audit,
        examples=(
            "studio audit list --since 24h",
            "studio audit list --action activate_deployment --json",
            "studio audit list --target dep_3f0c8d5e6b7a49218c0d1e2f3a4b5c6d",
        ),
    )
    app.add_typer(group, name="audit")


@with_connection()
def list_audit(
    *,
    actor: Annotated[str | None, typer.Option("--actor", metavar="KEY", help="Only what this key did.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="ID", help="Only what was done to this.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Only this operation, such as activate_deployment.")
    ] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")] = 50,
    connection: Connection,
) -> None:
    """List the calls that changed something, or were refused to, newest first."""
    output = get_output()
    key = None if actor is None else KeyId(actor)
    with connection.client() as client:
        found = pages(
            lambda size, cursor: client.list_audit(
                actor=key, target=target, action=action, after=since, before=until, limit=size, cursor=cursor
            ),
            limit,
        )
    if found:
        output.table(
            ("at", "key", "action", "target", "result", "from"),
            [
                (
                    when(entry.at),
                    entry.actor,
                    entry.action,
                    entry.target or "",
                    (f"{entry.status} {entry.code}", "red") if entry.code else str(entry.status),
                    entry.address or "",
                )
                for entry in found
            ],
        )
        if len(found) == limit:
            output.note(f"These are the newest {limit}; --limit shows more.")
    else:
        output.note("There is no such entry.")
    output.document({"entries": [document(entry) for entry in found]})
