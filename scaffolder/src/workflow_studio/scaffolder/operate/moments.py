"""Moments as people type them: ``24h`` ago, or a date, with or without a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_moment(text: str | datetime) -> datetime:
    """Return a moment with a time zone; without one it is this machine's.

    Raises:
        typer.BadParameter: If the text is no moment.
    """
    if isinstance(text, datetime):
        return text
    if match := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is no moment: write 90s, 30m, 24h, 7d, 2026-01-31 or 2026-01-31T12:00."
        ) from error


Moment = Annotated[
    datetime | None,
    typer.Option(parser=parse_moment, metavar="WHEN", help="24h ago, or a date and time.", show_default=False),
]
"""An option whose value is a moment."""
