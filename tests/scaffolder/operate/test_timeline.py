"""A run's timeline, from what the worker tells about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflow_studio.compute.api import Event, Run, Step
from workflow_studio.scaffolder.demo.show import show_run
from workflow_studio.scaffolder.operate.timeline import Row, Span, bar, duration, short_name, timeline
from workflow_studio.scaffolder.output import Output

START = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(**more: Any) -> Run:
    fields: dict[str, Any] = {
        "run_id": "wrun_1",
        "status": "completed",
        "workflow_name": "workflow//./workflows/order//fulfilOrder",
        "deployment_id": "dep_1",
        "output": {"total": 60},
        "created_at": START,
        "completed_at": at(4),
    }
    return Run(**(fields | more))


def step(identifier: str, name: str, executor: str | None = "exec_1") -> Step:
    return Step(
        step_id=identifier, run_id="wrun_1", step_name=f"step//./w//{name}", status="completed", executor_id=executor
    )


def events(*entries: tuple[float, str, str | None]) -> list[Event]:
    return [
        Event(event_id=f"evnt_{slot}", run_id="wrun_1", event_type=kind, correlation_id=about, created_at=at(seconds))
        for slot, (seconds, kind, about) in enumerate(entries, start=1)
    ]


def test_attempts_sleeps_and_parallel_steps() -> None:
    log = events(
        (0.0, "run_created", None),
        (0.1, "run_started", None),
        (0.2, "step_created", "s1"),
        (0.2, "step_created", "s2"),
        (0.4, "step_started", "s2"),
        (0.3, "step_started", "s1"),
        (0.5, "step_completed", "s1"),
        (0.6, "step_retrying", "s2"),
        (1.6, "step_started", "s2"),
        (1.8, "step_completed", "s2"),
        (1.9, "wait_created", "w1"),
        (3.9, "wait_completed", "w1"),
        (4.0, "run_completed", None),
    )
    rows = timeline(run(), [step("s1", "priceOf"), step("s2", "charge", "exec_2")], log)
    assert [(row.name, row.kind, row.executor, row.status) for row in rows] == [
        ("priceOf", "step", "exec_1", "completed"),
        ("charge", "step", "exec_2", "completed"),
        ("sleep", "sleep", "", "completed"),
    ]
    assert rows[1].to_json()["attempts"] == [{"startMs": 400, "endMs": 600}, {"startMs": 1600, "endMs": 1800}]
    assert rows[1].busy == pytest.approx(0.4)
    assert rows[2].spans == [Span(1.9, 3.9)]


def test_a_step_that_was_started_twice_in_a_row_counts_from_the_first_start() -> None:
    log = events((0.1, "step_started", "s1"), (0.7, "step_started", "s1"), (1.0, "step_completed", "s1"))
    assert timeline(run(), [step("s1", "go")], log)[0].spans == [Span(0.1, 1.0)]


def test_what_is_still_open_ends_with_the_run() -> None:
    log = events((0.5, "hook_created", "h1"), (4.0, "run_cancelled", None))
    rows = timeline(run(status="cancelled"), [], log)
    assert [(row.name, row.kind, row.spans) for row in rows] == [("hook", "hook", [Span(0.5, 4.0)])]


def test_what_is_open_in_a_run_that_goes_on_lasts_until_now() -> None:
    log = events((0.5, "wait_created", "w1"), (0.6, "step_started", "s1"))
    log[0] = log[0].model_copy(update={"event_data": {"resumeAt": at(60).isoformat()}})
    going = step("s1", "go").model_copy(update={"status": "running"})
    rows = timeline(run(status="running", completed_at=None), [going], log, now=at(20))
    assert [(row.name, row.status, row.spans, row.until) for row in rows] == [
        ("sleep", "waiting", [Span(0.5, 20)], at(60)),
        ("go", "running", [Span(0.6, 20)], None),
    ]


def test_a_run_without_events_has_no_rows() -> None:
    assert timeline(run(created_at=None), [step("s1", "go")], []) == []


@pytest.mark.parametrize(
    ("spans", "drawn"),
    [
        ([Span(0, 4)], "##########"),
        ([Span(0, 0)], "#........."),
        ([Span(4, 4)], ".........#"),
        ([Span(0.4, 0.8), Span(2, 3)], ".#...##..."),
        ([], ".........."),
    ],
)
def test_bars(spans: list[Span], drawn: str) -> None:
    assert bar(spans, 4, width=10, fill="#", empty=".") == drawn


def test_a_bar_of_no_length_at_all() -> None:
    assert bar([Span(0, 0)], 0, width=4, fill="#", empty=".") == "#..."


def test_names_and_durations() -> None:
    assert short_name("step//./workflows/order//charge") == "charge"
    assert short_name("__builtin_fetch") == "__builtin_fetch"
    assert (duration(0.0124), duration(1.5)) == ("12 ms", "1.50 s")


def test_the_chart(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Row("charge", "step", "exec_1", "completed", [Span(0.0, 0.5), Span(1.0, 2.0)]),
        Row("sleep", "sleep", "", "completed", [Span(2.0, 4.0)]),
    ]
    show_run(Output(), run(), rows, {"exec_1": "worker, process 42"})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == "fulfilOrder  wrun_1  completed in 4.00 s"
    assert lines[3:6] == [
        "step    where               attempts  started  took",
        f"charge  worker, process 42  2         +0 ms    1.50 s  {'█' * 5}{'·' * 5}{'█' * 10}{'·' * 20}",
        f"sleep   -                   -         +2.00 s  2.00 s  {'·' * 20}{'█' * 20}",
    ]
    assert lines[-1] == 'Result: {"total": 60}'
