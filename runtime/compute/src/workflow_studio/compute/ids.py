"""Identifiers: how each one looks and how to make the ones that are derived.

Runs and messages carry a ULID, which only their maker draws; a deployment's id is derived from its content; an
event's id is its slot in the run's log. Drawing random ids is I/O, so it is left to the packages that do I/O.
"""

from __future__ import annotations

import re
from typing import Final

RUN_ID: Final = re.compile(r"wrun_[0-9A-HJKMNP-TV-Z]{26}")
"""A run id: ``wrun_`` and a ULID in Crockford's base 32 (source: ``@workflow/core`` 4.8.9, ``start()``)."""

DEPLOYMENT_ID: Final = re.compile(r"dep_[0-9a-f]{32}")
"""A deployment id: ``dep_`` and the first 128 bits of the artifact's content digest, in hexadecimal."""

_SLOT_DIGITS: Final = 26
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")


def event_id(slot: int) -> str:
    """Return the id of the event at ``slot`` of a run's log.

    The form is the one Workflow SDK 5 requires and 4 accepts (source: ``@workflow/world`` 5.0.0-beta.37).

    Args:
        slot: The event's 1-based position in its run.

    Raises:
        ValueError: If ``slot`` is less than 1.
    """
    if slot < 1:
        raise ValueError(f"A slot is at least 1, not {slot}.")
    return f"evnt_{slot:0{_SLOT_DIGITS}d}"


def event_slot(identifier: str) -> int:
    """Return the slot that an event id names.

    Raises:
        ValueError: If ``identifier`` is not an event id made by :func:`event_id`.
    """
    prefix, _, digits = identifier.partition("_")
    if prefix != "evnt" or len(digits) != _SLOT_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{identifier!r} is not an event id.")
    return int(digits)


def deployment_id(digest: str) -> str:
    """Return the id of the deployment whose artifact has this content digest.

    Args:
        digest: ``sha256:`` and 64 hexadecimal digits.

    Raises:
        ValueError: If ``digest`` has another form.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError(f"{digest!r} is not a digest of the form sha256:<64 hexadecimal digits>.")
    return f"dep_{match[1][:32]}"
