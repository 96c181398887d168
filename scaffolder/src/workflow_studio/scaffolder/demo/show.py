"""What a person sees at the end of the demo."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.operate.timeline import bar, duration, short_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workflow_studio.compute.api import Run
    from workflow_studio.scaffolder.operate.timeline import Row
    from workflow_studio.scaffolder.output import Output


def show_run(output: Output, run: Run, rows: Sequence[Row], places: Mapping[str, str]) -> None:
    """Print a run's timeline as a bar chart, and its result.

    Args:
        output: Where to.
        run: The finished run.
        rows: Its timeline.
        places: What to call an executor, by its id.
    """
    total = max((span.end for row in rows for span in row.spans), default=0.0)
    fill, empty = ("█", "·") if _can_print("█·") else ("#", ".")
    output.print()
    output.print(f"{short_name(run.workflow_name)}  {run.run_id}  {run.status} in {duration(total)}", style="bold")
    output.print()
    output.table(
        ("step", "where", "attempts", "started", "took", ""),
        [
            (
                row.name,
                places.get(row.executor, row.executor) or "-",
                str(len(row.spans)) if row.kind == "step" else "-",
                f"+{duration(row.start)}",
                duration(row.busy),
                bar(row.spans, total, fill=fill, empty=empty),
            )
            for row in rows
        ],
    )
    output.print()
    output.print(f"Result: {json.dumps(run.output, ensure_ascii=False)}")


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
