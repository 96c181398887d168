"""``studio db``: work on a worker's database."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from typing import Annotated, Any

import typer

from workflow_studio.scaffolder.cli import JsonFlag, add
from workflow_studio.scaffolder.db import backups
from workflow_studio.scaffolder.db.place import Place, readable, with_place
from workflow_studio.scaffolder.db.process import ask_database
from workflow_studio.scaffolder.options import YesOption, confirm
from workflow_studio.scaffolder.output import Output, get_output


def register(app: typer.Typer) -> None:
    """Add ``studio db`` and its commands."""
    group = typer.Typer(
        help="Upgrade, check, move and back up a worker's database.", no_args_is_help=True, rich_markup_mode=None
    )
    add(
        group,
        "current",
        with_place(current),
        examples=("studio db current", "studio db current --database-url postgresql://studio@db/studio"),
    )
    add(group, "check", with_place(check), examples=("studio db check --settings /etc/workflow-studio.env",))
    add(group, "upgrade", with_place(upgrade), examples=("studio db upgrade --dry-run", "studio db upgrade"))
    add(group, "size", with_place(size), examples=("studio db size", "studio db size --json"))
    add(group, "forget-key", with_place(forget_key), examples=("studio db forget-key --yes",))
    add(
        group,
        "copy",
        copy,
        examples=("studio db copy sqlite:///.workflow-studio/worker/worker.db postgresql://studio@db/studio",),
    )
    backups.register(group)
    app.add_typer(group, name="db")


def current(*, place: Place) -> None:
    """Say which schema the database has, and what is missing."""
    output = get_output()
    _, document = place.ask(output, "current")
    _show(output, document)
    output.document(document)


def check(*, place: Place) -> int:
    """Say whether the database needs an upgrade.

    Exit codes: 0 up to date, 1 this version cannot use it, 4 an upgrade is needed.
    """
    output = get_output()
    code, document = place.ask(output, "check")
    _show(output, document)
    output.document(document)
    return code


def upgrade(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the SQL.")] = False,
    place: Place,
) -> None:
    """Apply the migrations that are missing.

    A worker does the same when it starts. Migrations that are additive are applied beside running workers; others
    need the database for themselves, and are refused while a worker uses it.
    """
    output = get_output()
    _, document = place.ask(output, "upgrade", *(["--dry-run"] if dry_run else []))
    if dry_run:
        output.print(document["sql"] or "-- Nothing to do.")
    else:
        _show(output, document)
        for step in document["applied"]:
            output.print(f"Applied {step['revision']}: {step['title']}")
    output.document(document)


def size(*, place: Place) -> None:
    """Say how large the database is, and what retention would delete.

    Workers may use the database meanwhile. What would be deleted follows from the same settings as theirs, the
    WORKFLOW_STUDIO_WORKER_RETAIN_… variables or --settings.
    """
    output = get_output()
    _, document = place.ask(output, "size")
    about = "about " if document["rowsAreEstimates"] else ""
    rows = [(table["name"], f"{about}{table['rows']:,}", readable(table["bytes"])) for table in document["tables"]]
    output.table(
        ("TABLE", "ROWS", "SIZE"), [row for row, table in zip(rows, document["tables"], strict=True) if table["rows"]]
    )
    free = "" if document["freeBytes"] is None else f", {readable(document['freeBytes'])} of it free for new rows"
    output.print(f"The database has {readable(document['bytes'])}{free}.")
    stored, expired = document["objects"], document["expired"]
    output.print(
        f"Objects: {stored['count']:,} with {readable(stored['bytes'])}, {stored['unusedCount']:,} of them unused."
    )
    output.print(
        f"Retention would delete {expired['runs']:,} runs, the output of {expired['outputs']:,} and "
        f"the chunks of {expired['streams']:,} streams."
    )
    output.document(document)


def forget_key(*, yes: YesOption = False, place: Place) -> None:
    """Let the next worker decide which master key the service has.

    For a master key that is lost, or is to be replaced. What was sealed under it cannot be read without it: payloads
    and output of encrypted runs, and variables of deployments, which have to be set again. All workers must be stopped.
    """
    output = get_output()
    confirm("Forget the master key? What was sealed under it stays unreadable without it.", yes=yes)
    _, document = place.ask(output, "forget-key")
    output.print("The next worker decides." if document["forgotten"] else "There was no master key to forget.")
    output.document(document)


def copy(
    *,
    source: Annotated[
        str, typer.Argument(help="The database that is copied: a URL, or an SQLite file.", show_default=False)
    ],
    target: Annotated[str, typer.Argument(help="An empty database, which it is copied to.", show_default=False)],
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Copy a whole service to another database.

    No worker may use either of them. Every run is verified by a digest at both ends. A copy that is interrupted goes on
    where it ended when the command is run again, and no worker starts on the target before all of it is there.

    Payloads and variables are copied as they are: if they are encrypted, the workers of the target need the same
    WORKFLOW_STUDIO_WORKER_MASTER_KEY.
    """
    output = get_output()
    _, document = ask_database(output, "copy", source, target)
    output.print(f"{document['runs']} runs are in the target and verified; {document['copied']} were copied now.")
    output.print(f"Rows: {', '.join(f'{count} {table}' for table, count in document['rows'].items() if count)}")
    if document["bring"]:
        output.print("Copy these to the data folder of the new workers, too:")
        for path in document["bring"]:
            output.print(f"  {path}")
    output.print("If there is a master key, the new workers need the same one.")
    output.document(document)


def _show(output: Output, document: dict[str, Any]) -> None:
    known = document["knows"]
    output.print(
        {
            "empty": "The database has no schema yet.",
            "current": f"The database has the schema {document['schema']}, the newest.",
            "newer": f"The database has the schema {document['schema']}; this version knows {known} and can use it.",
            "outdated": f"The database has the schema {document['schema']}; the newest is {known}.",
            "refused": document.get("reason", ""),
        }[document["status"]]
    )
    for step in document["pending"]:
        beside = "beside running workers" if step["additive"] else "with all workers stopped"
        output.print(f"  {step['revision']}  {step['title']} ({beside})")
