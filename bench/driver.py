"""Goes round: every World measures a shape, then all of them again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.processes import Meter, memory
from bench.results import Sample, Trouble
from bench.shapes import WARM_UP
from bench.worlds import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.shapes import Shape
    from bench.worlds import World

Tell: TypeAlias = Callable[[str], None]
"""Takes a line for people."""

SECONDS_TO_REST: Final = 25
"""V8 gives memory back that it does not need after eight seconds or more without work."""


@dataclass
class Driver:
    """Measures shapes on Worlds that all run, one of them working at a time.

    Attributes:
        worlds: The Worlds, not started.
        tell: Called with lines for people.
        seconds_to_rest: How long they do nothing before their memory at rest is taken.
        samples: What was measured.
        troubles: What could not be measured.
        idle: Memory at rest in bytes, by World and role.
    """

    worlds: Sequence[World]
    tell: Tell
    seconds_to_rest: float = SECONDS_TO_REST
    samples: list[Sample] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    idle: dict[str, dict[str, int]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep all Worlds running, warm, and note what they take at rest."""
        with ExitStack() as ends:
            for world in self.worlds:
                ends.callback(world.stop)
                self._begin(world)
            time.sleep(self.seconds_to_rest)
            self.idle = {world.name: memory(world.roots()) for world in self.worlds}
            yield

    def measure(self, shape: Shape, *, repeat: int) -> None:
        """Measure one shape on all Worlds in turn, with another one first each time; dear ones less often than asked.

        A turn begins with a measurement that does not count, where it would show: else what is measured is also how
        much of a World the others have meanwhile driven out of the processor's caches. A service has no such others.
        """
        taking_part = list(self.worlds)
        for round_, times in enumerate(shape.turns(repeat)):
            first = round_ % len(self.worlds)
            for world in [*self.worlds[first:], *self.worlds[:first]]:
                if world in taking_part and not self._take_turn(world, shape, times):
                    taking_part.remove(world)

    def _take_turn(self, world: World, shape: Shape, times: int) -> bool:
        """Measure some times; a World that failed gets a new beginning and is left out for this shape."""
        try:
            self.samples += self._measured(world, shape, times)
        except MeasurementError as error:
            self.tell(f"{world.name}: {shape.name}: {error}")
            trouble = Trouble(world=world.name, shape=shape.name, problem=str(error), is_late=error.is_late)
            self.troubles.append(trouble)
            world.stop()
            self._begin(world)
            return False
        return True

    def _measured(self, world: World, shape: Shape, times: int) -> list[Sample]:
        """Measure a turn. Nobody looks at processes in the middle of it: that takes as long as what is short."""
        others = [other.roots() for other in self.worlds if other is not world]
        uncounted = 1 if shape.is_warmed_up else 0
        with Meter(world.roots(), others) as meter:
            found = [world.measure(shape, next(self._numbers)) for _ in range(uncounted + times)]
        return [
            Sample(
                world=world.name,
                shape=shape.name,
                figures=figures,
                cpu={role: seconds / len(found) for role, seconds in meter.cpu.items()},
                memory=meter.memory,
                others_cpu=meter.others_cpu / len(found),
            )
            for figures in found[uncounted:]
        ]

    def _begin(self, world: World) -> None:
        world.start()
        for shape in WARM_UP:
            world.measure(shape, next(self._numbers))
