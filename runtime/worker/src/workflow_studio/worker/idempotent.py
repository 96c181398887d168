"""Requests that may be sent twice: the second one gets the first one's answer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine.idempotency import Begun, Conflict, InProgress, Replay
from workflow_studio.worker.problems import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.engine.idempotency import IdempotencyKeys

HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent, and sent again."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Request:
    """What names a request.

    Attributes:
        project: The project of the caller's key.
        key: The idempotency key.
        endpoint: Where it was sent to.
        content: What was sent.
    """

    project: str
    key: str
    endpoint: str
    content: bytes


def checked_key(key: str | None) -> str | None:
    """Return an ``Idempotency-Key`` header.

    Raises:
        Problem: If it is empty, too long, or holds anything but printable ASCII.
    """
    if key is None or _KEY.fullmatch(key):
        return key
    raise problem(400, ErrorCode.INVALID_REQUEST, "An idempotency key is 1 to 200 printable ASCII characters.")


async def answered_once(
    keys: IdempotencyKeys,
    request: Request,
    handle: Callable[[str], Awaitable[Answer]],
    *,
    patience: float = 0,
) -> Answer:
    """Answer a request, or give the answer it got before.

    A refusal has no effect, so it is not recorded: sent again, the request is judged anew.

    Args:
        keys: The records.
        request: The request.
        handle: Does the work; is given a run id that is the same if it has to be done again after a crash.
        patience: Seconds to wait for the same request, if it is being handled just now.

    Raises:
        Problem: ``idempotency_conflict`` or ``idempotency_in_progress``.
    """
    name = (request.project, request.key, request.endpoint)
    begun = await _begin(keys, name, hashlib.sha256(request.content).hexdigest(), patience)
    if isinstance(begun, Replay):
        return Answer(begun.status, begun.body, begun.content_type)
    try:
        answer = await handle(begun.run_id)
    except Exception:
        await keys.abandon(*name)
        raise
    await keys.finish(*name, status=answer.status, body=answer.body, content_type=answer.content_type)
    return answer


async def _begin(keys: IdempotencyKeys, name: tuple[str, str, str], digest: str, patience: float) -> Begun | Replay:
    give_up_at = anyio.current_time() + patience
    while True:
        match await keys.begin(*name, digest):
            case Begun() | Replay() as found:
                return found
            case Conflict():
                raise problem(
                    409,
                    ErrorCode.IDEMPOTENCY_CONFLICT,
                    "The idempotency key was used for another request within the last 24 hours.",
                    "Use a new key for a new request, and send a repeat unchanged.",
                )
            case InProgress() if anyio.current_time() >= give_up_at:
                raise problem(
                    409,
                    ErrorCode.IDEMPOTENCY_IN_PROGRESS,
                    "The same request is being handled just now.",
                    "Send it again in a moment to get its answer.",
                    headers={"retry-after": "1"},
                )
        await anyio.sleep(_POLL_SECONDS)
