"""``studio deployments env``: the variables of a deployment's code."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from dotenv.parser import parse_stream

from workflow_studio.client import Variables
from workflow_studio.compute.ids import DeploymentId
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.operate.show import document, when
from workflow_studio.scaffolder.options import DeploymentArgument, can_ask, with_connection
from workflow_studio.scaffolder.output import Output, get_output

_ID = "dep_3f0c8d5e6b7a49218c0d1e2f3a4b5c6d"  # of the examples
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of variables.", show_default=False)]


def register_environment(group: typer.Typer) -> None:
    """Add ``env`` and its commands to ``studio deployments``."""
    environment = typer.Typer(
        help="The variables of a deployment's code: set, unset, listed by name.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(environment, "list", list_variables, examples=(f"studio deployments env list {_ID}",))
    add(
        environment,
        "set",
        set_variables,
        examples=(
            f"STRIPE_KEY=… studio deployments env set {_ID} STRIPE_KEY",
            f"studio deployments env set {_ID} --env-file production.env",
            f"pass show stripe | studio deployments env set {_ID} STRIPE_KEY --stdin",
        ),
    )
    add(environment, "unset", unset_variables, examples=(f"studio deployments env unset {_ID} STRIPE_KEY",))
    group.add_typer(environment, name="env")


@with_connection()
def list_variables(*, deployment: DeploymentArgument, connection: Connection) -> None:
    """List the names of a deployment's variables; values cannot be read back."""
    output = get_output()
    with connection.client() as client:
        found = client.list_variables(DeploymentId(deployment))
    _show(output, found)


@with_connection()
def set_variables(
    *,
    deployment: DeploymentArgument,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Variables of this command's environment.", show_default=False),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", exists=True, dir_okay=False, help="A file with them, one NAME=value a line."),
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the value of the only NAME from standard input.")
    ] = False,
    connection: Connection,
) -> None:
    """Set variables of a deployment's code; those that are not named stay.

    Values come from this command's environment, a file, standard input or a prompt, never from the command line, where
    others would see them. Executors that run finish what they have, and others take their place.
    """
    output = get_output()
    values = {} if env_file is None else _read(env_file)
    values |= _values(names or [], from_stdin=stdin)
    if not values:
        raise UsageError("There is nothing to set.", hint="Name variables, or give a file with --env-file.")
    with connection.client() as client:
        found = client.set_variables(DeploymentId(deployment), dict(values))
    output.note(f"Set {', '.join(sorted(values))}.")
    _show(output, found)


@with_connection()
def unset_variables(*, deployment: DeploymentArgument, names: NamesArgument, connection: Connection) -> None:
    """Unset variables of a deployment's code."""
    output = get_output()
    with connection.client() as client:
        found = client.set_variables(DeploymentId(deployment), dict.fromkeys(names))
    output.note(f"Unset {', '.join(sorted(names))}.")
    _show(output, found)


def _values(names: list[str], *, from_stdin: bool) -> dict[str, str]:
    if given := [name for name in names if "=" in name]:
        # Not repeated: what follows the sign is the value.
        raise UsageError(
            f"{given[0].partition('=')[0]} is given with its value, which others can see on the command line.",
            code="secret_on_command_line",
            hint="Give the name alone and the value in the environment, with --stdin or in an --env-file.",
        )
    if from_stdin:
        if len(names) != 1:
            raise UsageError("--stdin takes the value of exactly one NAME.", hint="Use --env-file for several.")
        return {names[0]: sys.stdin.read().removesuffix("\n")}
    return {name: _value(name) for name in names}


def _value(name: str) -> str:
    if (value := os.environ.get(name)) is not None:
        return value
    if can_ask():
        answer: str = typer.prompt(f"Value of {name}", hide_input=True, err=True, default="", show_default=False)
        return answer
    raise UsageError(
        f"{name} is not in the environment of this command.",
        code="variable_missing",
        hint=f"Put it there, use --stdin, or --env-file. To take it away: studio deployments env unset … {name}",
    )


def _read(path: Path) -> dict[str, str]:
    try:
        bindings = list(parse_stream(io.StringIO(path.read_text(encoding="utf-8"))))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", code="invalid_env_file") from error
    for binding in bindings:
        if binding.error:
            text = binding.original.string
            # The parser counts the blank lines before a binding in.
            line = binding.original.line + len(text) - len(text.lstrip("\r\n"))
            raise UsageError(f"{path}:{line} is wrong.", code="invalid_env_file", hint="Write one NAME=value a line.")
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}


def _show(output: Output, found: Variables) -> None:
    if found.variables:
        output.table(
            ("variable", "set", "by"),
            [(variable.name, when(variable.updated_at), variable.updated_by or "") for variable in found.variables],
        )
    else:
        output.note("The deployment has no variables.")
    output.document(document(found))
