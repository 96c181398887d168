"""Identifiers: how each one looks, how to read one, and how to make the ones that are derived.

Each kind is a type of its own, so that a type checker refuses one where another belongs; when the program runs they
are strings. Text from outside becomes an id by the kind's ``parse`` function where it has a form, and by its type,
``StepId(text)``, where the maker of the id is free to choose. Answers of the worker hold ids already.

Runs and messages carry a ULID, which only their maker draws; a deployment's id is derived from its content; an
event's id is its slot in the run's log. Drawing random ids is I/O, so it is left to the packages that do I/O.
"""

from __future__ import annotations

import re
from typing import Final, NewType

RunId = NewType("RunId", str)
"""Names a run: ``wrun_`` and a ULID."""

StepId = NewType("StepId", str)
"""Names a step within its run; the Workflow SDK makes it."""

HookId = NewType("HookId", str)
"""Names a hook within its run; the Workflow SDK makes it."""

WaitId = NewType("WaitId", str)
"""Names a sleep within its run; the Workflow SDK makes it."""

EntityId = NewType("EntityId", str)
"""Names what an event is about, a step, a hook or a wait: the event's ``correlationId``."""

EventId = NewType("EventId", str)
"""Names an event within its run, by its slot."""

DeploymentId = NewType("DeploymentId", str)
"""Names a deployment: ``dep_`` and the beginning of its content's digest."""

MessageId = NewType("MessageId", str)
"""Names a message over all its deliveries."""

LATEST: Final = DeploymentId("latest")
"""In a request, stands for the deployment that is active in the request's environment."""

EnvironmentName = NewType("EnvironmentName", str)
"""Names an environment of a worker: each has an active deployment of its own."""

DEFAULT_ENVIRONMENT: Final = EnvironmentName("production")
"""The environment of requests that name none."""

ENVIRONMENT_HEADER: Final = "x-workflow-studio-environment"
"""The header of a request that names its environment."""

ENCRYPTION_HEADER: Final = "x-workflow-studio-encryption"
"""The header of the world lane's answers that says ``none`` where runs have no keys to ask for."""

KeyId = NewType("KeyId", str)
"""Names an API key; it is no secret."""

ExecutorId = NewType("ExecutorId", str)
"""Names an executor of a worker."""

AuditEntryId = NewType("AuditEntryId", str)
"""Names an entry of the audit log: ``audit_`` and a ULID."""

CorrelationId = NewType("CorrelationId", str)
"""Names a request in the worker's log, in the events that it made and in the audit log (``requestId``)."""

RUN_ID: Final = re.compile(r"wrun_[0-9A-HJKMNP-TV-Z]{26}")
"""A run id: ``wrun_`` and a ULID in Crockford's base 32 (source: ``@workflow/core`` 4.8.9, ``start()``)."""

DEPLOYMENT_ID: Final = re.compile(r"dep_[0-9a-f]{32}")
"""A deployment id: ``dep_`` and the first 128 bits of the artifact's content digest, in hexadecimal."""

MESSAGE_ID: Final = re.compile(r"msg_[0-9A-HJKMNP-TV-Z]{26}")
"""A message id of the worker's: ``msg_`` and a ULID."""

ENVIRONMENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""An environment's name: 1 to 63 of ``a-z 0-9 -``, not beginning with a dash."""

CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
"""A request's correlation id, which whoever sends the request may choose."""

_SLOT_DIGITS: Final = 26
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")


def parse_run_id(text: str) -> RunId:
    """Return the run id that ``text`` is.

    Raises:
        ValueError: If it is none.
    """
    return RunId(_parsed(RUN_ID, text, "a run id: it is wrun_ and 26 characters"))


def parse_deployment_id(text: str) -> DeploymentId:
    """Return the deployment id that ``text`` is.

    Raises:
        ValueError: If it is none.
    """
    return DeploymentId(_parsed(DEPLOYMENT_ID, text, "a deployment id: it is dep_ and 32 hexadecimal digits"))


def parse_message_id(text: str) -> MessageId:
    """Return the message id that ``text`` is.

    Raises:
        ValueError: If it is none.
    """
    return MessageId(_parsed(MESSAGE_ID, text, "a message id: it is msg_ and 26 characters"))


def parse_event_id(text: str) -> EventId:
    """Return the event id that ``text`` is.

    Raises:
        ValueError: If it is none.
    """
    return event_id(event_slot(text))


def parse_environment_name(text: str) -> EnvironmentName:
    """Return the name of an environment that ``text`` is.

    Raises:
        ValueError: If it is none.
    """
    what = "the name of an environment: it is 1 to 63 of a-z 0-9 - and does not begin with a dash"
    return EnvironmentName(_parsed(ENVIRONMENT_NAME, text, what))


def parse_correlation_id(text: str) -> CorrelationId:
    """Return the correlation id that ``text`` is.

    Raises:
        ValueError: If it is none: a worker would choose another in its place.
    """
    return CorrelationId(_parsed(CORRELATION_ID, text, "a correlation id: it is 1 to 128 of A-Z a-z 0-9 . _ : / -"))


def _parsed(form: re.Pattern[str], text: str, what: str) -> str:
    if form.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not {what}.")
    return text


def event_id(slot: int) -> EventId:
    """Return the id of the event at ``slot`` of a run's log.

    The form is the one Workflow SDK 5 requires and 4 accepts (source: ``@workflow/world`` 5.0.0-beta.37).

    Args:
        slot: The event's 1-based position in its run.

    Raises:
        ValueError: If ``slot`` is less than 1.
    """
    if slot < 1:
        raise ValueError(f"A slot is at least 1, not {slot}.")
    return EventId(f"evnt_{slot:0{_SLOT_DIGITS}d}")


def event_slot(identifier: str) -> int:
    """Return the slot that an event id names.

    Raises:
        ValueError: If ``identifier`` is not an event id made by :func:`event_id`.
    """
    prefix, _, digits = identifier.partition("_")
    if prefix != "evnt" or len(digits) != _SLOT_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{identifier!r} is not an event id.")
    return int(digits)


def deployment_id(digest: str) -> DeploymentId:
    """Return the id of the deployment whose artifact has this content digest.

    Args:
        digest: ``sha256:`` and 64 hexadecimal digits.

    Raises:
        ValueError: If ``digest`` has another form.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError(f"{digest!r} is not a digest of the form sha256:<64 hexadecimal digits>.")
    return DeploymentId(f"dep_{match[1][:32]}")
