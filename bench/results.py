"""What a run of the benchmark found, as it is kept in a file."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sample(_Kept):
    """One measurement.

    Attributes:
        world: Of which World.
        shape: Of which shape.
        figures: Milliseconds, or runs per second, by name.
        cpu: Seconds of processor time that a measurement of its turn took, by the role of the processes.
        memory: The most memory that was seen in its turn, in bytes, by the role of the processes.
        others_cpu: Seconds of processor time that all other Worlds took meanwhile, likewise.
    """

    world: str
    shape: str
    figures: dict[str, float]
    cpu: dict[str, float]
    memory: dict[str, int]
    others_cpu: float


class Trouble(_Kept):
    """A measurement that came to nothing.

    Attributes:
        world: Of which World.
        shape: Of which shape.
        problem: What happened.
        is_late: It took longer than it may.
    """

    world: str
    shape: str
    problem: str
    is_late: bool


class Report(_Kept):
    """All of a run.

    Attributes:
        commit: What was measured; ends with ``+`` if the checkout had changes.
        started: When, in UTC.
        seconds: How long the measurements took.
        machine: What it ran on, in words, by name.
        versions: Of what took part, by name.
        worlds: The names of the Worlds, in the order of the table.
        repeat: What was asked for.
        is_cold: Whether a turn was one measurement; so it was before that was kept.
        cores: How many the machine has; 0 in reports of before that was kept.
        processes: How many workers or apps each World has, where that is what is compared.
        idle: Memory at rest, in bytes, by World and role.
        samples: What was measured.
        troubles: What could not be measured.
    """

    commit: str
    started: str
    seconds: float = 0
    machine: dict[str, str]
    versions: dict[str, str]
    worlds: tuple[str, ...]
    repeat: int
    is_cold: bool = True
    cores: int = 0
    processes: dict[str, int] = {}
    idle: dict[str, dict[str, int]] = {}
    samples: tuple[Sample, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    def values(self, world: str, shape: str, figure: str) -> list[float]:
        """Return all that was measured of one figure, from the least to the most."""
        return sorted(
            sample.figures[figure]
            for sample in self.samples
            if sample.world == world and sample.shape == shape and figure in sample.figures
        )

    def median(self, world: str, shape: str, figure: str) -> float | None:
        """Return the median of one figure, or None if it was not measured."""
        values = self.values(world, shape, figure)
        return median(values) if values else None

    def late(self, world: str, shape: str) -> bool:
        """Tell whether a World took too long for a shape."""
        return any(trouble.is_late and (trouble.world, trouble.shape) == (world, shape) for trouble in self.troubles)

    def cpu(self, world: str, shape: str) -> dict[str, float]:
        """Return the median of the seconds of processor time that a shape took, by role."""
        return {role: median(values) for role, values in _by_role(self._of(world, shape)).items()}

    def peaks(self, world: str) -> dict[str, int]:
        """Return the most memory that was seen in all of the run, by role."""
        found: dict[str, int] = defaultdict(int)
        for sample in self.samples:
            if sample.world == world:
                for role, size in sample.memory.items():
                    found[role] = max(found[role], size)
        return dict(found)

    def _of(self, world: str, shape: str) -> list[Sample]:
        return [sample for sample in self.samples if (sample.world, sample.shape) == (world, shape)]


def _by_role(samples: Iterable[Sample]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        for role, seconds in sample.cpu.items():
            found[role].append(seconds)
    return found
