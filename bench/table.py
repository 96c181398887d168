"""Reports as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.bars import FLOOR, OURS, best_rival, verdicts
from bench.figures import megabytes, milliseconds, percentile, short
from bench.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.bars import Verdict
    from bench.results import Report
    from bench.shapes import Shape

BEGIN: Final = "<!-- bench: begin -->"
END: Final = "<!-- bench: end -->"
"""What is between these two lines of a page is written anew."""

_TITLES: Final = {
    "memory": "in memory (floor)",
    "local": "world-local",
    "postgres": "world-postgres",
    "studio-sqlite": "Studio, SQLite",
    "studio-postgres": "Studio, PostgreSQL",
}
RATE: Final = "runs per second"
_UNITS: Final = {"x": "x", "ms": " ms", "MB": " MB"}


def render(report: Report) -> str:
    """Return all tables of a report."""
    sections = [
        about(report),
        section("Medians", _medians(report)),
        section("Bars", _bars(report)),
        section("Spread", _spread(report)),
        section("Processor time", _processor_time(report)),
        section("Memory", _memory(report)),
    ]
    if report.troubles:
        sections.append(troubles(report))
    return "\n\n".join(sections) + "\n"


def put_into(page: str, text: str) -> str:
    """Return the page with ``text`` between its markers.

    Raises:
        ValueError: The page does not have both markers, in their order.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{text}\n{END}{tail}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are numbers."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def title_of(world: str) -> str:
    """Return what people call a World."""
    return _TITLES.get(world, world)


def value_of(figure: str, value: float) -> str:
    """Return a figure's value with its unit."""
    return f"{short(value)}/s" if figure == RATE else milliseconds(value)


def figures_of(report: Report) -> Iterator[tuple[Shape, str, str]]:
    """Yield the shapes that were measured with each figure and a title for it."""
    for shape in SHAPES:
        for figure in shape.figures:
            measured = any(report.values(world, shape.name, figure) for world in report.worlds)
            late = any(report.late(world, shape.name) for world in report.worlds)
            if measured or late:
                yield shape, figure, shape.title if len(shape.figures) == 1 else f"{shape.title}: {figure}"


def section(title: str, text: str) -> str:
    """Return a section of a report."""
    return f"### {title}\n\n{text}"


def about(report: Report) -> str:
    """Return where the numbers come from."""
    lines = [f"Measured at commit `{report.commit}`, {report.started} UTC, in {report.seconds / 60:.0f} minutes."]
    lines += [f"- {name}: {value}" for name, value in report.machine.items()]
    if report.is_cold:
        lines.append("- turns: cold, each right after those of other Worlds")
    lines.append(f"- versions: {', '.join(f'{name} {version}' for name, version in report.versions.items())}")
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _medians(report: Report) -> str:
    """Return the table that people look at: a row for each figure, and how ours compares."""
    ours = [world for world in OURS if world in report.worlds]
    head = ["", *(title_of(world) for world in report.worlds)]
    head += [f"{title_of(world)}: of the better rival" for world in ours]
    if FLOOR in report.worlds:
        head += [f"{title_of(world)}: of the floor" for world in ours]
    rows: list[list[str]] = []
    for shape, figure, title in figures_of(report):
        row = [title, *(_median(report, world, shape, figure) for world in report.worlds)]
        rival = best_rival(report, shape.name, figure, more_is_better=figure == RATE)
        row += [_ratio(report.median(world, shape.name, figure), rival) for world in ours]
        if FLOOR in report.worlds:
            floor = report.median(FLOOR, shape.name, figure)
            row += [_ratio(report.median(world, shape.name, figure), floor) for world in ours]
        rows.append(row)
    return table(head, rows)


def _median(report: Report, world: str, shape: Shape, figure: str) -> str:
    value = report.median(world, shape.name, figure)
    if report.late(world, shape.name):
        return f"more than {shape.seconds} s"
    return "" if value is None else value_of(figure, value)


def _ratio(value: float | None, other: float | None) -> str:
    return "" if value is None or not other else f"{short(value / other)}x"


def _bars(report: Report) -> str:
    found = verdicts(report)
    if not found:
        return "No bar can be held against these figures."
    met = sum(verdict.is_met for verdict in found)
    rows = [
        [
            verdict.title,
            title_of(verdict.world),
            verdict.against,
            _limit(verdict),
            f"{short(verdict.value)}{_UNITS[verdict.unit]}",
            "met" if verdict.is_met else "**missed**",
        ]
        for verdict in found
    ]
    return f"{met} of {len(found)} are met.\n\n" + table(["", "World", "against", "bar", "measured", ""], rows)


def _limit(verdict: Verdict) -> str:
    least = "at least" if verdict.more_is_better else "at most"
    return f"{least} {short(verdict.limit)}{_UNITS[verdict.unit]}"


def _spread(report: Report) -> str:
    """Return percentiles and how many measurements they come from."""
    rows: list[list[str]] = []
    for shape, figure, title in figures_of(report):
        for world in report.worlds:
            values = report.values(world, shape.name, figure)
            if values:
                shares = [value_of(figure, percentile(values, share)) for share in (0.1, 0.5, 0.9, 0.99)]
                rows.append([title, title_of(world), str(len(values)), *shares])
    return table(["", "World", "measured", "p10", "p50", "p90", "p99"], rows)


def _processor_time(report: Report) -> str:
    """Return what a measurement takes of the processors: all of it, and by role."""
    rows: list[list[str]] = []
    for shape in SHAPES:
        cells: list[str] = []
        for world in report.worlds:
            seconds = report.cpu(world, shape.name)
            parts = ", ".join(f"{role} {short(value)}" for role, value in sorted(seconds.items()) if value > 0)
            cells.append(f"{short(sum(seconds.values()))} s ({parts})" if len(seconds) > 1 else parts)
        if any(cells):
            rows.append([shape.title, *cells])
    others = sum(sample.others_cpu for sample in report.samples)
    own = sum(sum(sample.cpu.values()) for sample in report.samples)
    note = f"While one World worked, the idle ones took {short(100 * others / own)} % as much." if own else ""
    head = ["Seconds", *(title_of(world) for world in report.worlds)]
    return table(head, rows) + (f"\n\n{note}" if note else "")


def _memory(report: Report) -> str:
    rows: list[list[str]] = []
    for world in report.worlds:
        peaks = report.peaks(world)
        for role, idle in sorted(report.idle.get(world, {}).items()):
            rows.append([title_of(world), role, megabytes(idle), megabytes(max(peaks.get(role, 0), idle))])
    return table(["World", "processes", "idle", "most"], rows)


def troubles(report: Report) -> str:
    """Return the section about what failed."""
    rows = [[title_of(trouble.world), trouble.shape, _cell(trouble.problem)] for trouble in report.troubles]
    return section("What could not be measured", table(["World", "shape", "problem"], rows))


def _cell(text: str) -> str:
    """Return a text so that it fits into a cell, whatever it holds."""
    return " ".join(text.split()).replace("|", "\\|")[:200]
