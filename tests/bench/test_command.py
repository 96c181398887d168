from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from typer.testing import CliRunner

from bench import __main__ as command
from bench.shapes import BY_NAME
from bench.table import BEGIN, END
from tests.bench.reports import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.results import Report
    from bench.shapes import Shape

FOUND = {"memory": {"steps-10": 80.0}, "studio-sqlite": {"steps-10": 96.0}}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """What a run was asked for; put a report here that it shall find."""
    asked: dict[str, object] = {"report": report(FOUND)}

    def find(
        makers: dict[str, object],
        shapes: list[Shape],
        repeat: int,
        keep: Callable[[object], None],
        processes: dict[str, int],
    ) -> object:
        asked["cold"] = [shape.is_cold for shape in shapes]
        asked.update(worlds=list(makers), processes=processes, shapes=[shape.name for shape in shapes], repeat=repeat)
        keep(asked["report"])
        return asked["report"]

    monkeypatch.setattr(command, "_measured", find)
    monkeypatch.setattr(command, "WORK", tmp_path / "work")
    return asked


def kept(folder: Path, name: str, found: Report) -> Path:
    file = folder / name
    file.write_text(found.model_dump_json(), encoding="utf-8")
    return file


def test_all_worlds_and_shapes_are_measured_unless_told_otherwise(measured: dict[str, object]) -> None:
    assert CliRunner().invoke(command.app).exit_code == 0
    assert measured["worlds"] == ["memory", "local", "postgres", "studio-sqlite", "studio-postgres"]
    assert measured["shapes"] == list(BY_NAME)


@pytest.mark.parametrize("options", [[], ["--cold"]], ids=["warm", "cold"])
def test_turns_begin_warm_unless_told_otherwise(measured: dict[str, object], options: list[str]) -> None:
    assert CliRunner().invoke(command.app, options).exit_code == 0
    assert measured["cold"] == [bool(options)] * len(BY_NAME)


def test_the_short_mode_takes_the_cheap_shapes_a_few_times(measured: dict[str, object]) -> None:
    assert CliRunner().invoke(command.app, ["--short"]).exit_code == 0
    assert measured["repeat"] == 2
    assert "steps-10" in str(measured["shapes"])
    assert "parallel-500" not in str(measured["shapes"])


def test_worlds_and_shapes_can_be_chosen(measured: dict[str, object]) -> None:
    chosen = ["--worlds", "studio-sqlite, memory", "--shapes", "hook,steps-0", "--repeat", "7"]
    assert CliRunner().invoke(command.app, chosen).exit_code == 0
    assert measured["worlds"] == ["memory", "studio-sqlite"]
    assert measured["shapes"] == ["steps-0", "hook"]
    assert measured["repeat"] == 7


@pytest.mark.parametrize(("option", "names"), [("--worlds", "memory, studio-sqlite"), ("--shapes", "steps-0")])
def test_an_unknown_name_is_answered_with_the_known_ones(option: str, names: str) -> None:
    answer = CliRunner().invoke(command.app, [option, "mars"])
    assert answer.exit_code == 2
    for name in ("mars", *names.split(", ")):
        assert name in answer.output


def test_a_rival_that_is_too_slow_is_no_failure(measured: dict[str, object]) -> None:
    measured["report"] = report(FOUND, late={"local": "parallel-500"})
    assert CliRunner().invoke(command.app).exit_code == 0


def test_ours_that_does_not_end_is_a_failure(measured: dict[str, object]) -> None:
    measured["report"] = report(FOUND, late={"studio-sqlite": "parallel-500"})
    answer = CliRunner().invoke(command.app)
    assert answer.exit_code == 1
    assert "studio-sqlite failed at parallel-500" in answer.stderr


def test_the_tables_go_into_a_page(measured: dict[str, object], tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Speed\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    kept_at = tmp_path / "report.json"
    assert CliRunner().invoke(command.app, ["--markdown", str(page), "--json", str(kept_at)]).exit_code == 0
    written = page.read_text(encoding="utf-8")
    assert written.startswith("# Speed\n")
    assert "| 10 sequential steps | 80.0 ms | 96.0 ms |" in written
    shown = CliRunner().invoke(command.app, ["table", str(kept_at)])
    assert shown.stdout in written


def test_two_reports_can_be_compared(tmp_path: Path) -> None:
    old = kept(tmp_path, "old.json", report(FOUND, commit="old"))
    new = kept(tmp_path, "new.json", report({"memory": {"steps-10": 40.0}}, commit="new"))
    answer = CliRunner().invoke(command.app, ["compare", str(old), str(new)])
    assert answer.exit_code == 0
    assert "0.500x" in answer.stdout


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    for name in ("other.json", "missing.json"):
        answer = CliRunner().invoke(command.app, ["table", str(tmp_path / name)])
        assert answer.exit_code == 2
        assert "is no report" in answer.output


def test_workers_are_counted_up_beside_the_least_and_the_most_of_the_reference(measured: dict[str, object]) -> None:
    assert CliRunner().invoke(command.app, ["workers", "--counts", "3, 1,2,3"]).exit_code == 0
    assert measured["processes"] == {
        "studio-postgres-1": 1,
        "studio-postgres-2": 2,
        "studio-postgres-3": 3,
        "postgres-1": 1,
        "postgres-3": 3,
    }
    assert measured["worlds"] == list(cast("dict[str, int]", measured["processes"]))
    assert measured["shapes"] == ["waiting-96", "busy-200"]


def test_the_short_mode_of_workers_takes_a_small_fleet_once(measured: dict[str, object]) -> None:
    assert CliRunner().invoke(command.app, ["workers", "--short", "--counts", "2"]).exit_code == 0
    assert (measured["shapes"], measured["repeat"]) == (["waiting-20"], 1)


@pytest.mark.parametrize("counts", ["", "0", "1,two", "17", "-1"])
def test_counts_that_are_none_are_refused(counts: str) -> None:
    answer = CliRunner().invoke(command.app, ["workers", "--counts", counts])
    assert answer.exit_code == 2
    assert "numbers from 1 to 16" in " ".join(answer.output.split())
