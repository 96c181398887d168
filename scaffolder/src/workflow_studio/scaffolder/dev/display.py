"""What a session shows: one stream, in which a word in front of each line says who speaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from rich.cells import cell_len
from rich.text import Text

from workflow_studio.scaffolder.dev.activity import describe, is_told
from workflow_studio.scaffolder.operate.show import document
from workflow_studio.scaffolder.output import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workflow_studio.compute.api import ActivityEntry
    from workflow_studio.scaffolder.dev.outcomes import Broken, Built, Deployed, Problem
    from workflow_studio.scaffolder.errors import StudioError
    from workflow_studio.scaffolder.output import Output

_WIDTH: Final = 8
_STYLES: Final = {"app": "blue", "worker": "magenta", "build": "cyan", "run": "green", "studio": "bold"}
_MOST_PROBLEMS: Final = 5
_MOST_CHANGES: Final = 3
_OUTPUT_LINES: Final = 15
# What moves the cursor or clears the screen goes; colours may stay.
_NO_COLOUR: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]|\x1b(?!\[)"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a session is.

    Attributes:
        app: The app's folder.
        command: What starts its server, as a person would write it; None if the session does not start it.
        worker: The worker's URL.
        environment: The environment there; None for a worker of the session's own.
        variables: File with what an app needs that the session does not start.
    """

    app: Path
    command: str | None
    worker: str
    environment: str | None = None
    variables: Path | None = None


class Display(Protocol):
    """Where a session tells what happens."""

    def session(self, facts: SessionFacts) -> None:
        """Show what this session is."""

    def note(self, text: str) -> None:
        """Show something that the session itself has to say."""

    def line(self, source: str, text: str) -> None:
        """Show a line that a process printed."""

    def ready(self, source: str, url: str) -> None:
        """Show that a process listens."""

    def lost(self, source: str, text: str) -> None:
        """Show that a process ended that should not have."""

    def build_started(self, changed: tuple[str, ...]) -> None:
        """Show that a build began, and the files that call for it; the first one needs none."""

    def deployed(self, built: Built, deployed: Deployed) -> None:
        """Show that a build is active."""

    def broken(self, broken: Broken, *, active: str | None) -> None:
        """Show why a build failed, and which deployment stays."""

    def refused(self, error: StudioError) -> None:
        """Show why the worker did not take a build."""

    def activity(self, entry: ActivityEntry) -> None:
        """Show what happened in a run."""


class TextDisplay:
    """Lines for people, in colours where the terminal has them."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def session(self, facts: SessionFacts) -> None:
        """Print a small table."""
        shown = {
            "app": facts.app.name + (f", started with {facts.command}" if facts.command else ""),
            "worker": facts.worker + ("" if facts.environment else ", on this machine for this session"),
            "environment": facts.environment,
            "variables": facts.variables and f"start the app with those in {facts.variables.relative_to(facts.app)}",
            "end": "Ctrl-C",
        }
        self._output.facts({name: value for name, value in shown.items() if value}, width=_WIDTH + 5)
        self._output.print()

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._say("studio", text)

    def line(self, source: str, text: str) -> None:
        """Print the line; its colours stay."""
        if not text.strip():
            return  # servers set their words apart with empty lines; here the word in front does
        self._print(source, Text.from_ansi(_NO_COLOUR.sub("", text)) if "\x1b" in text else Text(clean(text)))

    def ready(self, source: str, url: str) -> None:
        """Print the address."""
        self._print(source, Text.assemble("ready at ", (url, "bold")))

    def lost(self, source: str, text: str) -> None:
        """Print it so that it is seen."""
        self._say(source, text, "yellow")

    def build_started(self, changed: tuple[str, ...]) -> None:
        """Print what changed."""
        if not changed:
            self._say("build", "building the workflows", "dim")
            return
        more = f" and {len(changed) - _MOST_CHANGES} more" if len(changed) > _MOST_CHANGES else ""
        self._say("build", f"{', '.join(changed[:_MOST_CHANGES])}{more} changed", "dim")

    def deployed(self, built: Built, deployed: Deployed) -> None:
        """Print the deployment, and how long it took."""
        for warning in built.warnings:
            self._say("build", f"Warning: {warning}", "yellow")
        if deployed.unchanged:
            self._say("build", f"{deployed.deployment_id} is active already ({built.seconds:.1f} s build)", "dim")
            return
        took = f"{built.seconds:.1f} s build, {deployed.seconds:.1f} s upload and activation"
        self._print("build", Text.assemble("deployed ", (deployed.deployment_id, "bold"), (f" ({took})", "dim")))

    def broken(self, broken: Broken, *, active: str | None) -> None:
        """Print the compiler's messages, each with its place and its line."""
        stays = f"; {active} stays active" if active else ""
        self._say("build", f"failed{stays}", "bold red")
        for problem in broken.problems[:_MOST_PROBLEMS]:
            self._problem(problem)
        if len(broken.problems) > _MOST_PROBLEMS:
            self._more("build", f"and {len(broken.problems) - _MOST_PROBLEMS} more messages", "dim")
        if not any(problem.file for problem in broken.problems):
            for line in broken.output.strip().splitlines()[-_OUTPUT_LINES:]:
                self._more("build", clean(line), "dim")

    def refused(self, error: StudioError) -> None:
        """Print the error, and what to do."""
        self._say("build", f"not deployed: {error.message}", "bold red")
        if error.hint:
            self._more("build", error.hint)

    def activity(self, entry: ActivityEntry) -> None:
        """Print it, if it says something to a person."""
        if not is_told(entry):
            return
        told = describe(entry)
        if entry.missed:
            self._say("run", "Some of what happened is left out: it was too much at once.", "dim")
        head = Text.assemble((entry.run_id[-4:], "dim"), " ", (told.workflow, "bold"), " ")
        self._print("run", head + Text(clean(told.text), told.style))
        for line in told.more:
            self._print("run", Text(" " * 7 + clean(line), "dim"))

    def _problem(self, problem: Problem) -> None:
        place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
        message = clean(problem.message)
        self._print("build", Text.assemble("  ", (place, "bold"), "  " if place else "", (message, "red")))
        if problem.line_text is None or problem.line is None:
            return
        # Tabs are as wide as spaces here, so that the caret stands where it should.
        text = clean(problem.line_text).replace("\t", " ")
        number = f"    {problem.line} │ "
        self._more("build", f"{number}{text}", "dim")
        if problem.column is not None:
            before = text[: problem.column - 1]
            self._more("build", " " * (len(number) - 2) + "│ " + " " * cell_len(before) + "^", "red")

    def _say(self, source: str, text: str, style: str = "") -> None:
        first, *more = clean(text).splitlines() or [""]
        self._print(source, Text(first, style))
        for line in more:
            self._more(source, line, style)

    def _more(self, source: str, text: str, style: str = "") -> None:
        self._print(source, Text(text, style))

    def _print(self, source: str, text: Text) -> None:
        self._output.stdout.print(Text.assemble((f"{source:<{_WIDTH}}", _STYLES[source]), text), soft_wrap=True)


class JsonDisplay:
    """One JSON object for each thing that happens."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def session(self, facts: SessionFacts) -> None:
        """Write the facts."""
        members = {
            "app": str(facts.app),
            "command": facts.command,
            "worker": facts.worker,
            "environment": facts.environment,
            "variables": facts.variables and str(facts.variables),
        }
        self._write("session", **{name: value for name, value in members.items() if value})

    def note(self, text: str) -> None:
        """Write the sentence."""
        self._write("note", text=text)

    def line(self, source: str, text: str) -> None:
        """Write the line as it is."""
        self._write("line", source=source, text=text)

    def ready(self, source: str, url: str) -> None:
        """Write the address."""
        self._write("ready", source=source, url=url)

    def lost(self, source: str, text: str) -> None:
        """Write what is known of it."""
        self._write("lost", source=source, text=text)

    def build_started(self, changed: tuple[str, ...]) -> None:
        """Write the files."""
        self._write("build_started", changed=changed)

    def deployed(self, built: Built, deployed: Deployed) -> None:
        """Write the deployment and the times."""
        self._write(
            "deployed",
            deploymentId=deployed.deployment_id,
            unchanged=deployed.unchanged,
            uploadedBytes=deployed.uploaded_bytes,
            buildSeconds=round(built.seconds, 3),
            deploySeconds=round(deployed.seconds, 3),
            workflows=list(built.manifest.workflows),
            warnings=list(built.warnings),
        )

    def broken(self, broken: Broken, *, active: str | None) -> None:
        """Write every message."""
        problems = [_problem_document(problem) for problem in broken.problems]
        self._write("broken", problems=problems, output=broken.output, active=active)

    def refused(self, error: StudioError) -> None:
        """Write the error."""
        self._write("refused", error=error.to_json())

    def activity(self, entry: ActivityEntry) -> None:
        """Write the entry as the worker tells it."""
        self._write("activity", entry=document(entry))

    def _write(self, kind: str, **members: object) -> None:
        self._output.line({"type": kind, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **members})


def display_for(output: Output) -> Display:
    """Return the display that fits the command's output."""
    return JsonDisplay(output) if output.json_mode else TextDisplay(output)


def _problem_document(problem: Problem) -> dict[str, object]:
    members: Sequence[tuple[str, object]] = (
        ("message", problem.message),
        ("file", problem.file),
        ("line", problem.line),
        ("column", problem.column),
        ("lineText", problem.line_text),
    )
    return {name: value for name, value in members if value is not None}
