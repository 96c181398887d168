"""Large payloads: kept as objects in place of rows, if the settings say from which size on.

A payload is stored as an object before the event that brings it is written, and whoever reads it gets it as it came.
What is in an object is what would be in the row: encrypted, if the run is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import select
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential

from workflow_studio.worker.engine import references
from workflow_studio.worker.engine.objects import digest_of
from workflow_studio.worker.objects import ObjectMissingError, ObjectStoreError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, MutableMapping, Sequence

    from workflow_studio.worker.engine.object_rows import Stored
    from workflow_studio.worker.engine.objects import Objects
    from workflow_studio.worker.ports import BatchedCall
    from workflow_studio.worker.store import Database

Read: TypeAlias = "Callable[[Any], Awaitable[dict[str, Any]]]"
_Place: TypeAlias = "tuple[MutableMapping[str, Any], str, Stored]"
_PATIENCE_SECONDS: Final = 20.0
"""How long a store that fails is asked again: a step that was begun would lose an attempt."""

_CACHED_BYTES: Final = 32 * 1024 * 1024
_FIELDS: Final = ("input", "output", "metadata")
_ENTITIES: Final = ("run", "step", "hook", "event")
_EVENT_FIELDS: Final = tuple(dict.fromkeys(references.PAYLOAD_IN.values()))
_WAIT: Final = wait_exponential(multiplier=0.1, max=2.0)


class Payloads:
    """Puts large payloads away, and gets them back.

    Args:
        database: Has the rows.
        objects: Has the payloads.
        least: From how many bytes on a payload is large; None keeps all of them in rows.
    """

    def __init__(self, database: Database, objects: Objects, least: int | None) -> None:
        self._database = database
        self._objects = objects
        self._least = least
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0

    async def put_away(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters of a World method with references in place of large payloads, which are stored.

        Raises:
            ObjectStoreError: If one cannot be stored.
        """
        if self._least is None:
            return params
        if method == "events.create":
            return await self._put_event_away(params)
        calls = params.get("calls")
        if method != "batch" or not isinstance(calls, list):
            return params
        put: list[Any] = []
        for call in calls:
            inner = call.get("params") if isinstance(call, dict) and call.get("method") == "events.create" else None
            put.append({**call, "params": await self._put_event_away(inner)} if isinstance(inner, dict) else call)
        onward = params.get("onward")
        if isinstance(onward, dict):
            params = {**params, "onward": await self.put_away(method, onward)}
        return {**params, "calls": put}

    async def put_calls_away(self, calls: Sequence[BatchedCall]) -> Sequence[BatchedCall]:
        """Do what :meth:`put_away` does for the calls of a batch."""
        if self._least is None:
            return calls
        put = []
        for call in calls:
            params = await self.put_away(call.method, call.params)
            put.append(call if params is call.params else replace(call, params=params))
        return put

    async def _put_event_away(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        event = params.get("event")
        data = event.get("eventData") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(data, dict):
            return params
        name = references.PAYLOAD_IN.get(str(event.get("eventType")), "")
        payload = data.get(name)
        if not isinstance(payload, bytes) or self._least is None or len(payload) < self._least:
            return params
        digest = digest_of(payload)
        # What is being deleted just now stays in its row: nobody has to wait for that.
        stored = (await self._objects.keep({digest: payload}, patience=0)).get(digest)
        if stored is None:
            return params
        self._remember(digest, payload)
        return {**params, "event": {**event, "eventData": {**data, name: references.reference(stored)}}}

    async def fill(self, entities: Iterable[MutableMapping[str, Any]]) -> None:
        """Put the payloads of runs, steps, hooks and events in place of references to them.

        Raises:
            ObjectStoreError: If one cannot be had.
        """
        places: list[_Place] = []
        for entity in entities:
            places += _places(entity, _FIELDS)
            places += _places(entity.get("eventData") or {}, _EVENT_FIELDS)
        if not places:
            return
        wanted = dict.fromkeys(stored for _, _, stored in places)
        contents = dict(zip(wanted, await asyncio.gather(*map(self._read, wanted)), strict=True))
        for holder, name, stored in places:
            holder[name] = contents[stored]

    def filling(self, read: Read) -> Read:
        """Return a read of an entity, or of a page of them, whose payloads are all there."""

        async def filled(params: Any) -> dict[str, Any]:
            found = await read(params)
            await self.fill(found.get("data", (found,)))
            return found

        return filled

    async def fill_answer(self, answer: Mapping[str, Any]) -> None:
        """Do what :meth:`fill` does for all that an answer of the World has.

        Raises:
            ObjectStoreError: If a payload cannot be had.
        """
        found = [answer[name] for name in _ENTITIES if isinstance(answer.get(name), dict)]
        await self.fill([*found, *answer.get("events", ())])

    async def input_of(self, run_id: str) -> bytes | None:
        """Return the input of a run if it is an object.

        Raises:
            ObjectStoreError: If it cannot be had.
        """
        query = select(tables.runs.c.input).where(tables.runs.c.run_id == run_id)
        data = await self._database.read(lambda connection: connection.execute(query).scalar())
        stored = references.referred(references.decode(data)) if data else None
        return None if stored is None else await self._read(stored)

    async def _read(self, stored: Stored) -> bytes:
        known = self._cache.get(stored.digest)
        if known is not None:
            self._cache.move_to_end(stored.digest)
            return known
        again = AsyncRetrying(
            retry=retry_if_exception(_may_pass), wait=_WAIT, stop=stop_after_delay(_PATIENCE_SECONDS), reraise=True
        )
        content: bytes = await again(self._objects.read, stored)
        self._remember(stored.digest, content)
        return content

    def _remember(self, digest: str, content: bytes) -> None:
        if digest in self._cache:
            return
        self._cache[digest] = content
        self._cached += len(content)
        while self._cached > _CACHED_BYTES:
            _, gone = self._cache.popitem(last=False)
            self._cached -= len(gone)


def _places(holder: MutableMapping[str, Any], names: Container[str]) -> list[_Place]:
    """Return where references are in an entity."""
    return [
        (holder, name, references.stored_as(value))
        for name, value in holder.items()
        if type(value) is references.Reference and name in names
    ]


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ObjectStoreError) and not isinstance(error, ObjectMissingError)
