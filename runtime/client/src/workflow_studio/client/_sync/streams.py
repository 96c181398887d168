# Made from _async/streams.py by tests.support.blocking_client; change that.

"""What runs write while they go on: streams and output."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Unpack, overload

from workflow_studio.client._calls import timeline as calls
from workflow_studio.client._calls.runs import get_run
from workflow_studio.client._core import Prepared, is_passing
from workflow_studio.client._errors import ComputeClientError
from workflow_studio.client._reading import Reading
from workflow_studio.client._sync.base import Base
from workflow_studio.client._waiting import BREATH, Polls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflow_studio.client._filters import OutputFilter, Part
    from workflow_studio.compute.api import OutputLine, OutputPage, Page, Stream, StreamLine
    from workflow_studio.compute.ids import RunId


class Streams(Base):
    """Reads what runs write, also while they write it."""

    def list_run_streams(self, run_id: RunId, **part: Unpack[Part]) -> Page[Stream]:
        """Return some of a run's streams, by name."""
        return self._send(calls.list_run_streams(run_id, part))

    def iter_run_streams(self, run_id: RunId, **part: Unpack[Part]) -> Iterator[Stream]:
        """Return all of a run's streams, by name, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_run_streams(run_id, {**part, "cursor": at}), part.get("cursor"))

    @overload
    def read_run_stream(
        self, run_id: RunId, name: str, *, start_index: int = 0, follow: bool = True
    ) -> Iterator[StreamLine]: ...

    @overload
    def read_run_stream(
        self, run_id: RunId, name: str, *, start_index: int = 0, follow: bool = True, with_pauses: bool
    ) -> Iterator[StreamLine | None]: ...

    def read_run_stream(
        self, run_id: RunId, name: str, *, start_index: int = 0, follow: bool = True, with_pauses: bool = False
    ) -> Iterator[StreamLine | None]:
        """Return the chunks of a stream as they are written, each with its ``index`` and its ``value``.

        Ends when the stream is closed or its run has ended. A connection that is cut is made again, and the reading
        goes on where it was; it fails when that failed as often in a row as calls are repeated.

        Args:
            run_id: The run that writes it.
            name: The stream's name.
            start_index: The first chunk wanted; -3 is the third from the end.
            follow: Whether to wait for chunks that are not there yet.
            with_pauses: Whether to give None, too, now and then while nothing is written, so that the caller can look
                whether anybody still listens.
        """
        reading = Reading(start_index, follow=follow, retries=self._options.retries)
        while not reading.is_over:
            prepared = Prepared(calls.read_run_stream(run_id, name, reading.index, follow=follow), self._options)
            reading.begins()
            try:
                with closing(self._lines(prepared)) as lines:
                    for line in lines:
                        chunk = reading.takes(line)
                        if chunk is not None or (with_pauses and not line.strip()):
                            yield chunk
                reading.ends()
            except ComputeClientError as error:
                reading.fails(error)
            if reading.is_unsure:
                run = self._send(get_run(run_id, "none"))
                reading.looked(run_has_ended=run.finished)
            if not reading.is_over:
                time.sleep(reading.pause())

    def list_run_output(self, run_id: RunId, *, wait_ms: int = 0, **filters: Unpack[OutputFilter]) -> OutputPage:
        """Return some of what a run has printed, oldest first; see :class:`.OutputFilter` for which.

        Args:
            run_id: The run.
            wait_ms: How many milliseconds to wait if there is nothing yet; at most 25,000 of them count.
            filters: Which lines.
        """
        return self._send(calls.list_run_output(run_id, filters, wait_ms))

    def iter_run_output(self, run_id: RunId, **filters: Unpack[OutputFilter]) -> Iterator[OutputLine]:
        """Return what a run has printed so far, oldest first, page by page as it is asked for."""
        return self._entries(
            lambda at: calls.list_run_output(run_id, {**filters, "cursor": at}, 0), filters.get("cursor")
        )

    def follow_run_output(self, run_id: RunId, **filters: Unpack[OutputFilter]) -> Iterator[OutputLine]:
        """Return what a run has printed and what it prints, as it does so, until the run has ended.

        A worker that restarts meanwhile is asked again. It begins after ``cursor``, that of a page or a line's
        ``position``.
        """
        polls = Polls(None)
        cursor = filters.get("cursor")
        while True:
            part: OutputFilter = {**filters, "cursor": cursor}
            try:
                page = self._send(calls.list_run_output(run_id, part, polls.wait_ms()))
            except ComputeClientError as error:
                if not is_passing(error):
                    raise
                polls.failed()
                page = self._send(calls.list_run_output(run_id, part, 0))
            yield from page.data
            cursor = page.cursor or cursor
            if page.finished and not page.has_more:
                return
            if not page.has_more:
                time.sleep(BREATH if page.data else polls.pause())
