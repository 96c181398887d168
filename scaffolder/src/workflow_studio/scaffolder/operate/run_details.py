"""One run, in full."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.operate.show import document, event_document, hook_document, status, took, value, when
from workflow_studio.scaffolder.operate.timeline import bar, duration, short_name, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.compute.api import Event, Failure, Hook, Run, Step
    from workflow_studio.scaffolder.output import Cell, Output


def show_details(
    output: Output, run: Run, steps: Sequence[Step], events: Sequence[Event], hooks: Sequence[Hook], *, tokens: bool
) -> None:
    """Print a run: what it is, its timeline, what it waits for, how it ended."""
    if output.json_mode:
        return
    facts: dict[str, Cell] = {
        "Run": run.run_id,
        "Workflow": run.workflow_name,
        "Status": status(run.status),
        "Deployment": run.deployment_id,
        "Created": when(run.created_at),
    }
    if run.completed_at:
        facts["Ended"] = f"{when(run.completed_at)}, after {took(run.created_at, run.completed_at)}"
    output.facts(facts)
    _show_timeline(output, run, steps, events)
    if hooks:
        output.print()
        output.table(
            ("hook", "kind", "waits since", *(("token",) if tokens else ())),
            [
                (hook.hook_id, _kind(hook), when(hook.created_at), *((hook.token or "-",) if tokens else ()))
                for hook in hooks
            ],
        )
    _show_outcome(output, run, steps)


def run_document(
    run: Run, steps: Sequence[Step], events: Sequence[Event], hooks: Sequence[Hook], *, tokens: bool
) -> dict[str, Any]:
    """Return a run and all that belongs to it as ``--json`` has it."""
    return {
        "run": document(run),
        "steps": [document(step) for step in steps],
        "events": [event_document(event, tokens=tokens) for event in events],
        "hooks": [hook_document(hook, tokens=tokens) for hook in hooks],
    }


def failure(error: Failure) -> str:
    """Return an error as a line."""
    return f"{error.message} ({error.code})" if error.code else error.message


def _kind(hook: Hook) -> str:
    return "webhook" if hook.is_webhook else "hook"


def _show_timeline(output: Output, run: Run, steps: Sequence[Step], events: Sequence[Event]) -> None:
    rows = timeline(run, steps, events)
    if not rows:
        return
    total = max((span.end for row in rows for span in row.spans), default=0.0)
    fill, empty = ("█", "·") if _can_print("█·") else ("#", ".")
    output.print()
    output.table(
        ("step", "status", "attempts", "started", "took", ""),
        [
            (
                row.name,
                (f"until {when(row.until)}", "") if row.status == "waiting" and row.until else status(row.status),
                str(len(row.spans)) if row.kind == "step" else "-",
                f"+{duration(row.start)}",
                duration(row.busy),
                bar(row.spans, total, fill=fill, empty=empty),
            )
            for row in rows
        ],
    )


def _show_outcome(output: Output, run: Run, steps: Sequence[Step]) -> None:
    output.print()
    if "input" in run.model_fields_set:
        output.facts({"Arguments": value(run.input)})
    if run.status == "completed" and "output" in run.model_fields_set:
        output.facts({"Result": value(run.output)})
    if run.error is not None:
        output.facts({"Error": (failure(run.error), "red")})
    for step in steps:
        if step.error is not None and step.status != "completed":
            output.facts({"In": f"{short_name(step.step_name)}, attempt {step.attempt}: {failure(step.error)}"})


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
