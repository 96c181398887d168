"""Environment variables of a deployment's code: set, listed by name, handed to its executors, and never shown.

A value is stored sealed: AES-256-GCM, bound to its deployment and its name, so that none can be moved. The key follows
from the master key; without one it is a random key in a file of the data folder, apart from the database, so that a
copy of the database alone gives nothing away.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import audit
from workflow_studio.worker.engine.cipher import KEY_BYTES, Cipher
from workflow_studio.worker.engine.deployments import require_deployment
from workflow_studio.worker.engine.encryption import derived_key
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.folders import sync_folder
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
VARIABLES: Final = "variables"
"""What the other workers are told, with the deployment's id, when its variables change."""

_T: Final = tables.deployment_variables

MAX_NAME: Final = 128
MAX_VALUE_BYTES: Final = 32 * 1024
MAX_VARIABLES: Final = 200
MAX_TOTAL_BYTES: Final = 256 * 1024
"""Names and values of one deployment: the system gives a process so much at its start, and not much more."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFUSED: Final = (
    (re.compile(r"NODE_(OPTIONS|CHANNEL_FD|CHANNEL_SERIALIZATION_MODE|UNIQUE_ID|V8_COVERAGE|REPL_.*)"), "Node.js"),
    (re.compile(r"(LD|DYLD)_.*|GLIBC_TUNABLES|GCONV_PATH"), "the system's linker"),
    (re.compile(r"WORKFLOW_.*|VERCEL(_.*)?"), "the Workflow SDK and the worker"),
)
"""What would break or take over an executor, and whose it is (source: ``@workflow/core`` 4.8.9; node(1); ld.so(8))."""

_MASTER: Final = b"m"
_FILE: Final = b"f"


@dataclass(frozen=True, slots=True)
class Variable:
    """That a variable is set.

    Attributes:
        updated_at: When, in epoch milliseconds.
        updated_by: By which key.
    """

    name: str
    updated_at: int
    updated_by: str | None


class VariableKeys:
    """Seals and opens values.

    A sealed value begins with a letter that says which key it is under, so that values from before there was a master
    key can still be opened.

    Args:
        master_key: The worker's master key.
        key_file: Where the random key is kept that takes its place; it is made when it is first needed.
    """

    def __init__(self, master_key: bytes | None, key_file: Path | None) -> None:
        self._master = None if master_key is None else Cipher(derived_key(master_key, "studio-deployment-variables"))
        self._key_file = key_file
        self._from_file: Cipher | None = None

    def seal(self, deployment_id: str, name: str, value: str) -> bytes:
        """Return a value as it is stored.

        Raises:
            OSError: If the key file cannot be written.
        """
        mark, cipher = (_MASTER, self._master) if self._master is not None else (_FILE, self._file_cipher(make=True))
        if cipher is None:
            raise ValueError("There is no key to seal variables with.")
        return mark + cipher.seal(value.encode(), _bound(deployment_id, name))

    def open(self, deployment_id: str, name: str, sealed: bytes) -> str | None:
        """Return a value, or None if it is under a key that is not here."""
        cipher = self._master if sealed[:1] == _MASTER else self._file_cipher(make=False)
        if cipher is None:
            return None
        opened = cipher.open(sealed[1:], _bound(deployment_id, name))
        return None if opened is None else opened.decode()

    def _file_cipher(self, *, make: bool) -> Cipher | None:
        if self._from_file is None and self._key_file is not None:
            if make:
                _make_key(self._key_file)
            elif not self._key_file.exists():
                return None
            self._from_file = Cipher(self._key_file.read_bytes())
        return self._from_file


def _make_key(path: Path) -> None:
    """Write a new key to a file that only its owner can read, unless there is one, so that none is ever lost."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Whole or not at all, and never over another one.
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    sync_folder(path.parent)


def _bound(deployment_id: str, name: str) -> bytes:
    return f"{deployment_id}\n{name}".encode()


class Environment:
    """The variables of the deployments."""

    def __init__(self, database: Database, clock: Clock, keys: VariableKeys, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._bus = bus

    async def names(self, deployment_id: str) -> list[Variable]:
        """Return which variables a deployment has, by name.

        Raises:
            EngineError: ``invalid_deployment_id`` or ``deployment_not_found``.
        """

        def work(connection: Connection) -> list[Variable]:
            require_deployment(connection, deployment_id)
            return _listed(connection, deployment_id)

        return await self._database.read(work)

    async def change(
        self, deployment_id: str, changes: Mapping[str, str | None], *, by: str | None = None
    ) -> list[Variable]:
        """Set variables, and unset those whose value is None.

        Args:
            deployment_id: The deployment.
            changes: Values by name; what is not named stays.
            by: The key that does it.

        Returns:
            Which variables the deployment has now.

        Raises:
            EngineError: ``invalid_variable``, ``invalid_deployment_id`` or ``deployment_not_found``. Nothing is changed
                then, and no value is shown.
        """
        for name, value in changes.items():
            _check(name, value)

        def work(transaction: Transaction) -> list[Variable]:
            connection = transaction.connection
            transaction.lock("variables", deployment_id)
            require_deployment(connection, deployment_id)
            now = self._clock()
            for name, value in changes.items():
                connection.execute(delete(_T).where(_T.c.deployment_id == deployment_id, _T.c.name == name))
                if value is not None:
                    sealed = self._keys.seal(deployment_id, name, value)
                    row = {"name": name, "value": sealed, "updated_at": now, "updated_by": by}
                    connection.execute(insert(_T).values(deployment_id=deployment_id, **row))
            _check_size(connection, deployment_id)
            self._bus.tell(transaction, VARIABLES, deployment_id)
            audit.describe(
                set=sorted(name for name, value in changes.items() if value is not None) or None,
                unset=sorted(name for name, value in changes.items() if value is None) or None,
            )
            return _listed(connection, deployment_id)

        return await self._database.write(work)

    async def values(self, deployment_id: str) -> dict[str, str]:
        """Return the variables of a deployment's executors.

        Raises:
            EngineError: ``variables_unreadable``: code that runs without some of its variables does who knows what.
        """
        query = select(_T).where(_T.c.deployment_id == deployment_id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        opened = {row.name: self._keys.open(deployment_id, row.name, row.value) for row in rows}
        if lost := sorted(name for name, value in opened.items() if value is None):
            raise _unreadable(deployment_id, lost)
        return {name: value for name, value in opened.items() if value is not None}

    def inherit(self, transaction: Transaction, deployment_id: str, source: str, *, by: str | None) -> None:
        """Give a new deployment the variables of another one.

        Those that cannot be opened are left out and named in the log: they are to be set again anyway.
        """
        rows = transaction.execute(select(_T).where(_T.c.deployment_id == source)).all()
        opened = {row.name: self._keys.open(source, row.name, row.value) for row in rows}
        if lost := sorted(name for name, value in opened.items() if value is None):
            _LOG.warning("Variables of %s cannot be opened, so %s does without: %s", source, deployment_id, lost)
        now = self._clock()
        for name, value in opened.items():
            if value is not None:
                sealed = self._keys.seal(deployment_id, name, value)
                row = {"name": name, "value": sealed, "updated_at": now, "updated_by": by}
                transaction.execute(insert(_T).values(deployment_id=deployment_id, **row))

    def forget(self, transaction: Transaction, deployment_id: str) -> None:
        """Delete the variables of a deployment that is about to be deleted."""
        transaction.lock("variables", deployment_id)  # those that are being set now would be there for the next one
        transaction.execute(delete(_T).where(_T.c.deployment_id == deployment_id))


def _listed(connection: Connection, deployment_id: str) -> list[Variable]:
    query = select(_T.c.name, _T.c.updated_at, _T.c.updated_by).where(_T.c.deployment_id == deployment_id)
    return [Variable(*row) for row in connection.execute(query.order_by(_T.c.name)).all()]


def _check(name: str, value: str | None) -> None:
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise _invalid(
            f"{name[:MAX_NAME]!r} cannot be the name of a variable.",
            f"A name is a letter or _, then letters, digits and _, up to {MAX_NAME} characters.",
        )
    if value is None:
        return
    for pattern, owner in _REFUSED:
        if pattern.fullmatch(name):
            raise _invalid(f"The variable {name} belongs to {owner}, and cannot be set.", "Use another name.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _invalid(f"The value of {name} is not Unicode text.", "Encode it, in base64 for instance.") from None
    if "\0" in value:
        raise _invalid(f"The value of {name} holds a NUL, which an environment cannot.", "Encode it, in base64.")
    if size > MAX_VALUE_BYTES:
        raise _invalid(f"The value of {name} is longer than {MAX_VALUE_BYTES} bytes.", "Put it into a file or a store.")


def _check_size(connection: Connection, deployment_id: str) -> None:
    query = select(_T.c.name, _T.c.value).where(_T.c.deployment_id == deployment_id)
    rows = connection.execute(query).all()
    if len(rows) > MAX_VARIABLES:
        raise _invalid(f"A deployment has up to {MAX_VARIABLES} variables.", "Unset some, or put several into one.")
    if sum(len(row.name) + len(row.value) for row in rows) > MAX_TOTAL_BYTES:
        raise _invalid(f"The variables of a deployment hold up to {MAX_TOTAL_BYTES} bytes.", "Unset some.")


def _invalid(message: str, recovery: str) -> EngineError:
    return EngineError(ErrorCode.INVALID_VARIABLE, message, status=400, recovery=recovery)


def _unreadable(deployment_id: str, names: list[str]) -> EngineError:
    return EngineError(
        ErrorCode.VARIABLES_UNREADABLE,
        f"Variables of the deployment {deployment_id} were sealed under another key: {', '.join(names)}.",
        status=409,
        recovery="Start the worker with the master key, or the key file, that they were set under; or set them again.",
    )
