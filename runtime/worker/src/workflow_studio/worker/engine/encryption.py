"""The keys of the runs, and what the worker itself encrypts.

The SDK encrypts payloads with the key that it asks the World for. Three things are left to the worker: what comes to it
as JSON, arguments and payloads of hooks; what runs print; and the chunks of streams, since the SDK writes bytes, such
as the bodies of requests and responses, as they are (found by running ``workflow`` 4.8.9).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final, cast

from workflow_studio.compute.payload import ENCRYPTED_PREFIX
from workflow_studio.worker.engine.cipher import KEY_BYTES, OVERHEAD_BYTES, Cipher

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEALED: Final = b"\0\0\0\0seal"


class Keyring:
    """Gives every run and every stream a key of its own.

    Args:
        master_key: The secret that the keys are derived from; None encrypts nothing.

    Attributes:
        master_key: See above.
    """

    def __init__(self, master_key: bytes | None) -> None:
        self.master_key = master_key

    @property
    def encrypts(self) -> bool:
        """Whether runs have keys at all."""
        return self.master_key is not None

    def key_of(self, run_id: str) -> bytes | None:
        """Return a run's key, 32 bytes; None if nothing is encrypted."""
        return None if self.master_key is None else run_key(self.master_key, run_id)

    def seal(self, run_id: str, payload: bytes) -> bytes:
        """Return a payload of a run as it is stored: encrypted with the run's key, if there is one.

        The form is the SDK's: ``encr``, a nonce of 12 bytes, and the AES-256-GCM ciphertext of the whole payload with a
        tag of 16 bytes (source: ``@workflow/core`` 4.8.9 ``encryption.js``).
        """
        key = self.key_of(run_id)
        return payload if key is None else ENCRYPTED_PREFIX + Cipher(key).seal(payload)

    def with_sealed_input(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters of an ``events.create`` with the input of a new run encrypted; others as they are.

        Whoever starts it may not have heard that runs have keys since this worker was given a master key.
        """
        event, run_id = params.get("event"), params.get("runId")
        if self.master_key is None or not isinstance(event, dict) or event.get("eventType") != "run_created":
            return params
        data = event.get("eventData")
        payload = data.get("input") if isinstance(data, dict) else None
        if not isinstance(run_id, str) or not isinstance(payload, bytes) or payload.startswith(ENCRYPTED_PREFIX):
            return params
        sealed = {**cast("dict[str, Any]", data), "input": self.seal(run_id, payload)}
        return {**params, "event": {**event, "eventData": sealed}}

    def unseal(self, run_id: str, payload: bytes) -> bytes | None:
        """Return a payload of a run in clear, or None if it is encrypted with a key that is not here."""
        if not payload.startswith(ENCRYPTED_PREFIX):
            return payload
        key = self.key_of(run_id)
        return None if key is None else Cipher(key).open(payload[len(ENCRYPTED_PREFIX) :])

    def stream(self, name: str) -> StreamSeal:
        """Return what seals and opens the chunks of a stream."""
        return StreamSeal(None if self.master_key is None else derived_key(self.master_key, f"studio-stream|{name}"))

    def output(self, run_id: str) -> OutputSeal:
        """Return what seals and opens the lines that a run prints."""
        return OutputSeal(None if self.master_key is None else derived_key(self.master_key, f"studio-output|{run_id}"))


class StreamSeal:
    """Encrypts the chunks of one stream where they are stored. Each is bound to its index, so none can be moved.

    A stream can hold chunks from before there was a master key: those are given back as they are.
    """

    def __init__(self, key: bytes | None) -> None:
        self._cipher = None if key is None else Cipher(key)

    def seal(self, index: int, chunk: bytes) -> bytes:
        """Return a chunk as it is stored."""
        return chunk if self._cipher is None else _SEALED + self._cipher.seal(chunk, _place(index))

    def open(self, index: int, stored: bytes) -> bytes:
        """Return a chunk as it was written."""
        if self._cipher is None or not stored.startswith(_SEALED):
            return stored
        opened = self._cipher.open(stored[len(_SEALED) :], _place(index))
        # If it cannot be opened, it is a chunk in clear that begins like a sealed one, or one of another master key.
        return stored if opened is None else opened


class OutputSeal:
    """Encrypts the lines that one run prints. Each is bound to its position, so none can be moved.

    Output can hold lines from before there was a master key: those are given back as they are. No line in clear can be
    taken for a sealed one, because lines are kept without control characters.
    """

    def __init__(self, key: bytes | None) -> None:
        self._cipher = None if key is None else Cipher(key)

    @staticmethod
    def size_of(stored: bytes) -> int:
        """Return how long a line is in clear."""
        overhead = len(_SEALED) + OVERHEAD_BYTES if stored.startswith(_SEALED) else 0
        return max(0, len(stored) - overhead)

    def seal(self, position: int, line: bytes) -> bytes:
        """Return a line as it is stored."""
        return line if self._cipher is None else _SEALED + self._cipher.seal(line, _place(position))

    def open(self, position: int, stored: bytes) -> bytes | None:
        """Return a line as it was printed; None if it is sealed with a key that is not here."""
        if not stored.startswith(_SEALED):
            return stored
        return None if self._cipher is None else self._cipher.open(stored[len(_SEALED) :], _place(position))


def run_key(master_key: bytes, run_id: str) -> bytes:
    """Return the encryption key of a run: HKDF-SHA256 (RFC 5869) of the master key, 32 bytes.

    It depends on the run's id alone, because the SDK asks for it in some places where it knows no more.
    """
    return derived_key(master_key, f"studio|{run_id}")


def derived_key(master_key: bytes, info: str) -> bytes:
    """Return a key of 32 bytes for one purpose: HKDF-SHA256 (RFC 5869) of the master key.

    Args:
        master_key: The worker's master key.
        info: Names the purpose.
    """
    extracted = hmac.digest(bytes(KEY_BYTES), master_key, hashlib.sha256)
    return hmac.digest(extracted, info.encode() + b"\x01", hashlib.sha256)


def _place(index: int) -> bytes:
    return index.to_bytes(8, "big")
