"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.rotation import VARIABLE, part_of

if TYPE_CHECKING:
    import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and children inherit that: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
TAKING_TURNS = (
    (
        "bench/test_benchmark.py",
        "e2e/test_vitest.py",
        "scaffolder/demo/test_whole_demo.py",
        "scaffolder/dev/test_warm_build.py",
    ),
    (
        "e2e/test_kills.py",
        "e2e/test_many_workers.py",
        "e2e/test_return_value.py",
        "e2e/test_sdk_tools.py",
        "e2e/test_world_testing.py",
        "e2e/test_zoo.py",
    ),
    ("e2e/test_frameworks.py", "e2e/test_python_apps.py", "template/test_apps.py"),
)
"""Files whose end-to-end tests take minutes: of each group, one runs, others with every commit."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put slow files first; leave out those whose turn it is not, unless files were named or everything is wanted."""
    slow = {item.path for item in items if item.get_closest_marker("e2e")}
    # With the quick ones last, nobody is left with a slow one in the end.
    items.sort(key=lambda item: item.path not in slow)
    named = [argument for argument in config.args if argument.partition("::")[0].endswith(".py")]
    if named or os.environ.get(VARIABLE):
        return
    waiting = {HERE / path for group in TAKING_TURNS for path in set(group) - set(part_of(group, 1))}
    others = [item for item in items if item.path in waiting and item.get_closest_marker("e2e")]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
