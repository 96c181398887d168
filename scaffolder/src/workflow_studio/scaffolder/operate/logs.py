"""``studio runs logs``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from workflow_studio.client import ComputeClient
from workflow_studio.compute.api import OutputLevel, OutputLine
from workflow_studio.compute.ids import RunId
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.operate.fetch import PAGE
from workflow_studio.scaffolder.operate.show import document
from workflow_studio.scaffolder.operate.timeline import short_name
from workflow_studio.scaffolder.operate.watch_display import LEVEL_STYLES, text_of
from workflow_studio.scaffolder.options import RunArgument, with_connection
from workflow_studio.scaffolder.output import get_output


class Level(StrEnum):
    """How urgent a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


_LEVELS: dict[Level, OutputLevel] = {
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.WARN: "warn",
    Level.ERROR: "error",
}


@with_connection()
def show_logs(
    *,
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    step: Annotated[
        str | None, typer.Option("--step", metavar="NAME", help="Only what this function, or step id, printed.")
    ] = None,
    level: Annotated[
        Level | None, typer.Option("--level", help="Only lines of this level and more urgent ones.")
    ] = None,
    connection: Connection,
) -> None:
    """Show what a run printed, oldest first: when, how urgent, by which step.

    With --follow and --json every line is an object of its own.
    """
    output = get_output()
    wanted = None if level is None else _LEVELS[level]
    shown: list[OutputLine] = []
    with connection.client() as client:
        dropped = client.list_run_output(RunId(run), limit=1).dropped
        if dropped:
            output.note(f"The oldest {dropped} lines of this run are not kept.")
        lines = client.follow_run_output(RunId(run), level=wanted) if follow else _kept(client, run, wanted)
        for line in lines:
            if step is not None and step not in {line.step_id, short_name(line.step_name or "")}:
                continue
            output.print(text_of(line), style=LEVEL_STYLES.get(line.level))
            if follow:
                output.line({"type": "output", "line": document(line)})
            else:
                shown.append(line)
    if not follow:
        if not shown and not dropped:
            output.note("There is no such line." if step or level else "The run has printed nothing.")
        output.document({"lines": [document(line) for line in shown], "dropped": dropped})


def _kept(client: ComputeClient, run: str, level: OutputLevel | None) -> Iterator[OutputLine]:
    cursor: str | None = None
    while True:
        page = client.list_run_output(RunId(run), level=level, limit=PAGE, cursor=cursor)
        yield from page.data
        cursor = page.cursor
        if not page.has_more or cursor is None:
            return
