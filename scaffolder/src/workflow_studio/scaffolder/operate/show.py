"""How times, statuses and payloads look to a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflow_studio.compute.api import Event, Hook
    from workflow_studio.scaffolder.output import Cell

STYLES: Final = {
    "completed": "green",
    "active": "green",
    "running": "cyan",
    "pending": "yellow",
    "draining": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "revoked": "red",
    "expired": "red",
}
_LONGEST_VALUE: Final = 2000


def status(text: str) -> Cell:
    """Return a status as a cell of a table."""
    return text, STYLES.get(text, "")


def when(moment: datetime | None) -> str:
    """Return a time in this machine's time zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def took(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took, or has taken until now: ``12 ms``, ``3.20 s``, ``5 m 12 s``, ``2 d 4 h``."""
    if start is None:
        return ""
    return length(((end or datetime.now(UTC)) - start) / timedelta(seconds=1))


def length(seconds: float) -> str:
    """Return a duration in its two largest units."""
    seconds = max(seconds, 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    whole = int(seconds)
    first = next(index for index, (_, size) in enumerate(units) if whole >= size)
    parts = []
    for name, size in units[first : first + 2]:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def value(payload: Any) -> str:
    """Return a payload on one line, cut where it gets out of hand; ``--json`` has all of it."""
    text = json.dumps(payload, ensure_ascii=False)
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]}… ({len(text)} characters; --json shows all)"


def document(entity: BaseModel) -> dict[str, Any]:
    """Return an entity as ``--json`` shows it: the worker's own field names."""
    return entity.model_dump(mode="json", by_alias=True, exclude_unset=True)


def hook_document(hook: Hook, *, tokens: bool) -> dict[str, Any]:
    """Return a hook as ``--json`` shows it; who has a hook's token can resume the run."""
    return {name: entry for name, entry in document(hook).items() if tokens or name != "token"}


def event_document(event: Event, *, tokens: bool = False) -> dict[str, Any]:
    """Return an event as ``--json`` shows it, with the token of a hook only if asked for."""
    shown = document(event)
    data = shown.get("eventData")
    if not tokens and isinstance(data, dict) and "token" in data:
        shown["eventData"] = {name: entry for name, entry in data.items() if name != "token"}
    return shown
