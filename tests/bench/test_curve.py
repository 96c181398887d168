from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.curve import cores_used, render_curve
from bench.results import Sample, Trouble
from bench.shapes import FLEETS
from tests.bench.reports import report

if TYPE_CHECKING:
    from bench.results import Report

BUSY = next(shape for shape in FLEETS if shape.name == "busy-200")
SIZES = {"studio-postgres-1": 1, "studio-postgres-2": 2, "studio-postgres-3": 3, "postgres-1": 1, "postgres-3": 3}
RATES = {"studio-postgres-1": 20, "studio-postgres-2": 36, "studio-postgres-3": 40, "postgres-1": 10, "postgres-3": 12}


def grown(*, cores: int = 2, without: str = "", troubles: tuple[Trouble, ...] = ()) -> Report:
    """A report in which each run takes 50 ms of processor time, a fifth of them PostgreSQL's."""
    samples = tuple(
        Sample(
            world=world,
            shape="busy-200",
            figures={"runs per second": float(rate), "median": 900.0, "p99": 2000.0},
            cpu={"app": 8.0, "postgres": 2.0},
            memory={},
            others_cpu=0,
        )
        for world, rate in RATES.items()
        if world != without
    )
    return report({}, worlds=tuple(SIZES), processes=SIZES, cores=cores, samples=samples, troubles=troubles)


def test_throughput_is_told_by_number_of_workers_beside_the_reference() -> None:
    lines = render_curve(grown()).splitlines()
    assert "| 1 | 20.0/s | 1.00x | 2,000 ms | 1.00 | 10.0/s | 1.00x | 2,000 ms | 0.500 |" in lines
    assert "| 2 | 36.0/s | 1.80x | 2,000 ms | 1.80 |  |  |  |  |" in lines
    assert "| 3 | 40.0/s | 2.00x | 2,000 ms | 2.00 | 12.0/s | 1.20x | 2,000 ms | 0.600 |" in lines


def test_cores_at_work_are_processor_time_against_the_time_that_the_runs_took() -> None:
    assert cores_used(grown(), "studio-postgres-2", BUSY) == pytest.approx(10 / (200 / 36))
    assert cores_used(grown(without="studio-postgres-2"), "studio-postgres-2", BUSY) is None


@pytest.mark.parametrize(
    ("cores", "reason"),
    [(2, "the limit is the machine's cores, and not yet the database"), (8, "cores were left over")],
)
def test_the_report_says_whether_cores_are_the_limit(cores: int, reason: str) -> None:
    text = render_curve(grown(cores=cores))
    assert f"3 workers and all that belongs to them kept 2.00 of {cores} cores at work: {reason}" in text
    assert "PostgreSQL took 20.0 % of that processor time." in text


def test_processor_time_is_told_by_run_and_process() -> None:
    row = "| 200 runs of 3 steps that work: {} | 50.0 | 40.0 | 10.0 |"
    text = render_curve(grown())
    assert row.format("Studio, PostgreSQL x 3") in text
    assert row.format("world-postgres x 1") in text


def test_what_took_too_long_is_no_gap() -> None:
    trouble = Trouble(world="postgres-3", shape="busy-200", problem="it takes too long", is_late=True)
    text = render_curve(grown(without="postgres-3", troubles=(trouble,)))
    assert "| 2.00 | more than 120 s |  |  |  |" in text
    assert "| postgres-3 | busy-200 | it takes too long |" in text


def test_ours_that_was_not_measured_has_no_limit() -> None:
    assert "What the limit is was not measured." in render_curve(grown(without="studio-postgres-3"))
