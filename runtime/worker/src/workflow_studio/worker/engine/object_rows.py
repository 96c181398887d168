"""What the database knows of objects: which there are, and which runs and deployments have them.

An object has a row before it is in the store and for as long as it is there, so the store is never searched for what
nobody needs, and what another service keeps in it is never touched. Its content is stored between two transactions:

1. :func:`touch` says that it is about to be stored, so that nobody deletes it for a while;
2. :func:`refer` says who has it, in the transaction that changes its owner.

A deletion, too, is between two: :func:`mark` says of objects that nobody has and that nobody touched lately that they
are being deleted, and from then on nobody can refer to them; :func:`forget` takes the rows away. Whoever dies in
between leaves an object that nobody has, or a mark: the next one who tidies up finds both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, select, tuple_, update

from workflow_studio.worker.store import StoreError, tables
from workflow_studio.worker.store.statements import Statement, insert_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import Connection, Row, Select

    from workflow_studio.worker.store import Transaction

_T: Final = tables.objects
_REF: Final = tables.object_refs
_HAS_OWNER: Final = select(_REF.c.digest).where(_REF.c.digest == _T.c.digest).exists()
_LIVE: Final = Statement(
    select(_T.c.digest)
    .where(_T.c.digest == bindparam("object"), _T.c.made_at == bindparam("made"), _T.c.deleting.is_(False))
    .with_for_update(read=True)
)
_REFERRED: Final = Statement(
    select(_REF.c.digest).where(_REF.c.owner == bindparam("of"), _REF.c.digest == bindparam("object"))
)


class Stored(NamedTuple):
    """An object, told apart from an earlier one with the same content that was deleted.

    Attributes:
        digest: The SHA-256 of its content.
        made_at: When it was stored first, in epoch milliseconds.
        size: In bytes.
    """

    digest: str
    made_at: int
    size: int


class ObjectGoneError(StoreError):
    """An object was deleted between its storing and the transaction that refers to it."""


def touch(transaction: Transaction, sizes: Mapping[str, int], now: int) -> dict[str, Stored]:
    """Say that objects are about to be stored, and return those that can be: not what is being deleted just now.

    Args:
        transaction: To do it in; it is to be committed before anything is stored.
        sizes: The objects' sizes, by digest.
        now: Epoch milliseconds.
    """
    # In one order, so that two who touch the same objects do not wait for each other.
    locked = select(_T).where(_T.c.digest.in_(sizes)).order_by(_T.c.digest).with_for_update()
    known = {row.digest: row for row in transaction.execute(locked)}
    usable = {digest: _stored(row) for digest, row in known.items() if not row.deleting}
    if usable:
        transaction.execute(update(_T).where(_T.c.digest.in_(usable)).values(touched_at=now))
    for digest in sorted(sizes.keys() - known.keys()):
        made = Stored(digest, now, sizes[digest])
        insert_row(transaction.connection, _T, {**made._asdict(), "touched_at": now, "deleting": False})
        usable[digest] = made
    return usable


def refer(transaction: Transaction, owner: str, objects: Iterable[Stored]) -> None:
    """Say that a run or a deployment has objects, which are in the store.

    Raises:
        ObjectGoneError: If one of them is not there any more: it was stored too long ago.
    """
    connection = transaction.connection
    for digest, made_at, _ in sorted(set(objects)):
        if _LIVE.first(connection, {"object": digest, "made": made_at}) is None:
            raise ObjectGoneError("An object was deleted before it was used.", "Send the request again.")
        if _REFERRED.first(connection, {"of": owner, "object": digest}) is None:
            insert_row(connection, _REF, {"owner": owner, "digest": digest})


def release(transaction: Transaction, owners: Collection[str]) -> int:
    """Say that owners have no objects any more, and return how many references that were."""
    return transaction.execute(delete(_REF).where(_REF.c.owner.in_(owners))).rowcount


def of_owner(connection: Connection, owner: str) -> list[Stored]:
    """Return the objects of a run or a deployment."""
    query = select(_T).join(_REF, _REF.c.digest == _T.c.digest).where(_REF.c.owner == owner).order_by(_T.c.digest)
    return [_stored(row) for row in connection.execute(query)]


def unowned(before: int, limit: int) -> Select[Any]:
    """Return a query for the digests of objects that nobody has and nobody has touched since a time."""
    return select(_T.c.digest).where(_T.c.touched_at < before, ~_HAS_OWNER).order_by(_T.c.digest).limit(limit)


def mark(transaction: Transaction, digests: Collection[str], before: int) -> int:
    """Say that objects are being deleted, but for those that somebody has taken or touched meanwhile.

    Returns:
        How many they are.
    """
    # Whoever refers to one shares its row's lock. After the lock is held, the next statement sees what they wrote.
    transaction.execute(select(_T.c.digest).where(_T.c.digest.in_(digests)).order_by(_T.c.digest).with_for_update())
    unwanted = update(_T).where(_T.c.digest.in_(digests), _T.c.touched_at < before, ~_HAS_OWNER)
    return transaction.execute(unwanted.values(deleting=True)).rowcount


def marked(connection: Connection, limit: int) -> list[Stored]:
    """Return objects that are being deleted, or were when a worker died."""
    query = select(_T).where(_T.c.deleting.is_(True)).order_by(_T.c.digest).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def forget(transaction: Transaction, objects: Iterable[Stored]) -> None:
    """Take away the rows of objects that are deleted."""
    gone = [(entry.digest, entry.made_at) for entry in objects]
    transaction.execute(delete(_T).where(tuple_(_T.c.digest, _T.c.made_at).in_(gone), _T.c.deleting.is_(True)))


def _stored(row: Row[Any]) -> Stored:
    return Stored(row.digest, row.made_at, row.size)
