"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DEAR: Final = 0.5
_FLEET: Final = ("runs per second", "median", "p99")


@dataclass(frozen=True)
class Shape:
    """One thing to measure.

    Attributes:
        name: What it is called on the command line and in reports.
        title: What people read.
        kind: What the app does, see ``app/server/measure.ts``.
        size: How much of it.
        figures: The figures that it gives and the table shows.
        share: How often it is repeated, against what is asked for: dear ones less.
        seconds: When a World is given up.
        is_short: Whether the short mode takes it.
        is_cold: Whether a turn is one measurement, which counts.
    """

    name: str
    title: str
    kind: str
    size: int
    figures: tuple[str, ...] = ("total",)
    share: float = 1
    seconds: int = 60
    is_short: bool = False
    is_cold: bool = False

    @property
    def is_warmed_up(self) -> bool:
        """Whether a turn begins with a measurement that does not count; a dear one is soon warm by itself."""
        return not self.is_cold and self.share >= _DEAR

    @property
    def in_a_row(self) -> int:
        """How many measurements count in one turn of a World."""
        if not self.is_warmed_up:
            return 1
        return 4 if self.share >= 1 else 2

    def repeats(self, wanted: int) -> int:
        """Return how often to measure it; twice is the least that a median is worth."""
        return max(1 if wanted == 1 else 2, round(wanted * self.share))

    def turns(self, wanted: int) -> list[int]:
        """Return how many measurements count in each turn of a World."""
        repeats = self.repeats(wanted)
        return [min(self.in_a_row, repeats - done) for done in range(0, repeats, self.in_a_row)]


SHAPES: Final = (
    Shape("steps-0", "no step", "nothing", 0, share=2, is_short=True),
    Shape("steps-1", "1 step", "sequential", 1, share=2, is_short=True),
    Shape("steps-10", "10 sequential steps", "sequential", 10, is_short=True),
    Shape("steps-25", "25 sequential steps", "sequential", 25),
    Shape("steps-50", "50 sequential steps", "sequential", 50),
    Shape("steps-100", "100 sequential steps", "sequential", 100, ("total", "early step", "late step"), 0.7),
    Shape("parallel-10", "10 parallel steps", "parallel", 10, is_short=True),
    Shape("parallel-50", "50 parallel steps", "parallel", 50),
    Shape("parallel-100", "100 parallel steps", "parallel", 100, share=0.7),
    Shape("parallel-500", "500 parallel steps", "parallel", 500, share=0.3, seconds=180),
    Shape("fleet-200", "200 runs x 3 steps", "fleet", 200, _FLEET, 0.3, 120),
    Shape("stream-50", "stream of 50 chunks", "stream", 50, ("first chunk", "total"), is_short=True),
    Shape("stream-500", "stream of 500 chunks", "stream", 500, ("first chunk", "total"), share=0.5),
    Shape("start", "`start()` returned", "start", 0, ("returned",), is_short=True),
    Shape("return-value", "`run.returnValue` after the end", "return-value", 0, ("after the end",)),
    Shape("hook", "hook resume", "hook", 0, ("going on", "returned"), share=1.5, is_short=True),
    Shape("large-result", "a step with a 1 MB result", "large-result", 1_000_000),
    Shape("ten-kilobytes", "50 steps of 10 kB", "ten-kilobytes", 50),
)
"""In the order of the table."""

FLEETS: Final = (
    Shape("waiting-96", "96 runs of 3 steps that wait 0.5 s", "waiting-fleet", 96, _FLEET, 0.2, 120),
    Shape("busy-200", "200 runs of 3 steps that work", "fleet", 200, _FLEET, 0.2, 120),
    Shape("waiting-20", "20 runs of 3 steps that wait 0.5 s", "waiting-fleet", 20, _FLEET, 0.2, is_short=True),
)
"""What several workers measure; what waits comes first, and warms them up. The short mode takes what is short alone."""

WARM_UP: Final = (
    Shape("one", "1 step", "sequential", 1),
    *(Shape("many", "runs of 3 steps", "fleet", 50, _FLEET) for _ in range(3)),
    Shape("ten", "10 sequential steps", "sequential", 10),
)
"""What every World does before anything counts: modules are loaded, and code is compiled as in a service that has been
running for a while."""

BY_NAME: Final = {shape.name: shape for shape in SHAPES}
