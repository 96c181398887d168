"""``python -m bench``: measure, show a report again, compare two."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import psutil
import typer
from pydantic import ValidationError

from bench import machine
from bench.building import WORK, alone, built_app
from bench.compare import compare as compared
from bench.curve import render_curve
from bench.driver import SECONDS_TO_REST, Driver
from bench.many import size_of, worlds_of
from bench.results import Report
from bench.shapes import BY_NAME, FLEETS, SHAPES
from bench.table import BEGIN, put_into, render
from bench.worlds import NEED_POSTGRES, WORLDS, MeasurementError, Surroundings
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bench.shapes import Shape
    from bench.worlds import Make

_REPEAT: Final = 10
_SHORT_REPEAT: Final = 2
_MOST_WORKERS: Final = 16
_SESSIONS: Final = 20
"""More than a worker or an app keeps with PostgreSQL."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _names(text: str | None, known: Collection[str], what: str) -> list[str]:
    """Return the names in a list with commas, in the order that is known."""
    wanted = {name.strip() for name in text.split(",")} if text else set(known)
    unknown = sorted(wanted - set(known))
    if unknown:
        raise typer.BadParameter(f"no {what}: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [name for name in known if name in wanted]


@app.callback(invoke_without_command=True)
def measure(  # noqa: PLR0913 - one parameter per option of the command line
    context: typer.Context,
    *,
    short: Annotated[bool, typer.Option("--short", help="Few cheap shapes, few times: does it run?")] = False,
    worlds: Annotated[str | None, typer.Option(help=f"Of {', '.join(WORLDS)}.")] = None,
    shapes: Annotated[str | None, typer.Option(help=f"Of {', '.join(BY_NAME)}.")] = None,
    repeat: Annotated[int | None, typer.Option(min=1, help="How often; dear shapes less, short ones more.")] = None,
    cold: Annotated[bool, typer.Option("--cold", help="One measurement in each turn, and it counts.")] = False,
    json: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    markdown: Annotated[Path | None, typer.Option(help=f"Where the tables go; after {BEGIN} if there is one.")] = None,
) -> None:
    """Measure Worlds side by side. It fails if a World does not do what it should, never for a time."""
    if context.invoked_subcommand is not None:
        return
    chosen = [BY_NAME[name] for name in _names(shapes, BY_NAME, "shapes")]
    if short and shapes is None:
        chosen = [shape for shape in SHAPES if shape.is_short]
    makers = {name: WORLDS[name] for name in _names(worlds, WORLDS, "Worlds")}
    chosen = [replace(shape, is_cold=cold) for shape in chosen]
    times = repeat or (_SHORT_REPEAT if short else _REPEAT)
    _run(makers, chosen, times, json or WORK / "report.json", markdown)


@app.command()
def workers(
    *,
    counts: Annotated[str, typer.Option(help=f"How many workers, each at most {_MOST_WORKERS}.")] = "1,2,3,4",
    short: Annotated[bool, typer.Option("--short", help="Few runs, once: does it run?")] = False,
    repeat: Annotated[int | None, typer.Option(min=1, help="How often; all of these are dear, so less.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    markdown: Annotated[Path | None, typer.Option(help=f"Where the tables go; after {BEGIN} if there is one.")] = None,
) -> None:
    """Measure how throughput grows with workers on one PostgreSQL."""
    chosen = [shape for shape in FLEETS if shape.is_short == short]
    makers = worlds_of(_counts(counts))
    times = repeat or (1 if short else _REPEAT)
    processes = {name: size_of(name) for name in makers}
    _run(makers, chosen, times, json or WORK / "workers.json", markdown, processes)


def _counts(text: str) -> list[int]:
    """Return the numbers in a list with commas, from the least to the most."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= _MOST_WORKERS for part in parts):
        raise typer.BadParameter(f"{text!r} is no list of numbers from 1 to {_MOST_WORKERS}, such as 1,2,4")
    return sorted({int(part) for part in parts})


def _run(
    makers: Mapping[str, Make],
    shapes: list[Shape],
    repeat: int,
    target: Path,
    markdown: Path | None,
    processes: Mapping[str, int] | None = None,
) -> None:
    """Measure, and say what came of it."""
    target.parent.mkdir(exist_ok=True)

    def keep(report: Report) -> None:
        target.write_text(report.model_dump_json(indent=1), encoding="utf-8")

    report = _measured(makers, shapes, repeat, keep, processes or {})
    _tell(f"The report is in {target}")
    _write(report, markdown)
    if broken := [trouble for trouble in report.troubles if not trouble.is_late or trouble.world.startswith("studio")]:
        for trouble in broken:
            _tell(f"{trouble.world} failed at {trouble.shape}: {trouble.problem}")
        raise typer.Exit(1)


@app.command()
def table(
    report: Annotated[Path, typer.Argument(help="A report of an earlier run.")],
    markdown: Annotated[Path | None, typer.Option(help="Where the tables go.")] = None,
) -> None:
    """Show a report's tables again."""
    _write(_read(report), markdown)


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="The report of the earlier run.")],
    new: Annotated[Path, typer.Argument(help="The report of the later run.")],
) -> None:
    """Show what has changed between two reports of one machine."""
    print(compared(_read(old), _read(new)), end="")


def _measured(
    makers: Mapping[str, Make],
    shapes: list[Shape],
    repeat: int,
    keep: Callable[[Report], None],
    processes: Mapping[str, int],
) -> Report:
    """Build, start, measure; keep what there is after each shape, as it may be the last one."""
    with ExitStack() as ends:
        ends.enter_context(alone(_tell))
        _tell("Building the app, unless that is done")
        built = built_app()
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="studio-bench-")))
        needs_postgres = processes or NEED_POSTGRES & makers.keys()
        sessions = 100 + _SESSIONS * sum(processes.values())
        options = ("-c", f"max_connections={sessions}") if processes else ()
        postgres = ends.enter_context(postgres_server(*options)) if needs_postgres else None
        around = Surroundings(app=built, folder=folder, postgres=postgres)
        report = Report(
            commit=machine.commit(),
            started=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            machine=machine.describe(folder),
            versions=machine.versions(built, postgres),
            worlds=tuple(makers),
            repeat=repeat,
            is_cold=any(shape.is_cold for shape in shapes),
            cores=psutil.cpu_count() or 0,
            processes=dict(processes),
        )
        rest = SECONDS_TO_REST if repeat > _SHORT_REPEAT else 0
        driver = Driver([make(name, around) for name, make in makers.items()], _tell, seconds_to_rest=rest)
        begun = time.monotonic()
        with driver.running():
            for shape in shapes:
                _tell(f"{time.monotonic() - begun:6.0f} s  {shape.name}")
                driver.measure(shape, repeat=repeat)
                found = {
                    "seconds": time.monotonic() - begun,
                    "idle": driver.idle,
                    "samples": tuple(driver.samples),
                    "troubles": tuple(driver.troubles),
                }
                report = report.model_copy(update=found)
                keep(report)
        return report


def _read(file: Path) -> Report:
    try:
        return Report.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise typer.BadParameter(f"{file} is no report: {error}") from error


def _write(report: Report, markdown: Path | None) -> None:
    """Print the tables, or put them into a page."""
    text = render_curve(report) if report.processes else render(report)
    if markdown is None:
        print(text, end="")
        return
    page = markdown.read_text(encoding="utf-8") if markdown.exists() else ""
    markdown.write_text(put_into(page, text) if BEGIN in page else text, encoding="utf-8")
    _tell(f"The tables are in {markdown}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run the command. What the helpers of the tests say of a failure is for people, and enough."""
    try:
        app()
    except (AssertionError, MeasurementError, OSError, subprocess.SubprocessError) as error:
        _tell(f"The benchmark did not run: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
