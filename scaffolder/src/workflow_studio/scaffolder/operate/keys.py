"""``studio keys``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from collections.abc import Iterator
from typing import Annotated

import typer

from workflow_studio.client import ApiKey, CreatedApiKey
from workflow_studio.compute.api import KeyState
from workflow_studio.compute.ids import KeyId
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.operate.fetch import pages
from workflow_studio.scaffolder.operate.show import document, status, when
from workflow_studio.scaffolder.options import YesOption, an_id, ask_worker, confirm, with_connection
from workflow_studio.scaffolder.output import Cell, Output, get_output

_ID = "key_01K0ABCDEFGHJKMNPQRSTVWXYZ"  # of the examples


def complete_keys(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Offer the newest keys."""
    for key in ask_worker(context, lambda client: client.list_keys(limit=50).data):
        if key.key_id.startswith(incomplete):
            yield key.key_id, key.name or key.state


KeyArgument = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="The key's id.", autocompletion=complete_keys, show_default=False, callback=an_id
    ),
]
DaysOption = Annotated[
    int | None,
    typer.Option(
        "--expires-in-days", min=1, max=3650, metavar="DAYS", help="How long the new key lives.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``studio keys`` and its commands."""
    group = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True, rich_markup_mode=None)
    add(
        group,
        "create",
        create_key,
        examples=(
            "studio keys create --scope world:proxy --name shop-app",
            "studio keys create --scope deploy:read --scope deploy:write --name ci --expires-in-days 90",
        ),
    )
    add(group, "list", list_keys, examples=("studio keys list", "studio keys list --state revoked --json"))
    add(group, "show", show_key, examples=(f"studio keys show {_ID}", "studio keys show current"))
    add(group, "rotate", rotate_key, examples=(f"studio keys rotate {_ID} --overlap 3600",))
    add(group, "revoke", revoke_key, examples=(f"studio keys revoke {_ID} --yes",))
    app.add_typer(group, name="keys")


@with_connection()
def create_key(
    *,
    scope: Annotated[list[ComputeScope], typer.Option("--scope", help="What it may do; may be repeated.")],
    name: Annotated[str | None, typer.Option("--name", help="What people call it.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Its project; that of your key by default.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Such as production; that of your key by default.")
    ] = None,
    expires_in_days: DaysOption = None,
    connection: Connection,
) -> None:
    """Make a key. Its secret is shown once, alone on standard output."""
    with connection.client() as client:
        made = client.create_key(
            list(scope), name=name, project_id=project, environment=environment, expires_in_days=expires_in_days
        )
    _show_secret(get_output(), made)


@with_connection()
def list_keys(
    *,
    state: Annotated[KeyState | None, typer.Option("--state", help="Only those that stand here.")] = None,
    connection: Connection,
) -> None:
    """List the worker's keys, newest first, without their secrets."""
    output = get_output()
    with connection.client() as client:
        found = pages(lambda limit, cursor: client.list_keys(state=state, limit=limit, cursor=cursor))
    if found:
        output.table(
            ("key", "name", "state", "scopes", "project", "environment", "expires", "last used"),
            [
                (
                    key.key_id,
                    key.name or "",
                    status(key.state),
                    " ".join(key.scopes),
                    key.project_id,
                    key.environment,
                    when(key.expires_at) or "never",
                    when(key.last_used_at) or "never",
                )
                for key in found
            ],
        )
    else:
        output.note("There is no such key.")
    output.document({"keys": [document(key) for key in found]})


@with_connection()
def show_key(*, key: KeyArgument, connection: Connection) -> None:
    """Show a key, without its secret; `current` is the one this command uses."""
    output = get_output()
    with connection.client() as client:
        found = client.get_current_key() if key == "current" else client.get_key(KeyId(key))
    output.facts(_facts(found))
    output.document({"key": document(found)})


@with_connection()
def rotate_key(
    *,
    key: KeyArgument,
    overlap: Annotated[
        int | None,
        typer.Option(
            "--overlap",
            min=0,
            max=30 * 24 * 3600,
            metavar="SECONDS",
            help="How much longer the old key goes on; a day by default, 0 ends it now.",
            show_default=False,
        ),
    ] = None,
    expires_in_days: DaysOption = None,
    connection: Connection,
) -> None:
    """Make a key that takes the place of another; that one goes on for a while. The secret is shown once."""
    with connection.client() as client:
        made = client.rotate_key(KeyId(key), overlap_seconds=overlap, expires_in_days=expires_in_days)
    _show_secret(get_output(), made)


@with_connection()
def revoke_key(
    *,
    key: KeyArgument,
    force: Annotated[bool, typer.Option("--force", help="Even if no other admin key works.")] = False,
    yes: YesOption = False,
    connection: Connection,
) -> None:
    """End a key at once and for ever."""
    output = get_output()
    confirm(f"Revoke {key} of the worker at {connection.url}, for ever?", yes=yes)
    with connection.client() as client:
        revoked = client.revoke_key(KeyId(key), force=force)
    output.print(f"{revoked.key_id} {revoked.state}")
    output.document({"key": document(revoked)})


def _facts(key: ApiKey) -> dict[str, Cell]:
    facts: dict[str, Cell] = {
        "Key": key.key_id,
        "Name": key.name or "",
        "State": status(key.state),
        "Scopes": " ".join(key.scopes),
        "Project": key.project_id,
        "Environment": key.environment,
        "Created": " by ".join(part for part in (when(key.created_at), key.created_by) if part),
        "Expires": when(key.expires_at) or "never",
        "Revoked": when(key.revoked_at),
        "Last used": when(key.last_used_at) or "never",
        "Replaces": key.replaces or "",
        "From": "the worker's settings" if key.from_settings else "",
    }
    return {name: cell for name, cell in facts.items() if cell}


def _show_secret(output: Output, made: CreatedApiKey) -> None:
    """Show a new key: what it is on standard error, the secret alone on standard output, for a pipe to keep it."""
    output.note(f"{made.key_id} may {', '.join(made.scopes)}; it expires {when(made.expires_at) or 'never'}.")
    if made.replaces:
        output.note(f"It replaces {made.replaces}, which goes on until {when(made.replaced_expires_at)}.")
    output.note("Keep the secret now: it is not shown again.")
    output.print(made.secret or "")
    output.document({"key": document(made)})
