"""What runs print: kept per run up to a bound, the newest lines of it.

When a run has printed more than that, its oldest lines make room: whoever looks wants to know how it ended, and whoever
follows goes on seeing something. What is not there any more is counted.

A workflow function is replayed, and prints its lines again each time. It is deterministic, so the first ``n`` lines of
a replay are those that an earlier one has printed; ``n`` is kept per run, and only what comes after is new.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, delete, insert, select, update

from workflow_studio.worker.engine.encryption import OutputSeal
from workflow_studio.worker.engine.fencing import LeaseLostError
from workflow_studio.worker.engine.journal import Addition
from workflow_studio.worker.engine.params import MAX_PAGE, MAX_WAIT_MS
from workflow_studio.worker.engine.run_views import run_not_found
from workflow_studio.worker.engine.transitions import TERMINAL
from workflow_studio.worker.ports import LEVELS
from workflow_studio.worker.store import LAZILY, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.fencing import Fence
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.ports import Delivery, Level, Line
    from workflow_studio.worker.store import Database, Transaction

DEFAULT_LINES: Final = 10_000
DEFAULT_BYTES: Final = 1024 * 1024
_DEFAULT_PAGE: Final = 100
_REMEMBERED: Final = 10_000
"""Runs of which this process knows how far the workflow function has printed."""

_UNREADABLE: Final = "(encrypted with a key that this worker does not have)"
_T: Final = tables.run_output
_S: Final = tables.run_output_sizes
_INSERT: Final = insert(_T)
_ROOM: Final = select(_S).where(_S.c.run_id == bindparam("run")).with_for_update()
_NEW_ROOM: Final = insert(_S)
_CHANGE_ROOM: Final = update(_S).where(_S.c.run_id == bindparam("run"))


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """How much output is kept per run.

    Attributes:
        lines: How many lines.
        size: How many bytes of text.
    """

    lines: int = DEFAULT_LINES
    size: int = DEFAULT_BYTES


@dataclass(frozen=True, slots=True)
class OutputQuery:
    """Which lines of a run are wanted.

    Attributes:
        run_id: The run.
        step_id: Only those of a step.
        level: Only those of this level and more urgent ones.
        after: Only those after this position.
        limit: How many at most.
    """

    run_id: str
    step_id: str | None = None
    level: Level = LEVELS[0]
    after: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line of a run's output.

    Attributes:
        position: Its place in the output, from 1. Positions of what was dropped are not used again.
        step_id: The step that printed it; None for the workflow function.
        step_name: The step's name.
        attempt: The attempt that printed it.
        level: One of :data:`workflow_studio.worker.ports.LEVELS`.
        at: When, in epoch milliseconds.
        text: The line.
    """

    position: int
    step_id: str | None
    step_name: str | None
    attempt: int
    level: Level
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class OutputPage:
    """Some lines of a run's output, oldest first.

    Attributes:
        lines: The lines.
        last: The position up to which the output was looked through.
        has_more: Whether there are more now.
        dropped: How many lines of the run were not kept.
        finished: Whether the run has ended. What its code left behind may print on.
    """

    lines: tuple[OutputLine, ...]
    last: int
    has_more: bool
    dropped: int
    finished: bool


@dataclass(slots=True)
class _Room:
    """What is kept of a run's output: the row of ``run_output_sizes``."""

    lines: int = 0
    size: int = 0
    dropped: int = 0
    last_position: int = 0
    workflow_lines: int = 0

    def values(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


class Output:
    """What runs print. Implements :class:`workflow_studio.worker.ports.OutputSink`.

    Args:
        database: Where it is kept.
        keyring: Seals it.
        limits: How much is kept per run.
        ended: Tells of runs that end, by their ids.
        grown: Tells of runs that have printed something, by their ids.
    """

    def __init__(
        self, database: Database, keyring: Keyring, limits: OutputLimits, ended: Signals, grown: Signals, fence: Fence
    ) -> None:
        self._database = database
        self._fence = fence
        self._keyring = keyring
        self._limits = limits
        self._ended = ended
        self._grown = grown
        self._workflow_lines: OrderedDict[str, int] = OrderedDict()

    @property
    def in_order(self) -> bool:
        """Whether lines are kept no later than whatever is written after :meth:`append` has been entered."""
        return self._database.in_order

    async def append(
        self, delivery: Delivery, lines: Sequence[Line], *, dropped: int = 0, attempt: int | None = None
    ) -> None:
        """Append lines to the output of the delivery's run, in one transaction.

        Args:
            delivery: Which one printed them.
            lines: The lines, in the order they were printed.
            dropped: How many more were lost on the way.
            attempt: The attempt of the step, if it differs from that of the delivery.

        Raises:
            StoreError: If the database fails.
        """
        run_id = delivery.run_id
        if run_id is None:
            return
        # Nothing is awaited before the write is: `in_order` promises that it is begun at once.
        # Most of what a replay prints is old; that is not worth a transaction.
        known = self._workflow_lines.get(run_id, 0)
        new = [line for line in lines if line.number is None or line.number >= known]
        if not new and not dropped:
            return
        origin = {"run_id": run_id, "step_id": delivery.step_id, "attempt": attempt or delivery.attempt}
        try:
            printed = await self._fence.write(
                self._fence.name(delivery.id),
                lambda: self._database.write(lambda transaction: self._append(transaction, origin, new, dropped)),
            )
        except LeaseLostError:
            return  # whoever delivers the message now prints the lines again
        self._workflow_lines[run_id] = max(printed, self._workflow_lines.pop(run_id, 0))
        if len(self._workflow_lines) > _REMEMBERED:
            self._workflow_lines.popitem(last=False)

    def _append(self, transaction: Transaction, origin: dict[str, Any], lines: list[Line], dropped: int) -> int:
        run_id = origin["run_id"]
        room = _lock(transaction, run_id)
        new = [line for line in lines if line.number is None or line.number >= room.workflow_lines]
        numbers = [line.number + 1 for line in new if line.number is not None]
        room.workflow_lines = max([room.workflow_lines, *numbers])
        texts = [line.text.encode(errors="replace") for line in new]
        kept, size = self._newest(texts)
        room.dropped += dropped + len(new) - kept
        # What is kept has no gap: if a part of these lines is not, nothing before them is.
        self._make_room(transaction, run_id, room, None if kept < len(new) else (kept, size))
        seal = self._keyring.output(run_id).seal
        first = room.last_position + 1
        rows = [
            {
                **origin,
                "position": first + place,
                "level": new[place].level,
                "at": new[place].at,
                "text": seal(first + place, texts[place]),
            }
            for place in range(len(new) - kept, len(new))
        ]
        if rows:
            transaction.execute(_INSERT, rows)
        room.last_position += len(new)
        room.lines += kept
        room.size += size
        transaction.execute(_CHANGE_ROOM, {"run": run_id, **room.values()})
        if rows:
            transaction.news.append(Addition("output", run_id, rows[0]["position"], room.last_position))
        transaction.after_commit(lambda: self._grown.give(run_id))
        return room.workflow_lines

    def _newest(self, texts: list[bytes]) -> tuple[int, int]:
        """Return how many of the last texts may be kept at all, and how long they are together."""
        kept = size = 0
        for text in reversed(texts):
            if kept == self._limits.lines or size + len(text) > self._limits.size:
                break
            kept += 1
            size += len(text)
        return kept, size

    def _make_room(self, transaction: Transaction, run_id: str, room: _Room, wanted: tuple[int, int] | None) -> None:
        """Delete the oldest lines, so that so many more lines and bytes are within the limits; all of them if None."""
        lines, size = wanted or (self._limits.lines, self._limits.size)
        excess_lines = room.lines + lines - self._limits.lines
        excess_size = room.size + size - self._limits.size
        if excess_lines <= 0 and excess_size <= 0:
            return
        oldest = select(_T.c.position, _T.c.text).where(_T.c.run_id == run_id).order_by(_T.c.position)
        last = gone = freed = 0
        with closing(transaction.execute(oldest.execution_options(**LAZILY))) as rows:
            for row in rows:
                if gone >= excess_lines and freed >= excess_size:
                    break
                last = row.position
                gone += 1
                freed += OutputSeal.size_of(row.text)
        transaction.execute(delete(_T).where(_T.c.run_id == run_id, _T.c.position <= last))
        room.lines -= gone
        room.size = max(0, room.size - freed)
        room.dropped += gone

    async def list(self, query: OutputQuery, wait_ms: float = 0) -> OutputPage:
        """Return lines, oldest first, waiting for the first of them or the end of the run if told to.

        Args:
            query: Which ones.
            wait_ms: How many milliseconds to wait; at most 25,000 of them count.

        Raises:
            EngineError: ``run_not_found``.
        """
        deadline = asyncio.get_running_loop().time() + min(wait_ms, MAX_WAIT_MS) / 1000
        with self._grown.listening(query.run_id) as grown, self._ended.listening(query.run_id) as ended:
            while True:
                page = await self._database.read(lambda connection: self._list(connection, query))
                if page.lines or page.finished or not wait_ms:
                    return page
                waits = [asyncio.ensure_future(listener.wait_until(deadline)) for listener in (grown, ended)]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
                    heard = await asyncio.gather(*waits, return_exceptions=True)
                if True not in heard:
                    return page

    def _list(self, connection: Connection, query: OutputQuery) -> OutputPage:
        status = connection.execute(select(tables.runs.c.status).where(tables.runs.c.run_id == query.run_id)).scalar()
        if status is None:
            raise run_not_found(query.run_id)
        sizes = connection.execute(select(_S.c.last_position, _S.c.dropped).where(_S.c.run_id == query.run_id)).first()
        last, dropped = (0, 0) if sizes is None else (sizes.last_position, sizes.dropped)
        limit = min(query.limit or _DEFAULT_PAGE, MAX_PAGE)
        rows = connection.execute(_selected(query).limit(limit + 1)).all()
        has_more = len(rows) > limit
        seal = self._keyring.output(query.run_id)
        lines = tuple(_line(row, seal) for row in rows[:limit])
        # Where nothing is left, what the filters passed by need not be looked through again.
        reached = lines[-1].position if has_more else max(last, query.after)
        return OutputPage(lines, reached, has_more, dropped, finished=status in TERMINAL)

    def between(self, connection: Connection, run_id: str, first: int, last: int) -> tuple[OutputLine, ...]:
        """Return the lines of a run from one position to another, both included."""
        selected = _selected(OutputQuery(run_id, after=first - 1)).where(_T.c.position <= last)
        seal = self._keyring.output(run_id)
        return tuple(_line(row, seal) for row in connection.execute(selected))


def _line(row: Any, seal: OutputSeal) -> OutputLine:
    text = seal.open(row.position, row.text)
    return OutputLine(
        position=row.position,
        step_id=row.step_id,
        step_name=row.step_name,
        attempt=row.attempt,
        level=row.level,
        at=row.at,
        text=_UNREADABLE if text is None else text.decode(errors="replace"),
    )


def _lock(transaction: Transaction, run_id: str) -> _Room:
    row = transaction.execute(_ROOM, {"run": run_id}).mappings().first()
    if row is None:
        transaction.execute(_NEW_ROOM, {"run_id": run_id, **_Room().values()})
        return _Room()
    return _Room(**{name: value for name, value in row.items() if name != "run_id"})


def _selected(query: OutputQuery) -> Any:
    s = tables.steps
    of_step = and_(s.c.run_id == _T.c.run_id, s.c.step_id == _T.c.step_id)
    selected = (
        select(_T, s.c.step_name)
        .select_from(_T.outerjoin(s, of_step))
        .where(_T.c.run_id == query.run_id, _T.c.position > query.after)
        .order_by(_T.c.position)
    )
    if query.step_id is not None:
        selected = selected.where(_T.c.step_id == query.step_id)
    if query.level != LEVELS[0]:
        selected = selected.where(_T.c.level.in_(LEVELS[LEVELS.index(query.level) :]))
    return selected
