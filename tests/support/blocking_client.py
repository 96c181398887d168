"""Make what blocks from what is for asyncio: ``python -m tests.support.blocking_client --write``.

That is half of the client, and a module of the packages that apps in Python are given.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = _ROOT / "runtime/client/src/workflow_studio/client"
SOURCE: Final = CLIENT / "_async"
TARGET: Final = CLIENT / "_sync"
CORE: Final = _ROOT / "template/_shared/python/core"

_RULES: Final = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\b(aclose|aclosing|aread|aiter_lines)\b", lambda match: match[1][1:]),
    (r"\basync_(chunks|size)_of\b", r"\1_of"),
    (r"\bclient\._async\b", "client._sync"),
    (r"\banyio\b", "time"),
    (r"\bfor asyncio\b", "for code that blocks"),
    (r"\bAsyncByteStream\b", "SyncByteStream"),
    (r"\bAsync(?=[A-Z])", ""),
)
_DOCSTRING: Final = re.compile(r'^"""The methods of the client for asyncio.*?"""\n', re.DOTALL)
_FIX: Final = ["check", "--fix-only", "--unsafe-fixes", "--quiet"]
_HEAD: Final = "# Made from {source} by tests.support.blocking_client; change that.\n\n"


def blocking(source: str) -> str:
    """Return the blocking twin of a module."""
    source = _DOCSTRING.sub('"""The methods of the client that blocks, by what they are about."""\n', source)
    for pattern, replacement in _RULES:
        source = re.sub(pattern, replacement, source)
    return source


def rendered() -> dict[str, str]:
    """Return the modules of the blocking half of the client by name, formatted as the project's are."""
    modules = {}
    for file in sorted(SOURCE.glob("*.py")):
        text = _HEAD.format(source=f"_async/{file.name}") + blocking(file.read_text(encoding="utf-8"))
        modules[file.name] = _ruff(text, [*_FIX, "--select=I,UP028"], TARGET / file.name)
    return modules


def rendered_core() -> str:
    """Return ``core/blocking.py``, which is the user's once it is in an app, so it does not say where it is from."""
    text = blocking((CORE / "aio.py").read_text(encoding="utf-8"))
    return _ruff(text, [*_FIX, "--isolated", "--select=UP028"], CLIENT / "blocking.py")


def _ruff(text: str, fix: list[str], target: Path) -> str:
    for command in (fix, ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(target), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> None:
    """Write the modules, if asked to; tell which of them are not what they should be otherwise."""
    TARGET.mkdir(exist_ok=True)
    made = {TARGET / name: text for name, text in rendered().items()} | {CORE / "blocking.py": rendered_core()}
    for file, text in made.items():
        if "--write" in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            sys.exit(f"{file} is not up to date: run python -m tests.support.blocking_client --write")


if __name__ == "__main__":
    main()
