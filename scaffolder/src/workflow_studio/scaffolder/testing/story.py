"""What a run did, in the words of a failed test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.operate.run_details import failure
from workflow_studio.scaffolder.operate.show import when
from workflow_studio.scaffolder.operate.timeline import short_name, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workflow_studio.compute.api import Event, Failure, Hook, OutputLine, Run, Step

_FRAMES: Final = 5
# Frames of the SDK, of Node.js, of bundles whose maps do not cover them, and of the worker.
_FOREIGN: Final = ("node_modules", "node:", "/artifacts/dep_", "workflow_studio")
_LINES: Final = 20
_WIDTH: Final = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run.

    Attributes:
        run: The run.
        steps: Its steps, oldest first.
        events: Its log, oldest first.
        hooks: Those that it waits for.
        printed: The lines that its code printed, oldest first.
    """

    run: Run
    steps: Sequence[Step]
    events: Sequence[Event]
    hooks: Sequence[Hook]
    printed: Sequence[OutputLine]


def story(headline: str, facts: Facts) -> str:
    """Return a run for a person to read.

    Args:
        headline: What is wrong.
        facts: The run.
    """
    cause = facts.run.error
    lines = [headline, *_indented(_error(cause))]
    if facts.steps:
        lines += ["", "Steps:"]
    for step in facts.steps:
        lines.append(f"  {short_name(step.step_name)}: {_state(step)}")
        if step.error is not None and (cause is None or step.error.message != cause.message):
            lines += _indented(_error(step.error), by=4)
    if waits := _waits(facts):
        lines += ["", "It waits for:", *_indented(waits)]
    if printed := _without_reports(line.text for line in facts.printed):
        lines += ["", "It printed:", *(f"  {text}"[:_WIDTH] for text in printed[-_LINES:])]
    return "\n".join(lines)


def _waits(facts: Facts) -> list[str]:
    rows = timeline(facts.run, facts.steps, facts.events)
    sleeps = [f"a sleep until {when(row.until)}" for row in rows if row.kind == "sleep" and row.status == "waiting"]
    return [*sleeps, *(f"a {'webhook' if hook.is_webhook else 'hook'}: {hook.token}" for hook in facts.hooks)]


def _without_reports(texts: Iterable[str]) -> list[str]:
    """Leave out what the SDK prints of errors, over many lines: the errors are told already."""
    kept: list[str] = []
    in_report = False
    for text in texts:
        in_report = text.startswith("[Workflow]") or (in_report and text.startswith((" ", "}")))
        if not in_report:
            kept.append(text)
    return kept


def _state(step: Step) -> str:
    attempts = f", attempt {step.attempt}" if step.attempt > 1 else ""
    arguments = "" if step.input is None else f", with {json.dumps(_arguments(step.input), ensure_ascii=False)}"
    return f"{step.status}{attempts}{arguments}"[:_WIDTH]


def _arguments(shown: Any) -> Any:
    # A step's input holds its arguments, and what its function closes over.
    return shown.get("args", shown) if isinstance(shown, dict) else shown


def _error(error: Failure | None) -> list[str]:
    if error is None:
        return []
    frames = [line.strip() for line in (error.stack or "").splitlines() if line.lstrip().startswith("at ")]
    own = [frame for frame in frames if not any(part in frame for part in _FOREIGN)]
    return [failure(error), *(f"  {frame}" for frame in (own or frames)[:_FRAMES])]


def _indented(lines: Iterable[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]
