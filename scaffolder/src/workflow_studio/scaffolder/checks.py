"""Checks of a command that says what is right and wrong: what they found, how it is shown, what the exit code is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workflow_studio.scaffolder.output import Output


class Verdict(StrEnum):
    """What a check found."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome.

    Attributes:
        name: Stable, such as ``active_deployment``.
        verdict: What it found.
        message: In a sentence.
        hint: What to do about it.
    """

    name: str
    verdict: Verdict
    message: str
    hint: str | None = None

    @property
    def line(self) -> str:
        """The check as a line: ``[FAIL] active_deployment: …``."""
        return f"[{self.verdict.upper()}] {self.name}: {self.message}"

    def to_json(self) -> dict[str, str]:
        """Return the check as a ``--json`` document has it."""
        shown = {"name": self.name, "verdict": str(self.verdict), "message": self.message}
        return shown | ({"hint": self.hint} if self.hint else {})


def exit_code(checks: Iterable[Check]) -> int:
    """Return 0 if all checks passed, 1 if one failed, 2 if there are only warnings."""
    verdicts = {check.verdict for check in checks}
    if Verdict.FAIL in verdicts:
        return 1
    return 2 if Verdict.WARN in verdicts else 0


_STYLES: Final = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def show_checks(output: Output, checks: Sequence[Check]) -> None:
    """Print checks, one to a line, each that did not pass with what to do about it."""
    for check in checks:
        output.print(check.line, style=_STYLES[check.verdict])
        if check.hint and check.verdict is not Verdict.PASS:
            output.print(f"       {check.hint}")
