"""Where a worker keeps its database, and how large things in it are."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.db.process import ask_database, location_arguments
from workflow_studio.scaffolder.injection import Shared, inject
from workflow_studio.scaffolder.output import Output


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker keeps its database, as options say it.

    Attributes:
        arguments: For the command line of the worker's code.
        database_url: The database, where an option names it.
    """

    arguments: tuple[str, ...]
    database_url: str | None

    def ask(self, output: Output, command: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command on the database; return its exit code and its document."""
        return ask_database(output, command, *self.arguments, *arguments, database_url=self.database_url)


_THOUSAND: Final = 1000.0
_PLACE: Final = (
    Shared(
        "data_dir",
        Annotated[Path | None, typer.Option("--data-dir", help="The worker's data folder; .workflow-studio/worker.")],
    ),
    Shared(
        "database_url",
        Annotated[
            str | None,
            typer.Option("--database-url", help="The database, where it is not in the data folder.", metavar="URL"),
        ],
    ),
    Shared(
        "settings_file",
        Annotated[
            Path | None,
            typer.Option("--settings", exists=True, dir_okay=False, help="The file with the worker's settings."),
        ],
    ),
    Shared("json", JsonFlag, default=False),
)


def with_place(command: Any) -> Any:
    """Give a command the options that say where the database is, as its argument ``place``."""
    return inject(command, ("place",), _PLACE, _choose)


def _choose(
    *,
    data_dir: Path | None,
    database_url: str | None,
    settings_file: Path | None,
    json: bool,  # noqa: ARG001 - read before the command runs
) -> dict[str, Any]:
    return {"place": Place(tuple(location_arguments(data_dir, settings_file)), database_url)}


def readable(number: int | None) -> str:
    """Return a number of bytes as people read it."""
    if number is None:
        return "-"
    value, units = float(number), iter(("KB", "MB", "GB", "TB"))
    unit = "bytes"
    while value >= _THOUSAND and (larger := next(units, None)):
        value, unit = value / _THOUSAND, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
