"""The journal: what was committed lately, in order, for those who follow what happens.

It says only where something was added: which slots of a run's log, which positions of its output. What that is stands
in the database. What other workers commit they tell over the :mod:`.bus`. Entries are numbered, and the number is all
that a follower has to remember. The journal is short: whoever is too slow, or comes from the time of another process,
has to look at the database itself.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from workflow_studio.worker.engine.signals import Signals

if TYPE_CHECKING:
    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.store import Database, Transaction

Kind = Literal["log", "output"]

TOPIC: Final = "journal"
"""What the journal's signals are given for."""

_KEPT: Final = 20_000
"""Additions that are kept at least, if there were so many."""

_REMEMBERED: Final = 20_000
"""Logs and outputs of which it is known how far they were told of."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Entries that were added to one run, following one another.

    Attributes:
        kind: To its log or to its output.
        run_id: The run.
        first: The slot or position of the first of them.
        last: That of the last one.
        number: The number of the first of them in the journal; 0 before it is there.
    """

    kind: Kind
    run_id: str
    first: int
    last: int
    number: int = 0

    @property
    def end(self) -> int:
        """The number in the journal of the last of them."""
        return self.number + self.last - self.first


class Journal:
    """Takes down what is committed.

    Args:
        database: Where it is committed; its transactions tell of it by ``news``.
        bus: Tells of what other workers commit.

    Attributes:
        epoch: Tells this journal from those of other processes.
        grown: Tells, as :data:`TOPIC`, that there is more.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._bus = bus
        bus.on(TOPIC, lambda told: self._add([Addition(*told)]))
        bus.on_gap(self.forget)
        self.epoch = secrets.token_hex(4)
        self.grown = Signals()
        self._additions: list[Addition] = []
        self._end = 0
        self._begin = 0
        self._known: OrderedDict[tuple[Kind, str], int] = OrderedDict()
        database.before_commit(self._note)

    @property
    def end(self) -> int:
        """The number of the newest entry."""
        return self._end

    def after(self, number: int, limit: int) -> list[Addition] | None:
        """Return what was added after an entry: the next ``limit`` entries at most.

        Returns:
            Nothing if there is nothing new; None if what comes after the entry is not kept any more, or never was here.
        """
        if number > self._end or number < self._begin:
            return None
        at = bisect_right(self._additions, number, key=lambda addition: addition.end)
        if at < len(self._additions) and self._additions[at].number > number + 1:
            return None
        taken: list[Addition] = []
        while at < len(self._additions) and limit > 0:
            taken.append(_clipped(self._additions[at], number, limit))
            limit -= taken[-1].last - taken[-1].first + 1
            at += 1
        return taken

    def _note(self, transaction: Transaction) -> None:
        if transaction.news:
            news: list[Addition] = transaction.news
            transaction.after_commit(lambda: self._tell(news))

    def forget(self) -> None:
        """Keep nothing of what was, since something may be missing in it: who follows has to look for it."""
        self._additions.clear()
        self._known.clear()
        self._end += 1
        self._begin = self._end
        self.grown.give(TOPIC)

    def _tell(self, news: list[Addition]) -> None:
        self._add(news)
        for addition in news:
            self._bus.hint(TOPIC, [addition.kind, addition.run_id, addition.first, addition.last])

    def _add(self, news: list[Addition]) -> None:
        for addition in news:
            self._add_one(addition)
        self.grown.give(TOPIC)

    def _add_one(self, addition: Addition) -> None:
        """Add what is new.

        The commits of one run come one after the other, but word of them may not. What comes late was told of before.
        """
        topic = (addition.kind, addition.run_id)
        known = self._known.pop(topic, addition.first - 1)
        self._known[topic] = max(known, addition.last)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if addition.last > known:
            told = replace(addition, first=known + 1, number=self._end + 1)
            self._additions.append(told)
            self._end = told.end
            if len(self._additions) > 2 * _KEPT:
                del self._additions[:_KEPT]


def _clipped(addition: Addition, number: int, limit: int) -> Addition:
    """Return the part of an addition that comes after an entry: ``limit`` entries at most."""
    told = max(0, number + 1 - addition.number)
    first = addition.first + told
    last = min(addition.last, first + limit - 1)
    return replace(addition, first=first, last=last, number=addition.number + told)
