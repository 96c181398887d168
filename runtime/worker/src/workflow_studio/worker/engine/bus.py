"""The bus: how the workers of a service tell each other what they need not look for.

Everything that counts is in the database. What goes over the bus are hints: that a stream has grown, that a run has
ended, that there is more to deliver than one worker has places for. So nothing waits for it, and it may be lost: a
worker that lost its connection looks at everything anew when it has one again, and whoever waits for something looks
again when its time is up.

A hint is given after the commit, and those of a few milliseconds go together. It could be sent with the commit, but
PostgreSQL lets one transaction at a time commit that notifies; events would queue there. What is rare and should be
known at once, such as a key that was revoked, is told in the transaction that changes it.

A worker that is alone tells nobody anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.store import StoreError
from workflow_studio.worker.store.database import MAX_SAID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
_GATHERED_SECONDS: Final = 0.003
_MAX_WAITING: Final = 50_000
"""Hints that wait to be sent. With more than that the others are told to look at everything."""

_EVERYTHING: Final = "everything"
DUE: Final = "due"
"""That there are messages to deliver which the worker that says so has no place for."""

Hint = str | list[Any]


class Bus:
    """Tells the other workers, and hears what they tell.

    Args:
        database: Carries it.
        worker_id: Names this worker, which need not hear what it said.

    Attributes:
        others: How many other workers there are; set by :mod:`.workers`.
    """

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._me = worker_id
        self.others = 0
        self._heard: defaultdict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self._on_gap: list[Callable[[], None]] = []
        self._waiting: dict[tuple[str, str], Hint] = {}
        self._sending: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    def on(self, topic: str, callback: Callable[[Any], None]) -> None:
        """Have ``callback`` called with each hint of another worker on a topic."""
        self._heard[topic].append(callback)

    def on_gap(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when hints may have been missed."""
        self._on_gap.append(callback)

    def hint(self, topic: str, hint: Hint) -> None:
        """Tell the others soon. To be called on the event loop, after the commit that it is about."""
        if not self.others:
            return
        key = hint if isinstance(hint, str) else json.dumps(hint)
        self._waiting[topic, key] = hint
        if len(self._waiting) > _MAX_WAITING:
            self._waiting = {(_EVERYTHING, ""): ""}
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="bus")

    def tell(self, transaction: Transaction, topic: str, hint: Hint) -> None:
        """Tell the others once the transaction is committed; for what is rare."""
        self._database.tell(transaction, self._said([(topic, hint)]))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear what the others tell as long as this lasts."""
        task = asyncio.create_task(self._listen(), name="bus listener") if self._database.is_shared else None
        if task is not None:
            await asyncio.wait([task, asyncio.ensure_future(self._listening.wait())], return_when="FIRST_COMPLETED")
        try:
            yield
        finally:
            for one in (task, self._sending):
                if one is not None:
                    one.cancel()
                    await asyncio.gather(one, return_exceptions=True)

    def miss(self) -> None:
        """Have everybody look at everything anew."""
        for callback in self._on_gap:
            callback()

    async def _send(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHERED_SECONDS)
                waiting, self._waiting = self._waiting, {}
                said = list(_packed([(topic, hint) for (topic, _), hint in waiting.items()]))
                await self._database.write(lambda transaction, said=said: self._say(transaction, said))  # type: ignore[misc]
        except StoreError as error:
            _LOG.warning("The other workers could not be told what is new: %s", error.message)
            self._waiting = {(_EVERYTHING, ""): ""}
        finally:
            self._sending = None

    def _say(self, transaction: Transaction, said: list[list[tuple[str, Hint]]]) -> None:
        for hints in said:
            self._database.tell(transaction, self._said(hints))

    def _said(self, hints: list[tuple[str, Hint]]) -> str:
        return json.dumps([self._me, hints], separators=(",", ":"))

    async def _listen(self) -> None:
        listener = self._database.listen()
        if listener is None:
            return
        async for said in listener:
            self._listening.set()
            try:
                self._hear(said)
            except Exception:  # noqa: BLE001  # the next word may be a better one
                _LOG.exception("What another worker told could not be understood.")

    def _hear(self, said: str | None) -> None:
        if said is None:
            self.miss()
            return
        speaker, hints = json.loads(said)
        if speaker == self._me:
            return
        for topic, hint in hints:
            if topic == _EVERYTHING:
                self.miss()
            for callback in self._heard.get(topic, ()):
                callback(hint)


def _packed(hints: list[tuple[str, Hint]]) -> list[list[tuple[str, Hint]]]:
    """Divide hints into portions that can be told at a time."""
    packed: list[list[tuple[str, Hint]]] = [[]]
    room = MAX_SAID
    for topic, hint in hints:
        size = len(json.dumps([topic, hint])) + 1
        if size > MAX_SAID:
            return [[(_EVERYTHING, "")]]
        if size > room:
            packed.append([])
            room = MAX_SAID
        packed[-1].append((topic, hint))
        room -= size
    return packed
