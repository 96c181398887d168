"""Lists of requirements as pip reads them: ``requirements.txt``, ``requirements.in``."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits._text import add_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The longer ones first: the mark of UTF-32 starts with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),  # what PowerShell writes
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPED: Final = "surrogateescape"
_COMMENT: Final = re.compile(r"(?:^|\s+)#.*$")
_OPTION: Final = re.compile(r"\s--?[A-Za-z]")
_INCLUDED: Final = re.compile(r"^(?:-r|--requirement)[ =]*(\S+)$")
_EGG: Final = re.compile(r"[#&]egg=([\w.-]+)")
_HASH: Final = re.compile(r"^[ \t]*--require-hashes\b|^[^#\n]*\s--hash[= ]", re.MULTILINE)
# Notes of the tools that write such files: in the first comment, or of each requirement.
_GENERATED: Final = re.compile(
    r"auto-?generated|@generated|\bgenerated (?:by|with) (?!.*freeze)|\bdo not edit\b", re.IGNORECASE
)
_VIA: Final = re.compile(r"^(?:[^\s#].*==.*)?[ \t]+#[ \t]+via\b", re.MULTILINE)
_COMMAND: Final = re.compile(
    r"^#[ \t]{2,}((?:uv|pip-compile|pipenv|pdm|poetry|hatch|python|make)\b.*?)[ \t\r]*$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list, with those that continue it.

    Attributes:
        requirement: What is required, without comment and options; empty for other lines.
        included: The file that the line takes more from, relative to this one; empty for other lines.
    """

    requirement: str = ""
    included: str = ""


def listed(data: bytes) -> Iterator[Listed]:
    """Yield what a list of requirements says."""
    text = _decoded(data)[0]
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        said = _COMMENT.sub("", line).strip()
        if found := _INCLUDED.match(said):
            yield Listed(included=found[1])
        elif found := _EGG.search(said):
            yield Listed(found[1])
        elif said:
            yield Listed(_OPTION.split(said, maxsplit=1)[0].strip())


def add_to_list(path: str, data: bytes, requirements: Sequence[str]) -> bytes:
    """Return a list with more requirements at its end; the rest stays as it is, byte for byte.

    Args:
        path: The file, for refusals.
        data: The file; may be empty.
        requirements: What is added; none of it is there yet.

    Raises:
        EditRefusedError: The file is made from another one, or pins what it lists by hash.
    """
    text, mark, encoding = _decoded(data)
    if mark + text.encode(encoding, _ESCAPED) != data:
        raise EditRefusedError(f"it starts with the mark of {encoding}, and cannot be read as that", path=path)
    made = _sign_of_a_tool(text)
    if made is not None:
        command = made_by(data)
        how = f"by `{command}`" if command else "from another file"
        why = f"the file is made {how}: add to what it is made from, and make it again"
        raise EditRefusedError(why, path=path, line=_line(text, made))
    hashed = _HASH.search(text)
    if hashed is not None:
        why = "it pins by hash, and pip then takes nothing without one: add these with the tool that writes the hashes"
        raise EditRefusedError(why, path=path, line=_line(text, hashed))
    edited = add_lines(text.encode("utf-8", _ESCAPED), requirements, heading="Workflow Studio")
    return mark + edited.decode("utf-8", _ESCAPED).encode(encoding, _ESCAPED)


def made_by(data: bytes) -> str:
    """Return the command that a list says it was made by, empty if it says none."""
    found = _COMMAND.search(_first_comment(_decoded(data)[0]))
    return found[1] if found else ""


def _decoded(data: bytes) -> tuple[str, bytes, str]:
    """Return the text, the mark at its start, and the encoding that the mark stands for."""
    mark, encoding = next((found for found in _MARKS if data.startswith(found[0])), (b"", "utf-8"))
    return data[len(mark) :].decode(encoding, _ESCAPED if encoding == "utf-8" else "replace"), mark, encoding


def _sign_of_a_tool(text: str) -> re.Match[str] | None:
    return _GENERATED.search(_first_comment(text)) or _VIA.search(text)


def _first_comment(text: str) -> str:
    """Return the comment that the file starts with; places in it are those of the file."""
    found = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", text)
    return found[0] if found else ""


def _line(text: str, found: re.Match[str]) -> int:
    # What a match of several lines is about is at its end.
    return text.count("\n", 0, found.end()) + 1
