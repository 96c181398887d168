"""``studio deployments``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from datetime import datetime
from typing import Annotated, Final

import typer

from workflow_studio.compute.ids import DeploymentId
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.deploy.actions import activate, deployments, tell_active
from workflow_studio.scaffolder.deploy.command import rollback
from workflow_studio.scaffolder.operate.environment import register_environment
from workflow_studio.scaffolder.operate.show import document, status, when
from workflow_studio.scaffolder.options import (
    DeploymentArgument,
    YesOption,
    complete_environments,
    confirm,
    with_connection,
)
from workflow_studio.scaffolder.output import Cell, get_output

_ID: Final = "dep_3f0c8d5e6b7a49218c0d1e2f3a4b5c6d"  # of the examples


def register(app: typer.Typer) -> None:
    """Add ``studio deployments`` and its commands."""
    group = typer.Typer(
        help="What is deployed, and which deployment new runs use.", no_args_is_help=True, rich_markup_mode=None
    )
    listing = ("studio deployments list", "studio deployments list --json | jq -r '.deployments[].deploymentId'")
    add(group, "list", list_deployments, examples=listing)
    add(group, "show", show_deployment, examples=(f"studio deployments show {_ID}",))
    add(
        group,
        "activate",
        activate_deployment,
        examples=(f"studio deployments activate {_ID}",),
    )
    add(group, "rollback", rollback, examples=("studio deployments rollback",))
    add(group, "delete", delete_deployment, examples=(f"studio deployments delete {_ID} --yes",))
    register_environment(group)
    app.add_typer(group, name="deployments")


@with_connection()
def list_deployments(
    *,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            metavar="NAME",
            help="Only the one that is active in it.",
            autocompletion=complete_environments,
            show_default=False,
        ),
    ] = None,
    connection: Connection,
) -> None:
    """List the worker's deployments, newest first, with the environments in which they are active."""
    output = get_output()
    with connection.client() as client:
        known = deployments(client)
    if environment is not None:
        known = [entry for entry in known if environment in entry.environments]
    if not known and environment is not None:
        output.note(f"No deployment is active in the environment {environment}.")
    elif not known:
        output.note("The worker has no deployment yet. Make one: studio deploy")
    else:
        output.table(
            ("deployment", "status", "live runs", "workflows", "workflow", "uploaded", "activated", "active in"),
            [
                (
                    entry.deployment_id,
                    status(entry.status),
                    str(entry.live_runs),
                    str(len(entry.workflows)),
                    entry.sdk.workflow if entry.sdk else "",
                    when(entry.created_at),
                    when(entry.activated_at),
                    ", ".join(entry.environments),
                )
                for entry in known
            ],
        )
    output.document({"deployments": [document(entry) for entry in known]})


@with_connection()
def show_deployment(*, deployment: DeploymentArgument, connection: Connection) -> None:
    """Show one deployment: what made it and what is in it."""
    output = get_output()
    with connection.client() as client:
        found = client.get_deployment(DeploymentId(deployment))
    facts: dict[str, Cell] = {
        "Deployment": found.deployment_id,
        "Status": status(found.status),
        "Active in": ", ".join(found.environments),
        "Live runs": str(found.live_runs),
        "Digest": found.digest,
        "Made with": f"workflow {found.sdk.workflow}, @workflow/core {found.sdk.core}" if found.sdk else "",
        "Node.js": found.node,
        "Uploaded": _by(found.created_at, found.created_by),
        "Activated": _by(found.activated_at, found.activated_by),
        "Retired": when(found.retired_at),
    }
    output.facts({name: cell for name, cell in facts.items() if cell})
    output.print()
    output.table(
        ("kind", "id"),
        [("workflow", name) for name in found.workflows] + [("step", name) for name in found.steps],
    )
    output.document({"deployment": document(found)})


@with_connection(in_environment=True)
def activate_deployment(*, deployment: DeploymentArgument, connection: Connection) -> None:
    """Have new runs use a deployment; runs that exist stay on theirs."""
    output = get_output()
    with connection.client() as client:
        active = activate(client, deployment, output)
    tell_active(active, connection, output)


@with_connection()
def delete_deployment(*, deployment: DeploymentArgument, yes: YesOption = False, connection: Connection) -> None:
    """Delete a deployment with its artifact and its variables; one that is active or has live runs is kept."""
    output = get_output()
    confirm(f"Delete {deployment} from the worker at {connection.url}?", yes=yes)
    with connection.client() as client:
        client.delete_deployment(DeploymentId(deployment))
    output.print(f"{deployment} deleted")
    output.document({"deploymentId": deployment, "deleted": True})


def _by(moment: datetime | None, key: str | None) -> str:
    return f"{when(moment)} by {key}" if moment and key else when(moment)
