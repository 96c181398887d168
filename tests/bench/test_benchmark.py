"""The benchmark itself, on two Worlds: that it runs and that its numbers are numbers, never how large they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results import Report
from bench.shapes import BY_NAME

ROOT = Path(__file__).parents[2]
WORLDS = ("memory", "studio-sqlite")
SHAPES = ("steps-10", "stream-50", "hook")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_worlds_are_measured_side_by_side(tmp_path: Path) -> None:
    options = ["--short", "--repeat", "1", "--worlds", ",".join(WORLDS), "--shapes", ",".join(SHAPES)]
    report, shown = measured(*options, target=tmp_path / "report.json")
    assert report.worlds == WORLDS
    assert report.troubles == ()
    for world in WORLDS:
        for shape in SHAPES:
            for figure in BY_NAME[shape].figures:
                values = report.values(world, shape, figure)
                assert values, f"{world} has {figure} of {shape}"
                assert all(value > 0 for value in values)
    assert report.idle["studio-sqlite"].keys() == {"app", "worker", "executor"}
    assert all(sample.memory["app"] > 0 for sample in report.samples)
    assert "| 10 sequential steps |" in shown


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_workers_are_measured_beside_the_reference(tmp_path: Path) -> None:
    report, shown = measured("workers", "--short", "--counts", "2", target=tmp_path / "report.json")
    assert report.processes == {"studio-postgres-2": 2, "postgres-2": 2}
    assert report.troubles == ()
    for world in report.worlds:
        assert all(value > 0 for value in report.values(world, "waiting-20", "runs per second")), world
    ours, reference = sorted(report.samples, key=lambda sample: sample.world, reverse=True)
    assert ours.cpu.keys() == {"app", "balancer", "executor", "postgres", "worker"}
    assert reference.cpu.keys() == {"app", "postgres"}
    assert "### 20 runs of 3 steps that wait 0.5 s" in shown


def measured(*options: str, target: Path) -> tuple[Report, str]:
    """Run the command; return its report and what it shows."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options, "--json", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Report.model_validate(json.loads(target.read_text(encoding="utf-8"))), done.stdout
