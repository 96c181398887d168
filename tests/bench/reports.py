"""Reports for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from bench.results import Report, Sample, Trouble

Medians: TypeAlias = Mapping[str, Mapping[str, float | Mapping[str, float]]]
"""Figures by World and shape; a number alone is the figure ``total``."""


def report(medians: Medians, *, late: Mapping[str, str] | None = None, **changes: Any) -> Report:
    """Make a report in which each figure was measured three times: as it is, a bit less and much more.

    Args:
        medians: What the medians are.
        late: Worlds that took too long, with the shape.
        changes: Other fields of the report.
    """
    samples = [
        sample(world, shape, **(figures if isinstance(figures, Mapping) else {"total": figures}), times=times)
        for world, shapes in medians.items()
        for shape, figures in shapes.items()
        for times in (3, 0.9, 1)
    ]
    troubles = [
        Trouble(world=world, shape=shape, problem="it takes too long", is_late=True)
        for world, shape in (late or {}).items()
    ]
    fields: dict[str, Any] = {
        "commit": "abc1234",
        "started": "2026-01-02 03:04",
        "seconds": 90,
        "machine": {"processor": "abacus, 2 cores"},
        "versions": {"workflow": "4.8.9"},
        "worlds": tuple(medians),
        "repeat": 3,
        "idle": {},
        "samples": tuple(samples),
        "troubles": tuple(troubles),
    }
    return Report(**{**fields, **changes})


def sample(world: str, shape: str, *, times: float = 1, **figures: float) -> Sample:
    return Sample(
        world=world,
        shape=shape,
        figures={name: times * value for name, value in figures.items()},
        cpu={"app": 0.5 * times, "worker": 0.25 * times},
        memory={"app": 100_000_000, "worker": int(110_000_000 + times * 1_000_000)},
        others_cpu=0.01,
    )
