"""The parts of a worker that can be exchanged, and what each of them must do.

A worker is put together of a storage, a queue's doorbell, streams, an object store and a Compute. Each has a built-in
form, and each can be replaced by a *factory*: a function or class that a setting names as ``package.module:factory``.
It is called once, with a :class:`FactoryContext`, and returns the part::

    def make(context: FactoryContext[Streams]) -> Streams:
        return FileStreams(Path(context.env["STREAMS_DIR"]))

A factory makes its part and does nothing else: ``studio worker check-config`` calls it, too. What a part does to the
outside world belongs in ``async start()``, which is called before the part is used; ``async close()`` is called after
that. Both are optional. Methods that are ``async def`` here must be so in a part; the others must not be.

The interface of a Compute is :mod:`workflow_studio.compute.interface`; the others are here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from workflow_studio.worker.store import Transaction
    from workflow_studio.worker.store.database import Backend
    from workflow_studio.worker.store.inspection import DatabaseState

T = TypeVar("T")


class FactoryContext(Generic[T]):
    """What a factory is given.

    Args:
        env: See below.
        cwd: See below.
        data_dir: See below.
        make_default: Makes the built-in part.

    Attributes:
        env: The worker's environment. The worker's settings and secrets are among it.
        cwd: The folder that the worker was started in.
        data_dir: The worker's data folder; it is there from the time the part is started.
    """

    def __init__(self, env: Mapping[str, str], cwd: Path, data_dir: Path, make_default: Callable[[], T]) -> None:
        self.env = env
        self.cwd = cwd
        self.data_dir = data_dir
        self._make_default = make_default
        self._default: T | None = None

    @property
    def default(self) -> T:
        """The built-in part, for one that adds to it. It needs neither start nor close."""
        if self._default is None:
            self._default = self._make_default()
        return self._default


class Storage(Protocol):
    """Where the worker's state is kept: a database that SQLAlchemy speaks to, with the worker's tables.

    Events, what they change and the messages they imply are committed in one transaction, so all of it is in one
    database. What is particular to that is behind
    :class:`workflow_studio.worker.store.database.Backend`.
    """

    def open(self, /) -> Backend:
        """Open the database, create what is missing, and bring its schema up to date. Called on a thread.

        Raises:
            StoreError: If it cannot be opened; ``StoreLockedError`` if another worker has it open.
        """


@runtime_checkable
class CanLook(Protocol):
    """A storage that can be looked at without being changed; ``studio worker check-config`` does."""

    def look(self, /) -> DatabaseState:
        """Return what is in the database.

        Raises:
            StoreError: If the worker could not open it.
        """


class Doorbell(Protocol):
    """How the dispatcher hears that messages are due.

    The messages are rows of the worker's database, committed with the event that implies them; no doorbell can lose
    one. A doorbell brings the dispatcher to look: without it a message waits until the dispatcher looks by itself,
    which it does when the next message that it knows of falls due, and once a minute.
    """

    def ring(self, transaction: Transaction, run_at: int, /) -> None:
        """Have the dispatcher look once this transaction is committed, and not if it is undone.

        Called inside the transaction, on whatever thread that runs on, and again if the transaction is repeated; so
        it either executes statements of its own in it, such as ``NOTIFY``, or calls ``transaction.after_commit``.

        Args:
            transaction: Makes messages ready, or ready earlier.
            run_at: When the first of them is due, in epoch milliseconds.
        """

    def on_ring(self, callback: Callable[[], None], /) -> None:
        """Have ``callback`` called, on the worker's event loop, whenever it rings. One ring may stand for many."""


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Chunks to be appended to a stream, as one unit and once.

    Attributes:
        stream: The stream's name.
        run_id: The run it is written under.
        writer_id: With ``sequence``, names the write: a repeat of one that is stored changes nothing.
        sequence: The number of the write among those of the writer.
        chunks: The chunks in clear; what is to be stored is what :meth:`stored` returns.
        seal: Seals a chunk to its index.
    """

    stream: str
    run_id: str
    writer_id: str
    sequence: int
    chunks: Sequence[bytes] = field(repr=False)
    seal: Callable[[int, bytes], bytes] = field(repr=False)

    def stored(self, first_index: int) -> list[bytes]:
        """Return the chunks as they are to be stored, given the index of the first of them in its stream.

        Where payloads are encrypted they are sealed, each to its index.
        """
        return [self.seal(index, chunk) for index, chunk in enumerate(self.chunks, first_index)]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """What a stream is like.

    Attributes:
        name: Its name.
        count: How many chunks it has; the first one has the index 0.
        closed: Whether it is closed.
        created_at: When it was first written or closed, in epoch milliseconds.
    """

    name: str
    count: int
    closed: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class StoredChunks:
    """Chunks of a stream, and what it was like when they were read.

    Attributes:
        chunks: As they were stored, in order.
        count: How many the stream has.
        closed: Whether it is closed.
    """

    chunks: Sequence[bytes] = ()
    count: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Growth:
    """What a stream has grown by.

    Attributes:
        stream: Its name.
        first: The index of the first of the new chunks; without any, how many there are.
        chunks: The new chunks, in clear.
        closed: Whether it is closed, and these are its last chunks.
    """

    stream: str
    first: int
    chunks: Sequence[bytes] = field(repr=False)
    closed: bool


class Streams(Protocol):
    """Where the chunks of streams are kept.

    A stream's name is its own over all runs, and it need not belong to a run that exists. The worker itself encrypts,
    waits for what is not written yet, and keeps answers to a sensible size; a part stores and finds.
    """

    async def append(self, write: StreamWrite, /) -> None:
        """Append chunks; a stream that is not there is made. Durable on return.

        A write that is stored already, and one to a closed stream, changes nothing. The chunks of one write follow one
        another, whoever else writes.
        """

    async def end(self, stream: str, run_id: str, /) -> None:
        """Close a stream; one that is not there is made. Closing it again changes nothing. Durable on return."""

    async def read(self, stream: str, start: int, max_chunks: int, max_bytes: int, /) -> StoredChunks:
        """Return chunks from an index on; nothing of a stream that is not there.

        Args:
            stream: Its name.
            start: The first index, 0 or more; it may be past the end.
            max_chunks: How many at most.
            max_bytes: How many bytes at most, save that one chunk is always whole.
        """

    async def look(self, stream: str, /) -> StoredStream | None:
        """Return what a stream is like; None if it is not there."""

    async def of_run(self, run_id: str, after: str, limit: int, /) -> Sequence[StoredStream]:
        """Return streams that were written or closed under a run, by name.

        Args:
            run_id: The run.
            after: Only names that come after this one; the empty text comes before all.
            limit: How many at most.
        """

    async def is_of_run(self, stream: str, run_id: str, /) -> bool:
        """Tell whether a stream was written or closed under a run."""

    def on_growth(self, callback: Callable[[str], None], /) -> None:
        """Have ``callback`` called with a stream's name, on the worker's event loop, once it has grown or is closed.

        Whoever waits for the stream looks at it then. A call too many does no harm; without one a reader waits until
        its time is up, which is half a minute at most.
        """


@runtime_checkable
class CanAppendLast(Protocol):
    """Streams that append the last chunks of a stream and close it, as one unit."""

    async def append_last(self, write: StreamWrite, /) -> None:
        """Do what ``append`` does, and then what ``end`` does. Durable on return."""


@runtime_checkable
class TellsGrowth(Protocol):
    """Streams that hand over what they have stored, so that readers who wait for it need not read it back."""

    def on_grown(self, callback: Callable[[Growth], None], /) -> None:
        """Have ``callback`` called on the worker's event loop, once that is durable, with what a stream has grown by.

        It takes the place of the call that :meth:`Streams.on_growth` asked for. What other processes have stored is
        told by that.
        """


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What an object is like.

    Attributes:
        name: Its name.
        size: In bytes.
        modified_at: When it was stored, in epoch milliseconds.
    """

    name: str
    size: int
    modified_at: int


class ObjectStore(Protocol):
    """Where artifacts and large payloads are kept, by names that follow from their content.

    A name is ``[a-z0-9_]`` and slashes, and says what the content is: it never changes, and two who store the same
    store it once. All workers of a service see the same store. The worker itself verifies what it reads.
    """

    async def put(self, name: str, content: bytes | Path, /) -> bool:
        """Store an object, completely or not at all. Durable on return.

        One that is there stays as it is; if several store it at once, one of them does.

        Args:
            name: Its name.
            content: The content, or a file of it that nobody changes.

        Returns:
            Whether it is new.

        Raises:
            ObjectStoreError: If it cannot be stored.
        """

    def read(self, name: str, /) -> AsyncIterator[bytes]:
        """Return an object's content, in pieces.

        Raises:
            ObjectMissingError: If it is not there, when the first piece is asked for.
            ObjectStoreError: If it cannot be read.
        """

    async def look(self, name: str, /) -> StoredObject | None:
        """Return what an object is like; None if it is not there.

        Raises:
            ObjectStoreError: If that cannot be told.
        """

    async def delete(self, name: str, /) -> None:
        """Remove an object; one that is not there is no error.

        Raises:
            ObjectStoreError: If it cannot be removed.
        """

    def list(self, prefix: str, /) -> AsyncIterator[StoredObject]:
        """Return the objects whose names begin with a prefix, in any order.

        Raises:
            ObjectStoreError: If they cannot be told.
        """
