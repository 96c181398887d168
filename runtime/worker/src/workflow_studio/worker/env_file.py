"""The file with the variables for the app's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

if TYPE_CHECKING:
    from pathlib import Path


class EnvFileError(Exception):
    """A file of variables cannot be understood. The message names the file and the line.

    Args:
        message: What is wrong, and where.
    """

    recovery = "Write one NAME=value a line; put a value with spaces, quotes or # in single quotes."

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file; a name without ``=`` counts as absent.

    Values are taken as they are: ``$NAME`` in them is not replaced.

    Raises:
        OSError: If it cannot be read.
        EnvFileError: If a line cannot be understood, or it is no UTF-8 text.
    """
    variables: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    # Not the line itself: it may hold half of a secret.
                    raise EnvFileError(f"{path}:{_line_of(binding.original.string, binding.original.line)} is wrong.")
                if binding.key is not None and binding.value is not None:
                    variables[binding.key] = binding.value
    except UnicodeDecodeError as error:
        raise EnvFileError(f"{path} is not UTF-8 text.") from error
    return variables


def _line_of(text: str, first: int) -> int:
    """Return the line in which the text of a binding begins; the parser counts the blank ones before it in."""
    return first + len(text) - len(text.lstrip("\r\n"))
