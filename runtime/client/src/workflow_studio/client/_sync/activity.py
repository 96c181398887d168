# Made from _async/activity.py by tests.support.blocking_client; change that.

"""What happens in runs, while it happens."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Unpack, overload

from workflow_studio.client._calls import activity as calls
from workflow_studio.client._core import Prepared
from workflow_studio.client._errors import ComputeClientError
from workflow_studio.client._following import PATIENCE, Following
from workflow_studio.client._sync.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflow_studio.client._filters import ActivityFilter
    from workflow_studio.compute.api import ActivityEntry


class Activity(Base):
    """Follows what happens in runs."""

    @overload
    def follow_activity(
        self, *, cursor: str | None = None, patience: float = PATIENCE, **filters: Unpack[ActivityFilter]
    ) -> Iterator[ActivityEntry]: ...

    @overload
    def follow_activity(
        self,
        *,
        cursor: str | None = None,
        patience: float = PATIENCE,
        with_pauses: bool,
        **filters: Unpack[ActivityFilter],
    ) -> Iterator[ActivityEntry | None]: ...

    def follow_activity(
        self,
        *,
        cursor: str | None = None,
        patience: float = PATIENCE,
        with_pauses: bool = False,
        **filters: Unpack[ActivityFilter],
    ) -> Iterator[ActivityEntry | None]:
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
                with closing(self._lines(prepared)) as lines:
                    for line in lines:
                        entry = following.takes(line)
                        if entry is not None or with_pauses:
                            yield entry
            except ComputeClientError as error:
                following.fails(error)
            time.sleep(following.pause())
