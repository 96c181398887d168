"""The HTTP request in whose course something happens: what events, audit entries and log lines name it by.

It is kept in a context variable, so that nothing between the gate and the database has to hand it on. Tasks that a
request leaves behind, such as those of an executor that it had started, outlive it: they see that it is over.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
"""How a line of the worker's log looks; ``-`` stands for no request."""

_CURRENT: ContextVar[Origin | None] = ContextVar("workflow_studio_origin", default=None)


@dataclass(slots=True)
class Origin:
    """A request.

    Attributes:
        request_id: Its correlation id.
        key_id: The key it came with, once that is known.
        act: What the audit log is to say of it, if it may change something.
        code: The error code of its refusal, if it is refused.
        over: Whether it was answered.
    """

    request_id: str
    key_id: str | None = None
    act: Any = None
    code: str | None = None
    over: bool = False


def current() -> Origin | None:
    """Return the request in whose course this is called, if it is still under way."""
    origin = _CURRENT.get()
    return None if origin is None or origin.over else origin


@contextmanager
def in_course_of(origin: Origin) -> Iterator[None]:
    """Have everything that is done inside be in the course of a request."""
    token = _CURRENT.set(origin)
    try:
        yield
    finally:
        origin.over = True
        _CURRENT.reset(token)


class NamesRequests(logging.Filter):
    """Lets every record through, with the correlation id of the request it is about as ``request_id``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Name the request."""
        origin = current()
        record.request_id = "-" if origin is None else origin.request_id
        return True


def name_requests_in_log() -> None:
    """Have the handlers of the root logger write :data:`LOG_FORMAT`."""
    formatter = logging.Formatter(LOG_FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(NamesRequests())
        handler.setFormatter(formatter)
