"""What happens in runs, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.api.activity import OUTPUT
from workflow_studio.scaffolder.operate.show import length
from workflow_studio.scaffolder.operate.timeline import short_name
from workflow_studio.scaffolder.operate.watch_display import LEVEL_STYLES

if TYPE_CHECKING:
    from datetime import datetime

    from workflow_studio.compute.api import ActivityEntry, Failure

_UNTOLD: Final = frozenset({"run_started", "step_created", "step_started", "wait_completed", "hook_disposed"})
"""What a person need not know of: something before or after it says as much."""

_FRAME: Final = re.compile(r"^\s*at (?:.*\()?(?P<place>[^()\s]+:\d+:\d+)\)?$")
_FOREIGN: Final = re.compile(r"(^|/)node_modules/|^node:|^\w+://|^/|^<")
"""Places that are not in the app: packages, Node.js itself, what the SDK made."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry in words.

    Attributes:
        workflow: The workflow's name.
        text: What happened.
        style: How it looks.
        more: Lines that belong to it.
    """

    workflow: str
    text: str
    style: str = ""
    more: tuple[str, ...] = ()


def is_told(entry: ActivityEntry) -> bool:
    """Whether a person wants to know of it."""
    return entry.type not in _UNTOLD


def describe(entry: ActivityEntry) -> Told:
    """Return an entry in words."""
    workflow = short_name(entry.workflow_name)
    if entry.type == OUTPUT:
        source = f"{_step(entry)}: " if entry.step_name else ""
        return Told(workflow, f"{source}{entry.text or ''}", LEVEL_STYLES.get(entry.level or "", ""))
    kind, _, what = entry.type.partition("_")
    say = {"run": _run, "step": _step_text, "wait": _wait, "hook": _hook}.get(kind)
    text, style = say(entry, what) if say else (entry.type, "")
    return Told(workflow, text, style, _details(entry))


def _run(entry: ActivityEntry, what: str) -> tuple[str, str]:
    match what:
        case "created":
            return f"started, {entry.run_id}", ""
        case "completed":
            return f"completed{_after(entry)}", "bold green"
        case "failed":
            return f"failed{_after(entry)}{_because(entry)}", "bold red"
        case _:
            return f"{what}{_after(entry)}", "bold magenta"


def _step_text(entry: ActivityEntry, what: str) -> tuple[str, str]:
    step = _step(entry)
    match what:
        case "completed":
            return f"{step} done{_after(entry)}{_attempt(entry)}", "green"
        case "retrying":
            again = f", again at {_clock(entry.retry_after)}" if entry.retry_after else ", trying again"
            return f"{step} failed{_attempt(entry, first=True)}{again}{_because(entry)}", "yellow"
        case "failed":
            return f"{step} failed{_attempt(entry)}{_because(entry)}", "red"
        case _:
            return f"{step} {what.replace('_', ' ')}", ""


def _wait(entry: ActivityEntry, what: str) -> tuple[str, str]:
    if what == "created" and entry.resume_at:
        return f"sleeps until {_clock(entry.resume_at)}", ""
    return f"sleep {what}", ""


def _hook(entry: ActivityEntry, what: str) -> tuple[str, str]:
    match what:
        case "created":
            return f"waits for the hook {entry.token or entry.correlation_id}", ""
        case "received":
            return f"hook received {entry.token or ''}".rstrip(), ""
        case _:
            return f"hook {what.replace('_', ' ')}", "yellow"


def _step(entry: ActivityEntry) -> str:
    return short_name(entry.step_name or entry.step_id or "a step")


def _after(entry: ActivityEntry) -> str:
    return f" after {length(entry.duration_ms / 1000)}" if entry.duration_ms is not None else ""


def _attempt(entry: ActivityEntry, *, first: bool = False) -> str:
    wanted = entry.attempt is not None and (first or entry.attempt > 1)
    return f", attempt {entry.attempt}" if wanted else ""


def _because(entry: ActivityEntry) -> str:
    return f": {_lines(entry.error)[0]}" if entry.error else ""


def _lines(error: Failure) -> list[str]:
    """Return the lines of an error's message that say something, one at least."""
    return [line for line in error.message.splitlines() if line.strip()] or ["no reason given"]


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")


def _details(entry: ActivityEntry) -> tuple[str, ...]:
    """Return what else an error says, and the first place of the app that it came by."""
    if entry.error is None:
        return ()
    frames = (_FRAME.match(line) for line in (entry.error.stack or "").splitlines())
    own = (frame["place"] for frame in frames if frame and not _FOREIGN.search(frame["place"]))
    return (*_lines(entry.error)[1:], *(f"at {place}" for place in islice(own, 1)))
