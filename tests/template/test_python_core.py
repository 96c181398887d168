"""What the packages for apps in Python share, and the own checks of the examples that are made of it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import blocking_client
from tests.support.examples import committed
from tests.support.template import PYTHON

if TYPE_CHECKING:
    from pathlib import Path


def test_the_connection_that_blocks_is_the_other_one_without_awaiting() -> None:
    written = (blocking_client.CORE / "blocking.py").read_text("utf-8")
    assert written == blocking_client.rendered_core(), "run: python -m tests.support.blocking_client --write"


@pytest.mark.parametrize("framework", PYTHON)
@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", "-q"]])
def test_an_example_passes_its_own_checks(tmp_path: Path, framework: str, command: list[str]) -> None:
    folder = tmp_path / "orders"
    for path, content in committed(framework).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
