"""``studio deploy`` and ``studio rollback``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import time
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.command import DirectoryOption, build_document, run_build, summary
from workflow_studio.scaffolder.build.packages import read_package_json
from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.deploy.actions import activate, deployments, previously_active, upload
from workflow_studio.scaffolder.deploy.connection import connect
from workflow_studio.scaffolder.output import get_output

UrlOption = Annotated[
    str | None, typer.Option("--url", help="The worker's URL; WORKFLOW_COMPUTE_BASE_URL, else http://localhost:8787.")
]
KeyOption = Annotated[
    str | None, typer.Option("--api-key", help="The worker's key; WORKFLOW_COMPUTE_API_KEY is safer: no shell history.")
]


def register(app: typer.Typer) -> None:
    """Add ``studio deploy`` and ``studio rollback``."""
    app.command("deploy", help="Build, upload and activate this app's workflows.")(deploy)
    app.command("rollback", help="Activate an earlier deployment again.")(rollback)


def deploy(
    *,
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Build, upload and activate this app's workflows."""
    output = get_output()
    started = time.monotonic()
    read_package_json(directory.resolve() / "package.json")  # in the wrong folder no key is found either
    connection = connect(directory, url=url, api_key=api_key)
    built = run_build(output, directory)
    with connection.client() as client:
        uploaded = upload(client, built.path, output)
        active = activate(client, uploaded.deployment_id, output)
    output.note(f"{summary(built)}; active at {connection.url}")
    output.print(active.deployment_id)
    output.document(
        {
            **build_document(built),
            "status": active.status,
            "url": connection.url,
            "seconds": round(time.monotonic() - started, 2),
        }
    )


def rollback(
    *,
    deployment_id: Annotated[
        str | None, typer.Option("--deployment-id", help="The deployment; the one active before this one by default.")
    ] = None,
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Activate an earlier deployment again. Nothing is built or uploaded; runs that exist stay on theirs."""
    output = get_output()
    connection = connect(directory, url=url, api_key=api_key)
    with connection.client() as client:
        chosen = deployment_id or previously_active(deployments(client)).deployment_id
        active = activate(client, chosen, output)
    output.print(active.deployment_id)
    output.document({"deploymentId": active.deployment_id, "status": active.status, "url": connection.url})
