"""Keep the paths of this machine out of the bundles."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_INLINE_MAP: Final = re.compile(rb"(sourceMappingURL=data:application/json;base64,)([A-Za-z0-9+/]{8,}={0,2})")


def portable(code: bytes, app_dir: Path) -> bytes:
    """Return a bundle whose inline source maps name files relative to the app.

    The SDK's maps are relative already; a map that a dependency brings along may not be. Maps without the app's path
    stay as they are, byte for byte.

    Args:
        code: The bundle.
        app_dir: The app's folder, absolute.
    """

    def rewritten(match: re.Match[bytes]) -> bytes:
        try:
            text = base64.b64decode(match[2], validate=True)
            if str(app_dir).encode() not in text:
                return match[0]
            source_map = json.loads(text)
        except (binascii.Error, ValueError):
            return match[0]
        if not isinstance(source_map, dict):
            return match[0]
        if str(source_map.get("sourceRoot") or "").startswith(("/", "file:")):
            source_map["sourceRoot"] = ""
        source_map["sources"] = [_relative(source, app_dir) for source in source_map.get("sources") or []]
        packed = json.dumps(source_map, separators=(",", ":"), ensure_ascii=False).encode()
        return match[1] + base64.b64encode(packed)

    return _INLINE_MAP.sub(rewritten, code)


def _relative(source: object, app_dir: Path) -> object:
    if not isinstance(source, str):
        return source
    path = unquote(urlsplit(source).path) if source.startswith("file:") else source
    return path.removeprefix(f"{app_dir}/") if path.startswith(f"{app_dir}/") else source


def names_folder(code: bytes, app_dir: Path) -> bool:
    """Tell whether a bundle holds the app's absolute path, outside of the source text that its maps quote."""
    return f"{app_dir}/".encode() in code
