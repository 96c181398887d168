"""What the frames say with which an executor answers."""

from __future__ import annotations

import math
from typing import Any, Final

from workflow_studio.compute.world_errors import EntityConflictError, RunExpiredError
from workflow_studio.worker.execution.output import printable
from workflow_studio.worker.ports import Failed, Handled, Outcome, WebResponse

MAX_REASON: Final = 4000
"""Characters of an error that are kept."""


def outcome_of(frame: dict[str, Any]) -> Outcome:
    """Return the outcome that a ``delivered`` frame tells.

    Raises:
        ValueError: If it makes no sense. So may others be raised: the executor can send anything.
    """
    if "error" in frame:
        return Failed(printable(str(frame["error"])[:MAX_REASON]))
    if "timeoutSeconds" not in frame:
        return Handled()
    seconds = float(frame["timeoutSeconds"])
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"a timeout of {seconds} s")
    return Handled(timeout_seconds=seconds)


def last_calls_of(frame: dict[str, Any]) -> list[Any]:
    """Return the World calls that a ``delivered`` frame leaves to be made.

    Raises:
        TypeError: If they make no sense.
    """
    calls = frame.get("calls", [])
    if not isinstance(calls, list):
        raise TypeError("calls that are no list")
    return calls


def onward_of(frame: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a ``delivered`` frame says of the replay that follows, if anything.

    Raises:
        TypeError: If it makes no sense.
    """
    onward = frame.get("onward")
    if onward is not None and not isinstance(onward, dict):
        raise TypeError("a replay's calls that are no map")
    return onward


def refusal_of(calls: list[Any], results: list[dict[str, Any]]) -> Failed | None:
    """Return what the refusal of one of the calls of a batch makes of its delivery, if one was refused."""
    for call, result in zip(calls, results, strict=True):
        error = result.get("error")
        if error is not None and not _is_done(call, error["name"]):
            return Failed(printable(f"{error['name']}: {error['message']}"[:MAX_REASON]))
    return None


def _is_done(call: Any, refusal: str) -> bool:
    """Tell of a call that was refused whether what it is for is there: the Workflow SDK wants to know no more."""
    if call["method"] != "events.create":
        return False
    is_end = call["params"]["event"]["eventType"] == "run_completed"
    return refusal == EntityConflictError.name or (is_end and refusal == RunExpiredError.name)


def response_of(frame: dict[str, Any]) -> WebResponse:
    """Return the response that a ``response`` frame holds.

    Raises:
        ValueError: If it makes no sense. So may others be raised: the executor can send anything.
    """
    body, headers = frame["body"], tuple((str(name), str(value)) for name, value in frame["headers"])
    status = int(frame["status"])
    if not isinstance(body, bytes) or not 200 <= status <= 599:
        raise ValueError(f"a response with the status {status}")
    return WebResponse(status, headers, body)
