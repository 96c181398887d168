"""The feed: what happens in runs, told to those who follow it, while it happens."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.engine.following import SILENCE_SECONDS
from workflow_studio.worker.engine.journal import TOPIC
from workflow_studio.worker.engine.signals import first_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from workflow_studio.worker.engine.activity_rows import ActivityRows, Wanted
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.journal import Journal

CURSOR: Final = re.compile(r"([0-9a-f]{8}|-)\.(\d{1,18})\.(\d{1,15})")
"""A place in the feed: a journal, a number in it, and, for when it is not known any more, a moment."""

_BATCH: Final = 200
"""Entries that are held at a time for one reader."""

_OVERLAP_MS: Final = 5_000
"""A moment is not exact: an event is dated before it is committed."""

_NO_JOURNAL: Final = "-"


@dataclass(frozen=True, slots=True)
class ActivityPart:
    """Entries of the feed that follow one another. None of them means that it goes on and there is nothing new.

    Attributes:
        entries: Each with the cursor after it; see :meth:`.activity_rows.ActivityRows.read`.
        cursor: Where to go on.
    """

    entries: tuple[tuple[str, dict[str, Any]], ...]
    cursor: str


@dataclass(slots=True)
class _Reader:
    """Where a reader is.

    Attributes:
        wanted: What of the feed it wants.
        number: The last entry of the journal that it was told.
        moment: When that was, in epoch milliseconds.
        is_lost: Whether the journal does not know its place.
        missed: Whether something was left out since it was told an entry.
    """

    wanted: Wanted
    number: int
    moment: int
    is_lost: bool = False
    missed: bool = False


class Activity:
    """Tells what happens in runs.

    A reader is a number in the journal, and at most :data:`_BATCH` entries. What the journal has no longer, since the
    reader comes from before a restart or is too slow, is looked for in the database, within limits. What happens in one
    run is told in its order. Around such a search some of it may be told again.
    """

    def __init__(self, rows: ActivityRows, journal: Journal, clock: Clock) -> None:
        self._rows = rows
        self._journal = journal
        self._clock = clock

    @property
    def readers(self) -> int:
        """How many follow it."""
        return self._journal.grown.listeners

    async def follow(
        self, wanted: Wanted, cursor: str | None, *, waits: bool = True, stopping: asyncio.Event
    ) -> AsyncGenerator[ActivityPart, None]:
        """Give the feed in parts, the first of them at once, and one at least every :data:`.SILENCE_SECONDS`.

        Args:
            wanted: What of it.
            cursor: Where to begin, of the form of :data:`CURSOR`; what happens from now on if None.
            waits: Whether to wait for what happens from now on.
            stopping: Ends it.
        """
        reader = self._reader(wanted, cursor)
        loop = asyncio.get_running_loop()
        due = began = loop.time()
        with self._journal.grown.listening(TOPIC) as grown:
            while due == began or not stopping.is_set():  # one part at least
                was_lost = reader.is_lost
                parts = self._found(reader) if was_lost else self._news(reader)
                async with aclosing(parts):
                    async for part in parts:
                        if part.entries or loop.time() >= due:
                            yield part
                            due = loop.time() + SILENCE_SECONDS
                if was_lost:
                    due = began = loop.time()  # what comes next says where the feed goes on
                elif not reader.is_lost and reader.number == self._journal.end:
                    if not waits:
                        return
                    await first_of(due, grown.wait_until(due), stopping.wait())

    def _reader(self, wanted: Wanted, cursor: str | None) -> _Reader:
        match = None if cursor is None else CURSOR.fullmatch(cursor)
        if match is None:
            return _Reader(wanted, self._journal.end, self._clock())
        known = match[1] == self._journal.epoch
        return _Reader(wanted, int(match[2]), int(match[3]), is_lost=not known)

    async def _news(self, reader: _Reader) -> AsyncGenerator[ActivityPart, None]:
        """Give what comes next in the journal."""
        additions = self._journal.after(reader.number, _BATCH)
        if additions is None:
            reader.is_lost = True
            return
        now = self._clock()  # what is committed after this is not in those
        found = await self._rows.read(additions, reader.wanted)
        if additions:
            reader.number = additions[-1].end
        epoch = self._journal.epoch
        entries = [(f"{epoch}.{number}.{fields['at']}", fields) for number, fields in found]
        reader.moment = now
        yield self._part(reader, entries, f"{epoch}.{reader.number}.{now}")

    async def _found(self, reader: _Reader) -> AsyncGenerator[ActivityPart, None]:
        """Give what is found by its time, and note where the journal goes on from there."""
        reader.number, now = self._journal.end, self._clock()
        additions, may_lack = await self._rows.since(reader.moment - _OVERLAP_MS, reader.wanted.run_id)
        reader.missed = reader.missed or may_lack
        for start in range(0, len(additions), _BATCH):
            found = await self._rows.read(additions[start : start + _BATCH], reader.wanted)
            # Who breaks off here has to search again: it was not told what the journal has no more.
            entries = [(f"{_NO_JOURNAL}.0.{fields['at']}", fields) for _, fields in found]
            if entries:
                yield self._part(reader, entries, entries[-1][0])
        reader.is_lost, reader.moment = False, now

    @staticmethod
    def _part(reader: _Reader, entries: list[tuple[str, dict[str, Any]]], cursor: str) -> ActivityPart:
        if reader.missed and entries:
            entries[0][1]["missed"] = True
            reader.missed = False
        return ActivityPart(tuple(entries), cursor)
