"""The table of features names tests that exist, and pytest passes no test by."""

from __future__ import annotations

import ast
import fnmatch
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_studio.compute.scopes import ComputeScope

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs/reference/features.md").read_text(encoding="utf-8")
PROMISED, _, DIFFERENT = PAGE.partition("## What is not there, or differs")
TEST = re.compile(r"`([\w/]+\.py)::([\w:]+)`")


@cache
def names_in(file: Path) -> set[str]:
    """Return the names of what pytest collects from a file. To collect it takes seconds, so the file is read."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or node.name.endswith("Checks")):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if is_test(inner)}
        elif is_test(node):
            found.add(node.name)
    return found


def is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def test_every_feature_names_a_test_that_proves_it() -> None:
    rows = [line for line in PROMISED.splitlines() if line.startswith("| ") and not line.startswith("| feature |")]
    assert len(rows) > 100
    assert [row for row in rows if not TEST.search(row)] == []


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(PAGE)
    assert named
    assert sorted({file for file, _ in named if not (TESTS / file).is_file()}) == []
    assert [f"{file}::{name}" for file, name in named if name not in names_in(TESTS / file)] == []


def test_what_differs_says_why() -> None:
    rows = [line.strip("| ").split(" | ") for line in DIFFERENT.splitlines() if line.startswith("| ")]
    assert rows
    assert [row for row in rows if len(row) != 3 or not all(row)] == []


def test_pytest_looks_into_every_folder_that_has_tests(request: pytest.FixtureRequest) -> None:
    passed_by = request.config.getini("norecursedirs")
    ours = [file for file in TESTS.rglob("test_*.py") if "node_modules" not in file.parts]
    assert len(ours) > 100
    folders = {part for file in ours for part in file.relative_to(TESTS).parts[:-1]}
    assert sorted(folder for folder in folders for pattern in passed_by if fnmatch.fnmatch(folder, pattern)) == []


def test_every_scope_is_among_the_features() -> None:
    assert [scope for scope in ComputeScope if f"`{scope}`" not in PROMISED] == []
