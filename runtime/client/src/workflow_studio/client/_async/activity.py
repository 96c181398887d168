"""What happens in runs, while it happens."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Unpack, overload

import anyio

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import activity as calls
from workflow_studio.client._core import Prepared
from workflow_studio.client._errors import ComputeClientError
from workflow_studio.client._following import PATIENCE, Following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workflow_studio.client._filters import ActivityFilter
    from workflow_studio.compute.api import ActivityEntry


class AsyncActivity(AsyncBase):
    """Follows what happens in runs."""

    @overload
    def follow_activity(
        self, *, cursor: str | None = None, patience: float = PATIENCE, **filters: Unpack[ActivityFilter]
    ) -> AsyncIterator[ActivityEntry]: ...

    @overload
    def follow_activity(
        self,
        *,
        cursor: str | None = None,
        patience: float = PATIENCE,
        with_pauses: bool,
        **filters: Unpack[ActivityFilter],
    ) -> AsyncIterator[ActivityEntry | None]: ...

    async def follow_activity(
        self,
        *,
        cursor: str | None = None,
        patience: float = PATIENCE,
        with_pauses: bool = False,
        **filters: Unpack[ActivityFilter],
    ) -> AsyncIterator[ActivityEntry | None]:
        """Return what happens in runs as it happens: events of their logs, and the lines that their code prints.

        It goes on for ever. What happens in one run comes in order. A connection that is cut is made again, and the
        following goes on where it was, also when the worker is started anew meanwhile.

        Args:
            cursor: Where to begin: the ``cursor`` of an entry. What happens from now on if absent.
            patience: Seconds that the worker may be out of reach; then it fails.
            with_pauses: Whether to give None, too: once the feed has begun, and now and then while nothing happens.
            filters: What is wanted; everything if absent.
        """
        following = Following(cursor, patience)
        while True:
            prepared = Prepared(calls.follow_activity(filters, following.cursor), self._options)
            following.begins()
            try:
                async with aclosing(self._lines(prepared)) as lines:
                    async for line in lines:
                        entry = following.takes(line)
                        if entry is not None or with_pauses:
                            yield entry
            except ComputeClientError as error:
                following.fails(error)
            await anyio.sleep(following.pause())
