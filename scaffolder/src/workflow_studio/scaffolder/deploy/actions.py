"""What the deploy commands do to a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, DeploymentId
from workflow_studio.scaffolder.build.artifact import ARTIFACT_PATH, STATE_DIR
from workflow_studio.scaffolder.errors import DeployError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.client import ComputeClient
    from workflow_studio.compute.api import Deployment
    from workflow_studio.compute.scopes import ComputeScope
    from workflow_studio.scaffolder.connection import Connection
    from workflow_studio.scaffolder.output import Output

_PAGE_SIZE = 100


def check_access(client: ComputeClient, scope: ComputeScope) -> None:
    """Make sure, before a build takes its time, that the worker answers and the key may do what is wanted.

    Raises:
        DeployError: If the key lacks the scope.
        ComputeClientError: If the worker does not answer, or does not take the key.
    """
    key = client.get_current_key()
    if not scope.granted_by(key.scopes):
        raise DeployError(
            f"The API key {key.key_id} lacks the scope {scope}.", code="missing_scope", hint="Use a key that has it."
        )


def upload(client: ComputeClient, artifact: Path, output: Output) -> Deployment:
    """Upload an artifact with a progress display; the worker checks it before it answers.

    Raises:
        UsageError: If there is no such file.
        ComputeClientError: If the worker refuses it.
    """
    if not artifact.is_file():
        raise UsageError(
            f"There is no artifact at {artifact}.", code="artifact_not_found", hint="Build it first: studio build"
        )
    shown = 0
    with output.progress("Uploading the artifact", total=artifact.stat().st_size, unit="bytes") as advance:

        def moved(sent: int, total: int) -> None:
            nonlocal shown
            advance(sent - shown, total=total)
            shown = sent

        return client.create_deployment(artifact, on_progress=moved)


def activate(client: ComputeClient, deployment_id: str, output: Output) -> Deployment:
    """Have new runs of the client's environment use a deployment."""
    with output.status(f"Activating {deployment_id}"):
        return client.activate_deployment(DeploymentId(deployment_id))


def deployments(client: ComputeClient) -> list[Deployment]:
    """Return every deployment of the worker, newest first."""
    found: list[Deployment] = []
    cursor: str | None = None
    while True:
        page = client.list_deployments(limit=_PAGE_SIZE, cursor=cursor)
        found.extend(page.data)
        if not page.has_more or page.cursor is None:
            return found
        cursor = page.cursor


def environment_of(connection: Connection) -> str:
    """Return the environment of the worker that a command is about."""
    return connection.environment or DEFAULT_ENVIRONMENT


def where(connection: Connection) -> str:
    """Return in a few words which worker a command is about, and which environment unless it is the default one."""
    environment = environment_of(connection)
    return connection.url if environment == DEFAULT_ENVIRONMENT else f"{connection.url} in {environment}"


def tell_active(active: Deployment, connection: Connection, output: Output) -> None:
    """Say which deployment new runs use from now on."""
    output.print(active.deployment_id)
    document = {"deploymentId": active.deployment_id, "status": active.status, "url": connection.url}
    output.document({**document, "environment": environment_of(connection)})


def default_artifact(directory: Path) -> Path:
    """Return where ``studio build`` writes the artifact of an app."""
    return directory / STATE_DIR / ARTIFACT_PATH
