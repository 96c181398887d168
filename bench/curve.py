"""Reports on several workers as Markdown: how throughput grows with them, and what it takes."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from bench.figures import short
from bench.many import OURS, RIVAL, SLOTS, name_of
from bench.processes import POSTGRES
from bench.shapes import FLEETS
from bench.table import RATE, about, section, table, title_of, troubles, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.results import Report
    from bench.shapes import Shape

_BUSY: Final = 0.85
"""From which share of the cores on they are the limit: some of each is the rest of the machine's."""


def render_curve(report: Report) -> str:
    """Return all tables of a report on several workers."""
    shapes = [shape for shape in FLEETS if any(report.values(world, shape.name, RATE) for world in report.worlds)]
    sections = [about(report), *(section(shape.title, _throughput(report, shape)) for shape in shapes)]
    sections.append(section("Processor time of a run", _processor_time(report, shapes)))
    if report.troubles:
        sections.append(troubles(report))
    return "\n\n".join(sections) + "\n"


def cores_used(report: Report, world: str, shape: Shape) -> float | None:
    """Return how many cores the processes of a World kept at work, on average from the first start to the last end."""
    used = [
        sum(sample.cpu.values()) * sample.figures[RATE] / shape.size
        for sample in report.samples
        if (sample.world, sample.shape) == (world, shape.name)
    ]
    return median(used) if used else None


def _throughput(report: Report, shape: Shape) -> str:
    """Return a row for each number of processes, with both Worlds beside each other."""
    head = [f"processes with {SLOTS} places each"]
    for world in (OURS, RIVAL):
        head += [title_of(world), "of the first row", "p99", "cores at work"]
    rows = [
        [str(count), *_cells(report, shape, OURS, count), *_cells(report, shape, RIVAL, count)]
        for count in sorted(set(report.processes.values()))
    ]
    return f"{table(head, rows)}\n\n{_limit(report, shape)}"


def _cells(report: Report, shape: Shape, world: str, count: int) -> list[str]:
    name = name_of(world, count)
    rate = report.median(name, shape.name, RATE)
    p99 = report.median(name, shape.name, "p99")
    cores = cores_used(report, name, shape)
    if rate is None or p99 is None or cores is None:
        return [f"more than {shape.seconds} s" if report.late(name, shape.name) else "", "", "", ""]
    first = report.median(name_of(world, min(report.processes.values())), shape.name, RATE)
    growth = f"{short(rate / first)}x" if first else ""
    return [value_of(RATE, rate), growth, value_of("p99", p99), short(cores)]


def _limit(report: Report, shape: Shape) -> str:
    """Say in words what held the most workers back, as far as that was measured."""
    count = max(report.processes.values())
    name = name_of(OURS, count)
    cores = cores_used(report, name, shape)
    if cores is None or not report.cores:
        return "What the limit is was not measured."
    database = report.cpu(name, shape.name).get(POSTGRES, 0) / sum(report.cpu(name, shape.name).values())
    found = f"{_workers(count)} and all that belongs to them kept {short(cores)} of {report.cores} cores at work"
    if cores >= _BUSY * report.cores:
        reason = "the limit is the machine's cores, and not yet the database"
    else:
        reason = "cores were left over, so they are not the limit"
    return f"{found}: {reason}. PostgreSQL took {short(100 * database)} % of that processor time."


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _processor_time(report: Report, shapes: Iterable[Shape]) -> str:
    """Return what a run takes of the processors, by role."""
    rows: list[list[str]] = []
    roles = sorted({role for sample in report.samples for role in sample.cpu})
    for shape in shapes:
        for world in report.worlds:
            if seconds := report.cpu(world, shape.name):
                cells = [_milliseconds(seconds, role, shape) for role in roles]
                rows.append([f"{shape.title}: {_title(report, world)}", _milliseconds(seconds, None, shape), *cells])
    return table(["ms", "all", *roles], rows)


def _title(report: Report, world: str) -> str:
    count = report.processes[world]
    kind = next(kind for kind in (OURS, RIVAL) if name_of(kind, count) == world)
    return f"{title_of(kind)} x {count}"


def _milliseconds(seconds: Mapping[str, float], role: str | None, shape: Shape) -> str:
    value = sum(seconds.values()) if role is None else seconds.get(role)
    return "" if value is None else short(1000 * value / shape.size)
