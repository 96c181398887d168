from __future__ import annotations

from typing import Any

import pytest

from bench.bars import best_rival, verdicts
from bench.shapes import BY_NAME
from tests.bench.reports import Medians, report


def met(found: Medians, **changes: Any) -> dict[tuple[str, str], bool]:
    return {(verdict.title, verdict.against): verdict.is_met for verdict in verdicts(report(found, **changes))}


def test_ours_is_held_against_the_better_rival_and_the_floor() -> None:
    found = {
        "memory": {"steps-10": 80.0},
        "local": {"steps-10": 220.0},
        "postgres": {"steps-10": 240.0},
        "studio-sqlite": {"steps-10": 100.0},
    }
    (rivals, floor) = (v for v in verdicts(report(found)) if v.title == "steps-10")
    assert (rivals.limit, round(rivals.value, 3), rivals.is_met) == (0.45, 0.455, False)
    assert (floor.limit, round(floor.value, 3), floor.is_met) == (1.3, 1.25, True)


def test_both_of_ours_have_bars() -> None:
    found = {world: {"steps-0": 10.0} for world in ("local", "studio-sqlite", "studio-postgres")}
    assert {(v.world, v.title) for v in verdicts(report(found)) if v.unit == "x"} == {
        ("studio-sqlite", "steps-0"),
        ("studio-postgres", "steps-0"),
    }


def test_more_runs_per_second_are_better() -> None:
    found: dict[str, dict[str, dict[str, float]]] = {
        world: {"fleet-200": {"runs per second": rate, "p99": 1.0}}
        for world, rate in {"local": 18.0, "postgres": 21.0, "studio-sqlite": 53.0}.items()
    }
    judged = met(found)
    assert judged["fleet-200, runs per second", "the rivals"], "2.52 times the better one"
    assert not judged["fleet-200, p99", "the rivals"]
    found["studio-sqlite"] = {"fleet-200": {"runs per second": 52.0, "p99": 0.4}}
    judged = met(found)
    assert not judged["fleet-200, runs per second", "the rivals"]
    assert judged["fleet-200, p99", "the rivals"]


@pytest.mark.parametrize(("late", "is_met"), [(1.5, True), (1.6, False)])
def test_a_late_step_may_cost_little_more_than_an_early_one(late: float, is_met: bool) -> None:
    found = {"studio-sqlite": {"steps-100": {"early step": 1.0, "late step": late}}}
    assert met(found)["step 100 against step 10", "itself"] is is_met


def test_the_return_value_has_a_bar_of_its_own() -> None:
    assert met({"studio-sqlite": {"return-value": {"after the end": 50.0}}})["return-value, after the end", "nothing"]
    assert not met({"studio-sqlite": {"return-value": {"after the end": 51.0}}})[
        "return-value, after the end", "nothing"
    ]


def test_memory_is_judged_idle_and_under_load() -> None:
    idle = {"studio-sqlite": {"worker": 121_000_000, "executor": 169_000_000}}
    judged = met({"studio-sqlite": {"steps-0": 1.0}}, idle=idle)
    assert judged == {
        ("worker idle", "nothing"): False,
        ("worker under load", "nothing"): True,
        ("executor idle", "nothing"): True,
    }


def test_what_was_not_measured_is_not_judged() -> None:
    assert verdicts(report({"memory": {"steps-0": 1.0}, "local": {"steps-0": 1.0}})) == []


def test_a_rival_that_was_too_slow_leaves_the_other_one() -> None:
    found = report({"local": {}, "postgres": {"parallel-500": 9.0}}, late={"local": "parallel-500"})
    assert best_rival(found, "parallel-500", "total") == 9.0


def test_bars_are_for_figures_that_shapes_have() -> None:
    everything = {
        world: {name: dict.fromkeys(shape.figures, 1.0) for name, shape in BY_NAME.items()}
        for world in ("memory", "local", "studio-sqlite")
    }
    judged = {title.partition(",")[0] for title, _ in met(everything)}
    assert judged >= BY_NAME.keys(), "every shape has a bar"
