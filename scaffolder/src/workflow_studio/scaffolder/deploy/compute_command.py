"""``studio compute``: the single steps of a deployment."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.command import build
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.deploy.actions import activate, default_artifact, tell_active, upload
from workflow_studio.scaffolder.deploy.ownership_command import validate_ownership
from workflow_studio.scaffolder.operate.deployments import list_deployments
from workflow_studio.scaffolder.options import complete_deployments, with_connection
from workflow_studio.scaffolder.output import get_output

_HELP = "Single steps of a deployment, and who executes workflows."


def register(app: typer.Typer) -> None:
    """Add ``studio compute`` and its commands."""
    compute = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    add(compute, "build", build, examples=("studio compute build -C apps/web",))
    add(compute, "deploy", compute_deploy, examples=("studio compute build && studio compute deploy",))
    add(
        compute,
        "activate",
        compute_activate,
        examples=("studio compute activate --deployment-id dep_3f0c8d5e6b7a49218c0d1e2f3a4b5c6d",),
    )
    add(compute, "list", list_deployments, examples=("studio compute list", "studio compute list --json"))
    add(
        compute,
        "validate-ownership",
        validate_ownership,
        examples=(
            "studio compute validate-ownership",
            "studio compute validate-ownership --strict --app-url https://shop.example.com",
        ),
    )
    app.add_typer(compute, name="compute")


@with_connection(in_environment=True)
def compute_deploy(
    *,
    artifact: Annotated[
        Path | None, typer.Option("--artifact", help="The archive; .workflow-studio/dist/artifact.tgz by default.")
    ] = None,
    directory: Path,
    connection: Connection,
) -> None:
    """Upload an artifact; new runs do not use it yet. It begins with the variables of the active deployment."""
    output = get_output()
    with connection.client() as client:
        uploaded = upload(client, artifact or default_artifact(directory), output)
    output.note(f"Activate it: studio compute activate --deployment-id {uploaded.deployment_id}")
    output.print(uploaded.deployment_id)
    output.document({"deploymentId": uploaded.deployment_id, "status": uploaded.status, "url": connection.url})


@with_connection(in_environment=True)
def compute_activate(
    *,
    deployment_id: Annotated[
        str, typer.Option("--deployment-id", help="The deployment.", autocompletion=complete_deployments)
    ],
    connection: Connection,
) -> None:
    """Have new runs use a deployment."""
    output = get_output()
    with connection.client() as client:
        active = activate(client, deployment_id, output)
    tell_active(active, connection, output)
