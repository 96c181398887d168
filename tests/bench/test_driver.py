from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pytest

from bench import __main__ as command
from bench import machine
from bench.driver import Driver
from bench.processes import Meter
from bench.shapes import BY_NAME, WARM_UP, Shape
from bench.worlds import MeasurementError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.worlds import World

STEP = replace(BY_NAME["steps-1"], share=1)
COLD = replace(STEP, is_cold=True)


class Recorded:
    """A World that only writes down what it is asked for."""

    def __init__(self, name: str, log: list[str], *, fails: bool = False) -> None:
        self.name = name
        self.numbers: list[int] = []
        self._log = log
        self._fails = fails

    def start(self) -> None:
        self._log.append(f"{self.name} starts")

    def stop(self) -> None:
        self._log.append(f"{self.name} stops")

    def roots(self) -> dict[int, str]:
        return {os.getpid(): "app"}

    def measure(self, shape: Shape, number: int) -> dict[str, float]:
        self.numbers.append(number)
        self._log.append(f"{self.name} {shape.name}")
        if self._fails and shape.name == "fleet-200":
            raise MeasurementError("no end", is_late=True)
        return {"total": 1.0}


def driver_of(*worlds: Any) -> Driver:
    taking_part: list[World] = list(worlds)
    return Driver(taking_part, lambda _: None, seconds_to_rest=0)


def test_worlds_take_turns_with_another_first_each_time() -> None:
    log: list[str] = []
    driver = driver_of(*(Recorded(name, log) for name in "abc"))
    driver.measure(COLD, repeat=2)
    assert log == [f"{name} {COLD.name}" for name in [*"abc", *"bca"]]


def test_a_turn_is_some_measurements_after_one_that_does_not_count() -> None:
    log: list[str] = []
    driver = driver_of(Recorded("a", log), Recorded("b", log))
    driver.measure(STEP, repeat=6)
    assert STEP.in_a_row == 4
    assert log == [f"{name} {STEP.name}" for name in [*"aaaaabbbbb", *"bbbaaa"]]
    assert [sample.world for sample in driver.samples] == [*"aaaabbbb", *"bbaa"]


def test_processes_are_looked_at_around_a_turn_and_not_in_the_middle_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    class Watched(Meter):
        def __enter__(self) -> Self:
            log.append("look")
            return super().__enter__()

        def __exit__(self, *error: Any) -> None:  # noqa: PYI036 - handed on as it is
            super().__exit__(*error)
            log.append("look")
            self.cpu, self.others_cpu = {"app": 5.0}, 0.5

    monkeypatch.setattr("bench.driver.Meter", Watched)
    driver = driver_of(Recorded("a", log))
    driver.measure(STEP, repeat=4)
    assert log == ["look", *([f"a {STEP.name}"] * 5), "look"]
    assert [(sample.cpu, sample.others_cpu) for sample in driver.samples] == [({"app": 1.0}, 0.1)] * 4


def test_turns_can_be_left_cold() -> None:
    world = Recorded("a", [])
    driver = driver_of(world)
    driver.measure(COLD, repeat=2)
    assert world.numbers == [0, 1]
    assert len(driver.samples) == 2


@pytest.mark.parametrize(("name", "times"), [("steps-0", 20), ("steps-10", 10), ("steps-100", 7), ("fleet-200", 3)])
def test_a_shape_is_measured_as_often_as_its_share_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, times: int
) -> None:
    """Once the share was taken of what it had already been taken of."""
    monkeypatch.setattr(command, "alone", nullcontext)
    monkeypatch.setattr(command, "built_app", lambda: tmp_path)
    monkeypatch.setattr(command, "SECONDS_TO_REST", 0)
    monkeypatch.setattr(machine, "describe", lambda _: {})
    monkeypatch.setattr(machine, "versions", lambda *_: {})
    makers: dict[str, Any] = {"a": lambda *_: Recorded("a", [])}
    found = command._measured(makers, [BY_NAME[name]], 10, lambda _: None, {})
    assert [sample.shape for sample in found.samples] == [name] * times


def test_dear_shapes_are_measured_once_in_a_turn() -> None:
    world = Recorded("a", [])
    driver = driver_of(world)
    driver.measure(BY_NAME["parallel-500"], repeat=2)
    assert world.numbers == [0, 1]
    assert len(driver.samples) == 2


def test_every_measurement_has_a_number_of_its_own() -> None:
    a, b = Recorded("a", []), Recorded("b", [])
    driver = driver_of(a, b)
    with driver.running():
        driver.measure(STEP, repeat=3)
    assert len({*a.numbers, *b.numbers}) == len(a.numbers) + len(b.numbers)


def test_a_world_that_fails_begins_anew_and_is_left_out_of_that_shape() -> None:
    log: list[str] = []
    driver = driver_of(Recorded("a", log, fails=True), Recorded("b", log))
    driver.measure(BY_NAME["fleet-200"], repeat=2)
    assert log[:3] == ["a fleet-200", "a stops", "a starts"]
    assert log.count("a fleet-200") == 1
    assert log.count("b fleet-200") == 2
    (trouble,) = driver.troubles
    assert (trouble.world, trouble.shape, trouble.problem, trouble.is_late) == ("a", "fleet-200", "no end", True)
    driver.measure(STEP, repeat=1)
    assert {sample.world for sample in driver.samples if sample.shape == STEP.name} == {"a", "b"}


def test_all_worlds_run_as_long_as_one_measures_and_are_stopped_at_the_end() -> None:
    log: list[str] = []
    driver = driver_of(Recorded("a", log), Recorded("b", log))
    measuring = [f"{name} {shape}" for name in "ab" for shape in ("starts", *(shape.name for shape in WARM_UP))]
    with driver.running():
        assert log == measuring
        assert driver.idle.keys() == {"a", "b"}
    assert log[-2:] == ["b stops", "a stops"]


@pytest.mark.parametrize("name", ["steps-0", "fleet-200", "parallel-500"])
def test_dear_shapes_are_repeated_less_but_never_once_only(name: str) -> None:
    shape = BY_NAME[name]
    assert shape.repeats(10) == pytest.approx(10 * shape.share)
    assert shape.repeats(2) >= 2
    assert shape.repeats(1) >= 1
