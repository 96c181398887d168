from __future__ import annotations

import pytest

from bench.compare import compare
from bench.results import Report, Trouble
from bench.table import BEGIN, END, put_into, render
from tests.bench.reports import Medians, report

FOUND: Medians = {
    "memory": {"steps-10": 80.0, "fleet-200": {"runs per second": 56.0}},
    "local": {"steps-10": 214.0, "fleet-200": {"runs per second": 18.0}},
    "studio-sqlite": {"steps-10": 96.3, "fleet-200": {"runs per second": 45.0}},
}


def test_the_medians_are_beside_each_other_and_compared() -> None:
    lines = render(report(FOUND)).splitlines()
    assert "| 10 sequential steps | 80.0 ms | 214 ms | 96.3 ms | 0.450x | 1.20x |" in lines
    assert "| 200 runs x 3 steps: runs per second | 56.0/s | 18.0/s | 45.0/s | 2.50x | 0.804x |" in lines


def test_a_report_says_where_the_numbers_come_from() -> None:
    text = render(report(FOUND))
    assert "`abc1234`" in text
    assert "- processor: abacus, 2 cores" in text
    assert "workflow 4.8.9" in text


def test_a_report_says_whether_turns_were_cold() -> None:
    found = report(FOUND)
    assert "- turns: cold" in render(found)
    assert "turns" not in render(found.model_copy(update={"is_cold": False}))


def test_the_bars_say_what_is_missed() -> None:
    text = render(report({**FOUND, "studio-sqlite": {"steps-10": 100.0}}))
    row = "| steps-10 | Studio, SQLite | {} | at most {} | {} | {} |"
    assert row.format("the rivals", "0.450x", "0.467x", "**missed**") in text
    assert row.format("the floor", "1.30x", "1.25x", "met") in text


def test_the_spread_says_how_often_was_measured() -> None:
    assert "| 10 sequential steps | world-local | 3 | 193 ms | 214 ms | 642 ms | 642 ms |" in render(report(FOUND))


def test_processor_time_is_told_by_process() -> None:
    assert "| 10 sequential steps | 0.750 s (app 0.500, worker 0.250) |" in render(report(FOUND))


def test_memory_is_the_most_that_was_seen() -> None:
    idle = {"studio-sqlite": {"worker": 90_000_000, "executor": 150_000_000}}
    text = render(report(FOUND, idle=idle))
    assert "| Studio, SQLite | worker | 90 MB | 113 MB |" in text
    assert "| Studio, SQLite | executor | 150 MB | 150 MB |" in text


def test_a_world_that_is_too_slow_is_no_gap_in_the_table() -> None:
    text = render(report({"memory": {"parallel-500": 9.0}, "local": {}}, late={"local": "parallel-500"}))
    assert "| 500 parallel steps | 9.00 ms | more than 180 s |" in text
    assert "| world-local | parallel-500 | it takes too long |" in text


def test_a_problem_stays_in_its_cell() -> None:
    trouble = Trouble(world="local", shape="hook", problem="it failed\n\n| badly |\n", is_late=False)
    text = render(report(FOUND, troubles=(trouble,)))
    assert "| world-local | hook | it failed \\| badly \\| |" in text


def test_tables_go_between_the_markers_of_a_page() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nRest\n"
    assert put_into(page, "new\n") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nRest\n"
    assert put_into(put_into(page, "new\n"), "new\n") == put_into(page, "new\n")


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}"])
def test_a_page_without_both_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        put_into(page, "new\n")


def test_two_reports_are_compared_by_their_medians() -> None:
    old = report(FOUND, commit="old")
    new = report({"studio-sqlite": {"steps-10": 48.15, "steps-25": 1.0}}, commit="new")
    text = compare(old, new)
    assert "| `old` | `new` | change |" in text
    assert "| 10 sequential steps | Studio, SQLite | 96.3 ms | 48.1 ms | 0.500x |" in text
    assert "25 sequential" not in text, "the old report does not have it"


def test_a_report_survives_its_file() -> None:
    found = report(FOUND, late={"local": "fleet-200"})
    assert Report.model_validate_json(found.model_dump_json()) == found
