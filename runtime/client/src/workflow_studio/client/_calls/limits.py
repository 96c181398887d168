"""Calls about limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.client._calls.base import Call, answer, body
from workflow_studio.compute.api import Limits, LimitsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def list_limits() -> Call[Limits]:
    return Call("GET", "/v1/limits", answer(Limits))


def set_limits(most: Mapping[str, int | None]) -> Call[Limits]:
    return Call("PUT", "/v1/limits", answer(Limits), **body(LimitsRequest(dict(most))))
