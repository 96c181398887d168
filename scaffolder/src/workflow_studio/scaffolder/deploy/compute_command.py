"""``studio compute``: the single steps of a deployment."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.command import DirectoryOption, build
from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.deploy.actions import activate, default_artifact, deployments, upload
from workflow_studio.scaffolder.deploy.command import KeyOption, UrlOption
from workflow_studio.scaffolder.deploy.connection import connect
from workflow_studio.scaffolder.output import get_output


def register(app: typer.Typer) -> None:
    """Add ``studio compute`` and its commands."""
    compute = typer.Typer(
        help="The single steps of a deployment: build, deploy, activate.", no_args_is_help=True, rich_markup_mode=None
    )
    compute.command("build", help="Build this app's workflows into an artifact.")(build)
    compute.command("deploy", help="Upload an artifact; new runs do not use it yet.")(compute_deploy)
    compute.command("activate", help="Have new runs use a deployment.")(compute_activate)
    compute.command("list", help="List the worker's deployments.")(compute_list)
    app.add_typer(compute, name="compute")


def compute_deploy(
    *,
    artifact: Annotated[
        Path | None, typer.Option("--artifact", help="The archive; .workflow-studio/dist/artifact.tgz by default.")
    ] = None,
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Upload an artifact; new runs do not use it yet."""
    output = get_output()
    connection = connect(directory, url=url, api_key=api_key)
    with connection.client() as client:
        uploaded = upload(client, artifact or default_artifact(directory), output)
    output.note(f"Activate it: studio compute activate --deployment-id {uploaded.deployment_id}")
    output.print(uploaded.deployment_id)
    output.document({"deploymentId": uploaded.deployment_id, "status": uploaded.status, "url": connection.url})


def compute_activate(
    *,
    deployment_id: Annotated[str, typer.Option("--deployment-id", help="The deployment.")],
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Have new runs use a deployment."""
    output = get_output()
    connection = connect(directory, url=url, api_key=api_key)
    with connection.client() as client:
        active = activate(client, deployment_id, output)
    output.print(active.deployment_id)
    output.document({"deploymentId": active.deployment_id, "status": active.status, "url": connection.url})


def compute_list(
    *,
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """List the worker's deployments, newest first."""
    output = get_output()
    connection = connect(directory, url=url, api_key=api_key)
    with connection.client() as client:
        known = deployments(client)
    if not known:
        output.note("The worker has no deployment yet. Make one: studio deploy")
    else:
        output.table(
            ("deployment", "status", "workflows", "workflow", "uploaded", "activated"),
            [
                (
                    entry.deployment_id,
                    entry.status,
                    str(len(entry.workflows)),
                    entry.sdk.workflow if entry.sdk else "",
                    _when(entry.created_at),
                    _when(entry.activated_at),
                )
                for entry in known
            ],
        )
    output.document({"deployments": [entry.model_dump(mode="json", exclude_none=True) for entry in known]})


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""
