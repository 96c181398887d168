"""Running commands and making their output comparable."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    import pytest

    Capture = pytest.CaptureFixture[str]

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d\.\d{3}")
LENGTH = re.compile(r"\b\d+(\.\d+)? (ms|s)\b")


def plain(text: str) -> list[str]:
    """Return lines with times and lengths replaced, and runs of spaces made one."""
    text = LENGTH.sub("L", TIME.sub("T", text))
    return [re.sub(" +", " ", line).strip() for line in text.splitlines()]


def studio(capsys: Capture, *arguments: str, expect: int = 0) -> tuple[list[str], list[str]]:
    """Run a command and return its output and its errors."""
    capsys.readouterr()
    code = main(arguments)
    out, err = capsys.readouterr()
    assert code == expect, out + err
    assert "Traceback" not in err
    return plain(out), plain(err)


def studio_json(capsys: Capture, *arguments: str, expect: int = 0) -> dict[str, Any]:
    """Run a command with --json and return its document."""
    capsys.readouterr()
    code = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert (code, err) == (expect, ""), out + err
    document: dict[str, Any] = json.loads(out)
    return document
