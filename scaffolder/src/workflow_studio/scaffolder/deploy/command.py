"""``studio deploy`` and ``studio rollback``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import time
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.scaffolder.build.command import build_document, run_build, summary
from workflow_studio.scaffolder.build.packages import read_package_json
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.deploy.actions import (
    activate,
    check_access,
    environment_of,
    tell_active,
    upload,
    where,
)
from workflow_studio.scaffolder.options import complete_deployments, with_connection
from workflow_studio.scaffolder.output import get_output


def register(app: typer.Typer) -> None:
    """Add ``studio deploy`` and ``studio rollback``."""
    add(
        app,
        "deploy",
        deploy,
        examples=(
            "studio deploy                         to the worker on this machine",
            "studio deploy --profile production    to one of your config.toml",
            "studio deploy --environment staging   for the runs of that environment alone",
        ),
    )
    add(
        app,
        "rollback",
        rollback,
        examples=("studio rollback", "studio rollback --deployment-id dep_3f0c8d5e6b7a49218c0d1e2f3a4b5c6d"),
    )


def _is_an_app(directory: Path) -> None:
    read_package_json(directory.resolve() / "package.json")  # in the wrong folder no key is found either


@with_connection(first=_is_an_app, in_environment=True)
def deploy(*, directory: Path, connection: Connection) -> None:
    """Build, upload and activate this app's workflows."""
    output = get_output()
    started = time.monotonic()
    with connection.client() as client:
        check_access(client, ComputeScope.DEPLOY_WRITE)
    built = run_build(output, directory)
    with connection.client() as client:
        uploaded = upload(client, built.path, output)
        active = activate(client, uploaded.deployment_id, output)
    output.note(f"{summary(built)}; active at {where(connection)}")
    output.print(active.deployment_id)
    output.document(
        {
            **build_document(built),
            "status": active.status,
            "url": connection.url,
            "environment": environment_of(connection),
            "seconds": round(time.monotonic() - started, 2),
        }
    )


@with_connection(in_environment=True)
def rollback(
    *,
    deployment_id: Annotated[
        str | None,
        typer.Option(
            "--deployment-id",
            help="The deployment; the one that was active before this one by default.",
            autocompletion=complete_deployments,
        ),
    ] = None,
    connection: Connection,
) -> None:
    """Activate an earlier deployment again. Nothing is built or uploaded; runs that exist stay on theirs."""
    output = get_output()
    with connection.client() as client:
        active = activate(client, deployment_id, output) if deployment_id else client.rollback_deployment()
    tell_active(active, connection, output)
