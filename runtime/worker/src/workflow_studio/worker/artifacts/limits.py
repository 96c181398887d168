"""How large an artifact may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArtifactLimits:
    """How large an artifact may be, in bytes but for ``files``.

    Attributes:
        compressed: The archive as it is sent.
        unpacked: The archive without its compression.
        file: One file in it.
        manifest: The manifest.
        files: How many files it holds, without the manifest.
    """

    compressed: int = 256 * MIB
    unpacked: int = 512 * MIB
    file: int = 256 * MIB
    manifest: int = 4 * MIB
    files: int = 256
