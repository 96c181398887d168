"""The call for what happens in runs, while it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.client._calls.base import Call, query
from workflow_studio.client._calls.timeline import JSON_LINES, SILENCE_MS, begins
from workflow_studio.client._filters import ActivityFilter

if TYPE_CHECKING:
    from workflow_studio.client._calls.base import Value


def follow_activity(filters: ActivityFilter, cursor: str | None) -> Call[None]:
    more: dict[str, Value] = {"cursor": cursor}
    headers = (("accept", JSON_LINES),)
    return Call(
        "GET", "/v1/activity", begins, query(ActivityFilter, filters, **more), headers=headers, wait_ms=SILENCE_MS
    )
