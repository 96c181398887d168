"""``studio environments``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from typing import Annotated

import typer

from workflow_studio.compute.ids import EnvironmentName
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.operate.show import document, when
from workflow_studio.scaffolder.options import YesOption, an_id, complete_environments, confirm, with_connection
from workflow_studio.scaffolder.output import get_output


def register(app: typer.Typer) -> None:
    """Add ``studio environments`` and its commands."""
    group = typer.Typer(
        help="The environments of the worker, and what is active in each.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(group, "list", list_environments, examples=("studio environments list",))
    add(group, "delete", delete_environment, examples=("studio environments delete dev-ada --yes",))
    app.add_typer(group, name="environments")


@with_connection()
def list_environments(*, connection: Connection) -> None:
    """List the environments in which a deployment is active."""
    output = get_output()
    with connection.client() as client:
        found = list(client.iter_environments())
    if found:
        output.table(
            ("environment", "deployment", "activated", "by"),
            [(entry.name, entry.deployment_id, when(entry.activated_at), entry.activated_by or "") for entry in found],
        )
    else:
        output.note("No deployment is active anywhere on the worker. Make one: studio deploy")
    output.document({"environments": [document(entry) for entry in found]})


@with_connection()
def delete_environment(
    *,
    environment: Annotated[
        str,
        typer.Argument(
            metavar="ENVIRONMENT",
            help="Its name.",
            autocompletion=complete_environments,
            show_default=False,
            callback=an_id,
        ),
    ],
    yes: YesOption = False,
    connection: Connection,
) -> None:
    """Have no deployment be active in an environment any more. Its runs go on; deployments and other runs stay."""
    output = get_output()
    confirm(f"Delete the environment {environment} of the worker at {connection.url}?", yes=yes)
    with connection.client() as client:
        client.delete_environment(EnvironmentName(environment))
    output.print(f"{environment} deleted")
    output.document({"environment": environment, "deleted": True})
