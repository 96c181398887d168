"""``studio db backup`` and ``studio db restore``: a whole service in a folder, and back."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from workflow_studio.scaffolder.cli import add
from workflow_studio.scaffolder.db.place import Place, readable, with_place
from workflow_studio.scaffolder.output import Output, get_output


def register(group: typer.Typer) -> None:
    """Add the commands to ``studio db``."""
    add(
        group,
        "backup",
        with_place(backup),
        examples=("studio db backup /backup/studio", "studio db backup /backup/studio --include-keys"),
    )
    add(
        group,
        "restore",
        with_place(restore),
        examples=("studio db restore /backup/studio --data-dir /var/lib/workflow-studio",),
    )


def backup(
    *,
    folder: Annotated[
        Path,
        typer.Argument(help="A new folder, or one with an earlier backup.", file_okay=False, show_default=False),
    ],
    include_keys: Annotated[bool, typer.Option("--include-keys", help="Put the service's keys into it, too.")] = False,
    place: Place,
) -> int:
    """Copy a whole service into a folder, while its workers run.

    The copy is of one moment, and is verified. One with an earlier backup of the same service gets what is new, and the
    earlier one stays until that is complete. Keys are left out unless you ask for them: the master key, the one of
    variables, and the one of the first boot. PostgreSQL is copied by its pg_dump, which has to be installed.

    Exit codes: 0 done, 1 failed, 2 done without objects that the service has lost.
    """
    output = get_output()
    code, document = place.ask(output, "backup", str(folder), *(["--include-keys"] if include_keys else []))
    output.print(f"The backup is in {document['folder']}; its database has {readable(document['bytes'])}.")
    if document["objects"] is None:
        output.print("Objects are in a store of their own, and are not in it: have that store keep versions.")
    else:
        output.print(f"Objects: {document['objects']:,}, {document['copiedObjects']:,} of them copied now.")
    _tell_of_lost(output, document)
    if document["keys"]:
        output.print(f"Keep it as safe as its keys: {', '.join(document['keys'])}.")
    elif document["encrypted"]:
        output.print("The master key is not in it, and what is encrypted cannot be read without.")
    output.document(document)
    return code


def restore(
    *,
    folder: Annotated[
        Path, typer.Argument(help="The folder of the backup.", exists=True, file_okay=False, show_default=False)
    ],
    place: Place,
) -> None:
    """Put a backup back where no service is.

    All of it is verified first. The data folder must hold no database, and a PostgreSQL database no tables; nothing is
    replaced. A restore that is interrupted is run again. Never let workers run on a copy and on its original at once.
    """
    output = get_output()
    _, document = place.ask(output, "restore", str(folder))
    at = datetime.fromtimestamp(document["takenAt"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    output.print(f"The service is back as it was at {at}; its data folder is {document['dataDir']}.")
    if document["objects"] is None:
        output.print("Its objects were in a store of their own: have the settings name it.")
    _tell_of_lost(output, document)
    if document["masterKey"]:
        output.print(f"Set WORKFLOW_STUDIO_WORKER_MASTER_KEY to what is in {document['masterKey']}.")
    elif document["encrypted"]:
        output.print("Its workers need the same WORKFLOW_STUDIO_WORKER_MASTER_KEY as before.")
    output.document(document)


def _tell_of_lost(output: Output, document: dict[str, Any]) -> None:
    lost = document["missingObjects"]
    if lost:
        output.warn(f"{len(lost):,} objects are missing: the service had lost them itself, the first is {lost[0]}.")
