"""How fast is fast enough, against the other Worlds of the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.results import Report

FLOOR: Final = "memory"
RIVALS: Final = ("local", "postgres")
OURS: Final = ("studio-sqlite", "studio-postgres")

Against = Literal["the rivals", "the floor", "itself", "nothing"]


@dataclass(frozen=True)
class Verdict:
    """What became of one bar.

    Attributes:
        world: Which of ours.
        title: What was measured.
        against: What it is held against.
        limit: The most that is allowed, or the least where more is better; a ratio, milliseconds or bytes.
        value: What it is.
        more_is_better: Whether ``limit`` is the least.
        unit: ``x`` for ratios.
    """

    world: str
    title: str
    against: Against
    limit: float
    value: float
    more_is_better: bool = False
    unit: Literal["x", "ms", "MB"] = "x"

    @property
    def is_met(self) -> bool:
        """Whether it is good enough."""
        return self.value >= self.limit if self.more_is_better else self.value <= self.limit


@dataclass(frozen=True)
class _Bar:
    """The bars of some shapes."""

    shapes: tuple[str, ...]
    figure: str = "total"
    rivals: float | None = None
    floor: float | None = None
    milliseconds: float | None = None
    more_is_better: bool = False


_BARS: Final = (
    _Bar(("steps-0", "steps-1"), rivals=0.6, floor=2),
    _Bar(("steps-10", "steps-25", "steps-50", "steps-100"), rivals=0.45, floor=1.3),
    _Bar(("parallel-10", "parallel-50", "parallel-100", "parallel-500"), rivals=0.35, floor=0.5),
    _Bar(("fleet-200",), "runs per second", rivals=2.5, more_is_better=True),
    _Bar(("fleet-200",), "p99", rivals=0.5),
    _Bar(("stream-50", "stream-500"), "first chunk", rivals=0.3),
    _Bar(("stream-50", "stream-500"), rivals=0.3),
    _Bar(("start",), "returned", rivals=1),
    _Bar(("return-value",), "after the end", milliseconds=50),
    _Bar(("hook",), "going on", rivals=0.6),
    _Bar(("large-result", "ten-kilobytes"), rivals=0.6),
)
_LINEAR: Final = 1.5
_MEMORY: Final = (("worker", "idle", 120), ("worker", "under load", 250), ("executor", "idle", 170))


def verdicts(report: Report) -> list[Verdict]:
    """Return what became of every bar that the report has the figures for."""
    found: list[Verdict] = []
    for world in OURS:
        if world in report.worlds:
            for bar in _BARS:
                for shape in bar.shapes:
                    found += _verdicts_of(report, world, bar, shape)
            found += _linear(report, world)
            found += _memory(report, world)
    return found


def best_rival(report: Report, shape: str, figure: str, *, more_is_better: bool = False) -> float | None:
    """Return the better one of the rivals' medians."""
    better: Callable[[list[float]], float] = max if more_is_better else min
    medians = [found for rival in RIVALS if (found := report.median(rival, shape, figure)) is not None]
    return better(medians) if medians else None


def _verdicts_of(report: Report, world: str, bar: _Bar, shape: str) -> Iterator[Verdict]:
    value = report.median(world, shape, bar.figure)
    if value is None:
        return
    title = shape if bar.figure == "total" else f"{shape}, {bar.figure}"
    if bar.milliseconds is not None:
        yield Verdict(world, title, "nothing", bar.milliseconds, value, unit="ms")
    rival = best_rival(report, shape, bar.figure, more_is_better=bar.more_is_better)
    if bar.rivals is not None and rival:
        yield Verdict(world, title, "the rivals", bar.rivals, value / rival, bar.more_is_better)
    floor = report.median(FLOOR, shape, bar.figure)
    if bar.floor is not None and floor:
        yield Verdict(world, title, "the floor", bar.floor, value / floor, bar.more_is_better)


def _linear(report: Report, world: str) -> Iterator[Verdict]:
    early = report.median(world, "steps-100", "early step")
    late = report.median(world, "steps-100", "late step")
    if early and late:
        yield Verdict(world, "step 100 against step 10", "itself", _LINEAR, late / early)


def _memory(report: Report, world: str) -> Iterator[Verdict]:
    idle, peaks = report.idle.get(world, {}), report.peaks(world)
    for role, when, limit in _MEMORY:
        size = (idle if when == "idle" else peaks).get(role)
        if size is not None:
            yield Verdict(world, f"{role} {when}", "nothing", limit, size / 1e6, unit="MB")
