"""The one place that prints.

Results go to standard output, everything about progress to standard error. With ``--json`` standard output carries
exactly one JSON document and nothing else. Spinners and bars are drawn on a terminal only; elsewhere the same progress
is a few plain lines, so that a log of a build stays readable.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from workflow_studio.scaffolder.errors import StudioError

# Text from file names, servers and package managers must not drive the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


Cell = str | tuple[str, str]
"""A cell of a table: a text, or a text and its style."""


def clean(text: str) -> str:
    """Return ``text`` without escape sequences and control characters other than tab and newline."""
    return _CONTROL.sub("", _ANSI.sub("", text))


class Advance(Protocol):
    """Moves a progress display forward."""

    def __call__(self, amount: float = 1, *, total: float | None = None) -> None:
        """Add ``amount``; ``total`` corrects the whole once it is known."""


class Output:
    """Where a command writes.

    Args:
        json_mode: Collect one document for standard output instead of printing text.
    """

    def __init__(self, *, json_mode: bool = False) -> None:
        self.json_mode = json_mode
        self.warnings: list[str] = []
        self._document: dict[str, Any] | None = None
        self._written = False
        self._lines = False
        self._consoles: dict[bool, Console] = {}

    # Consoles ------------------------------------------------------------------------------------------------------

    def _console(self, *, stderr: bool) -> Console:
        console = self._consoles.get(stderr)
        if console is None:
            from rich.console import Console  # noqa: PLC0415 - 0.1 s that `studio --help` shall not pay

            console = Console(stderr=stderr, highlight=False, soft_wrap=True, quiet=self.json_mode)
            self._consoles[stderr] = console
        return console

    @property
    def stdout(self) -> Console:
        """Rich console of results; silent with ``--json``."""
        return self._console(stderr=False)

    @property
    def stderr(self) -> Console:
        """Rich console of progress; silent with ``--json``."""
        return self._console(stderr=True)

    @property
    def interactive(self) -> bool:
        """Whether spinners and bars are drawn."""
        return not self.json_mode and self.stderr.is_terminal and not self.stderr.is_dumb_terminal

    # Text ----------------------------------------------------------------------------------------------------------

    def print(self, text: str = "", *, style: str | None = None) -> None:
        """Print a line of the result to standard output."""
        if not self.json_mode:
            self.stdout.print(clean(text), style=style, markup=False)

    def note(self, text: str = "", *, style: str | None = None) -> None:
        """Print a line about progress to standard error."""
        if not self.json_mode:
            self.stderr.print(clean(text), style=style, markup=False)

    def warn(self, text: str) -> None:
        """Print a warning to standard error; with ``--json`` it joins the document's ``warnings``."""
        self.warnings.append(clean(text))
        if not self.json_mode:
            self.stderr.print(f"Warning: {clean(text)}", style="yellow", markup=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, title: str | None = None) -> None:
        """Print a plain table to standard output; it is never narrower than its content, so no id is cut off.

        Args:
            columns: Their headings.
            rows: Cells; one that is a pair is a text and its style.
            title: Printed above.
        """
        if self.json_mode:
            return
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for row in rows:
            cells = (cell if isinstance(cell, tuple) else (cell, "") for cell in row)
            table.add_row(*(Text(clean(text), style) for text, style in cells))
        unbounded = self.stdout.options.update(width=10_000)
        table.width = table.__rich_measure__(self.stdout, unbounded).maximum
        self.stdout.print(table)

    def facts(self, facts: Mapping[str, Cell], *, width: int = 12) -> None:
        """Print names and what they stand for, one to a line, to standard output."""
        if self.json_mode:
            return
        from rich.text import Text  # noqa: PLC0415

        for name, cell in facts.items():
            text, style = cell if isinstance(cell, tuple) else (cell, "")
            self.stdout.print(Text.assemble((f"{name:<{width}}", "bold"), (clean(text), style)))

    # The document --------------------------------------------------------------------------------------------------

    def document(self, payload: Mapping[str, Any], *, now: bool = False) -> None:
        """Set the document of ``--json``; without ``--json`` do nothing.

        Args:
            payload: JSON-serialisable members; ``ok`` and ``warnings`` are added.
            now: Write it at once: for a command that goes on running.
        """
        self._document = dict(payload)
        if now:
            self.finish()

    def line(self, payload: Mapping[str, Any]) -> None:
        """Write one JSON object on a line of its own, at once; without ``--json`` do nothing.

        A command that does so writes no document: what it has to say comes in lines, an error too.
        """
        if self.json_mode:
            self.in_lines()
            _write_line(payload)

    def in_lines(self) -> None:
        """Say that what this command has to say comes in lines, so that an error before the first one does, too."""
        self._lines = self._written = True

    def finish(self) -> None:
        """Write the document, once."""
        if not self.json_mode or self._written:
            return
        self._written = True
        document: dict[str, Any] = {"ok": True, **(self._document or {})}
        if self.warnings:
            document["warnings"] = self.warnings
        _write_json(document)

    def error(self, error: StudioError) -> None:
        """Report a failure: message and hint on standard error, or the error document with ``--json``."""
        if self.json_mode:
            if self._lines:
                _write_line({"ok": False, "error": error.to_json()})
            elif not self._written:
                self._written = True
                _write_json({"ok": False, "error": error.to_json()})
            return
        self.stderr.print(f"Error: {clean(error.message)}", style="bold red", markup=False)
        if error.hint:
            self.stderr.print(clean(error.hint), markup=False)

    # Progress ------------------------------------------------------------------------------------------------------

    @contextmanager
    def status(self, text: str) -> Iterator[None]:
        """Show that something of unknown length is going on: a spinner, or a line at its start and end.

        Args:
            text: What is going on, as "Installing packages".
        """
        text = clean(text)
        started = time.monotonic()
        if self.interactive:
            from rich.markup import escape  # noqa: PLC0415

            with self.stderr.status(escape(text)):
                yield
            self.note(f"✓ {text} ({_seconds(started)})")
            return
        self.note(f"{text} ...")
        yield
        self.note(f"{text}: done ({_seconds(started)})")

    @contextmanager
    def progress(self, text: str, *, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        """Show something of known length: a bar, or a plain line every quarter.

        Args:
            text: What is going on, as "Uploading".
            total: The whole, in ``unit``; ``None`` while unknown.
            unit: ``"bytes"`` prints sizes as kB and MB.

        Yields:
            A function that moves the display forward.
        """
        text = clean(text)
        started = time.monotonic()
        if self.interactive:
            with self._bar(text, total=total, unit=unit) as advance:
                yield advance
        else:
            self.note(f"{text} ...")
            yield _quarters(self, text, total)
        self.note(f"{text}: done ({_seconds(started)})")

    @contextmanager
    def _bar(self, text: str, *, total: float | None, unit: str) -> Iterator[Advance]:
        from rich.markup import escape  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        amounts = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), amounts, TimeElapsedColumn())
        with Progress(*columns, console=self.stderr, transient=True) as bars:
            task = bars.add_task(escape(text), total=total)

            def advance(amount: float = 1, *, total: float | None = None) -> None:
                bars.update(task, advance=amount, total=total)

            yield advance


def _quarters(output: Output, text: str, total: float | None) -> Advance:
    done = 0.0
    whole = total
    shown = 0

    def advance(amount: float = 1, *, total: float | None = None) -> None:
        nonlocal done, whole, shown
        done += amount
        whole = total if total is not None else whole
        if not whole:
            return
        quarter = min(int(done * 4 / whole), 4)
        if shown < quarter < 4:
            output.note(f"{text}: {quarter * 25} %")
        shown = max(shown, quarter)

    return advance


def _seconds(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"


def _write_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + os.linesep.replace("\r\n", "\n"))
    sys.stdout.flush()


def _write_line(payload: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(payload, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


_current: ContextVar[Output | None] = ContextVar("studio_output", default=None)


def get_output() -> Output:
    """Return the output of the running command; a plain one when called from elsewhere (a test, a script)."""
    output = _current.get()
    if output is None:
        output = Output()
        _current.set(output)
    return output


@contextmanager
def use_output(output: Output) -> Iterator[Output]:
    """Make ``output`` the one :func:`get_output` returns while the block runs."""
    token = _current.set(output)
    try:
        yield output
    finally:
        _current.reset(token)
