"""AES-256-GCM: what is sealed is a nonce of 12 bytes, and the ciphertext with a tag of 16 bytes.

The library is loaded with the first key: it takes 8 MB of a worker's memory, and most workers have none.
"""

from __future__ import annotations

import os
from typing import Final

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
OVERHEAD_BYTES: Final = _NONCE_BYTES + _TAG_BYTES
"""How much longer something is when it is sealed."""


class Cipher:
    """Seals and opens with one key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # see above
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self._gcm = AESGCM(key)
        self._refusals = (InvalidTag, ValueError)

    def seal(self, content: bytes, bound_to: bytes | None = None) -> bytes:
        """Return something as nobody can read or change it.

        Args:
            content: What is to be sealed.
            bound_to: What it is opened with only, though it is not in it, such as its place.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._gcm.encrypt(nonce, content, bound_to)

    def open(self, sealed: bytes, bound_to: bytes | None = None) -> bytes | None:
        """Return what was sealed; None if that was done with another key, or elsewhere, or it was changed."""
        try:
            return self._gcm.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
        except self._refusals:
            return None
