"""Two reports, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import short
from bench.table import figures_of, table, title_of, value_of

if TYPE_CHECKING:
    from bench.results import Report


def compare(old: Report, new: Report) -> str:
    """Return a table of what both have measured, with the new median as a multiple of the old one."""
    rows: list[list[str]] = []
    for shape, figure, title in figures_of(new):
        for world in new.worlds:
            before, after = old.median(world, shape.name, figure), new.median(world, shape.name, figure)
            if before and after is not None:
                change = f"{short(after / before)}x"
                rows.append([title, title_of(world), value_of(figure, before), value_of(figure, after), change])
    head = ["", "World", f"`{old.commit}`", f"`{new.commit}`", "change"]
    return table(head, rows) + "\n"
