"""What the deliveries of one executor print, on its way to the store.

The executor sends lines in batches (``output`` frames; see ``docs/reference/wire.md``). A batch is stored before the
events and the outcome of the delivery that the executor sent after it, so a step or a run that is seen to have ended
has all its output.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.execution.output import printable
from workflow_studio.worker.ports import LEVELS, Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.ports import Delivery, OutputSink

logger = logging.getLogger("workflow_studio.worker.execution")

MAX_LINE: Final = 16 * 1024
"""Bytes of a line that are kept."""

_MAX_PENDING: Final = 16 * 1024 * 1024
"""Characters that may wait to be stored. The executor waits with the next batch; this bounds one that does not."""

_REMEMBERED: Final = 1024
"""Deliveries that have ended and may still print, by timers and promises that they began."""

_LATEST: Final = 4_102_444_800_000
"""2100-01-01: a time beyond it, or before 1970, is none."""

_ESCAPES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, moves
    r"|\x1b[ -/]*[0-Z\\^-~]"  # the rest
)
"""Escape sequences (source: ECMA-48, 5.4)."""

_DIRECTIONS: Final = re.compile("[\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def readable(text: str, cut: int = 0) -> str:
    """Return a line as it is kept: without colours, other control characters made visible, and not too long.

    Args:
        text: The line.
        cut: How many characters it lost already.
    """
    shown = printable(_ESCAPES.sub("", text.rstrip("\r")))
    shown = _DIRECTIONS.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
    encoded = shown.encode(errors="replace")
    if len(encoded) > MAX_LINE:
        kept = encoded[:MAX_LINE].decode(errors="ignore")
        cut += len(shown) - len(kept)
        shown = kept
    return f"{shown} … ({cut} more characters)" if cut else shown


class Printed:
    """The output of an executor's deliveries.

    Args:
        sink: Where it is stored; None stores nothing.
        tell: Sends a frame to the executor, if it is still there.
    """

    def __init__(self, sink: OutputSink | None, tell: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._sink = sink
        self._tell = tell
        self._deliveries: dict[str, Delivery] = {}
        self._ended: OrderedDict[str, Delivery] = OrderedDict()
        self._last: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0

    def begin(self, delivery: Delivery) -> None:
        """Note a delivery: what it prints belongs to its run and step."""
        self._deliveries[delivery.id] = delivery

    def end(self, delivery_id: str) -> None:
        """Note that a delivery is over; it may print more all the same."""
        self._ended[delivery_id] = self._deliveries.pop(delivery_id)
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def receive(self, frame: dict[str, Any]) -> None:
        """Take a batch; it is stored in the background.

        Raises:
            ValueError: If it is none. So may others be raised: the executor can send anything.
        """
        name = str(frame["delivery"])
        delivery = self._deliveries.get(name) or self._ended.get(name)
        lines = [_line(entry) for entry in frame["lines"]]
        dropped = max(0, int(frame["dropped"]))
        attempt = frame.get("attempt")
        if delivery is None or delivery.run_id is None or self._sink is None:
            lines, dropped = [], 0
        size = sum(len(line.text) for line in lines)
        if self._pending + size > _MAX_PENDING:
            lines, dropped, size = [], dropped + len(lines), 0
        self._pending += size
        before = self._last.get(name)
        storing = self._store(before, name, delivery, lines, dropped, attempt if type(attempt) is int else None)
        task = asyncio.create_task(storing)
        self._last[name] = task
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._stored(name, task, size))

    async def settled(self, delivery_id: str | None) -> None:
        """Wait until all that a delivery is known to have printed is stored before what is written from now on.

        What could not be stored counts as well.
        """
        task = self._last.get(delivery_id or "")
        if task is None:
            return
        if self._sink is not None and self._sink.in_order:
            await asyncio.sleep(0)  # the task was made before this one; now it has been entered
        else:
            await asyncio.wait([task])

    async def close(self) -> None:
        """Wait until everything is stored."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _stored(self, name: str, task: asyncio.Task[None], size: int) -> None:
        self._pending -= size
        self._tasks.discard(task)
        if self._last.get(name) is task:
            del self._last[name]

    async def _store(
        self,
        before: asyncio.Task[None] | None,
        name: str,
        delivery: Delivery | None,
        lines: list[Line],
        dropped: int,
        attempt: int | None,
    ) -> None:
        if before is not None and self._sink is not None and not self._sink.in_order:
            await asyncio.wait([before])
        if delivery is not None and self._sink is not None and (lines or dropped):
            try:
                await self._sink.append(delivery, lines, dropped=dropped, attempt=attempt)
            except Exception:
                # What a step prints is not worth its failure.
                logger.exception("%d lines that delivery %s printed could not be stored.", len(lines) + dropped, name)
        await self._tell({"t": "stored", "delivery": name})


def _line(entry: Any) -> Line:
    at, level, number = entry["at"], str(entry["level"]), entry.get("line")
    if level not in LEVELS:
        raise ValueError(f"a line of the level {level!r}")
    if type(at) is not int or not 0 <= at < _LATEST:
        at = time.time_ns() // 1_000_000
    if number is not None and (type(number) is not int or not 0 <= number < 2**53):
        raise ValueError(f"a line with the number {number!r}")
    return Line(at, level, readable(str(entry["text"]), max(0, int(entry.get("cut", 0)))), number)
