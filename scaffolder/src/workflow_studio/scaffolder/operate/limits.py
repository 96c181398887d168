"""``studio limits``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import re
from typing import Annotated, Final

import typer

from workflow_studio.client import Limits
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.operate.show import document, when
from workflow_studio.scaffolder.options import with_connection
from workflow_studio.scaffolder.output import Output, get_output

_REPORT: Final = "workflow:workflow//./workflows/report//makeReport"  # of the examples
_NAME: Final = re.compile(r"(workflow|deployment|key):.+")


def _a_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not the name of a limit.",
            code="invalid_limit",
            hint="Write workflow:, deployment: or key:, and a name, or * for every other one.",
        )
    return name


NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="workflow:, deployment: or key:, and a name or *.", show_default=False, callback=_a_name
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``studio limits`` and its commands."""
    group = typer.Typer(
        help="How many steps all workers together work on at a time.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(group, "list", list_limits, examples=("studio limits list",))
    add(group, "set", set_limit, examples=(f"studio limits set {_REPORT} 2", "studio limits set 'key:*' 1"))
    add(group, "remove", remove_limit, examples=(f"studio limits remove {_REPORT}",))
    app.add_typer(group, name="limits")


@with_connection()
def list_limits(*, connection: Connection) -> None:
    """List the limits that count."""
    with connection.client() as client:
        found = client.list_limits()
    _show(get_output(), found)


@with_connection()
def set_limit(
    *,
    name: NameArgument,
    most: Annotated[
        int,
        typer.Argument(
            metavar="STEPS", min=0, max=1_000_000, help="How many there may be; 0 lets none begin.", show_default=False
        ),
    ],
    connection: Connection,
) -> None:
    """Set a limit, for all workers of the service at once."""
    output = get_output()
    with connection.client() as client:
        found = client.set_limits({name: most})
    output.note(f"{name} is {most} now.")
    _show(output, found)


@with_connection()
def remove_limit(*, name: NameArgument, connection: Connection) -> None:
    """Remove a limit; what the workers' settings say of it counts again."""
    output = get_output()
    with connection.client() as client:
        found = client.set_limits({name: None})
    left = next((limit for limit in found.limits if limit.name == name), None)
    output.note(f"{name} is removed." if left is None else f"{name} is {left.most} again, by the settings.")
    _show(output, found)


def _show(output: Output, found: Limits) -> None:
    if found.limits:
        output.table(
            ("limit", "steps", "set", "by"),
            [
                (limit.name, str(limit.most), when(limit.updated_at), limit.updated_by or _origin(limit.from_settings))
                for limit in found.limits
            ],
        )
    else:
        output.note("Nothing is limited.")
    output.document(document(found))


def _origin(from_settings: bool) -> str:  # noqa: FBT001 - a field of the answer
    return "settings" if from_settings else ""
