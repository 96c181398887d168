"""``studio doctor``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import os
from pathlib import Path

import typer

from workflow_studio.scaffolder.checks import Verdict, exit_code, show_checks
from workflow_studio.scaffolder.cli import DirectoryOption, JsonFlag, add
from workflow_studio.scaffolder.doctor.app import check_app
from workflow_studio.scaffolder.doctor.machine import check_machine
from workflow_studio.scaffolder.doctor.worker import check_worker
from workflow_studio.scaffolder.options import KeyOption, KeyStdinOption, ProfileOption, UrlOption, handed_key
from workflow_studio.scaffolder.output import get_output


def register(app: typer.Typer) -> None:
    """Add ``studio doctor``."""
    add(app, "doctor", doctor, examples=("studio doctor", "studio doctor --profile production --json"))


def doctor(
    *,
    directory: DirectoryOption = Path(),
    url: UrlOption = None,
    profile: ProfileOption = None,
    api_key_stdin: KeyStdinOption = False,
    api_key: KeyOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> int:
    """Say what is wrong with this machine, app or worker.

    Nothing is changed. Each line that is not right says what to do about it.

    Exit codes: 0 all is well, 1 something is wrong, 2 there are warnings only.
    """
    output = get_output()
    key = handed_key(api_key, from_stdin=api_key_stdin)
    parts = {
        "Machine": list(check_machine(directory)),
        "App": list(check_app(directory)),
        "Worker": list(check_worker(directory, url=url, profile=profile, api_key=key, environment=dict(os.environ))),
    }
    for title, checks in parts.items():
        output.print(title, style="bold")
        show_checks(output, checks)
        output.print()
    found = [check for checks in parts.values() for check in checks]
    wrong = sum(check.verdict is Verdict.FAIL for check in found)
    doubtful = sum(check.verdict is Verdict.WARN for check in found)
    output.print(_summary(wrong, doubtful))
    code = exit_code(found)
    output.document(
        {
            "ok": code != 1,
            "checks": [
                {"part": title.lower(), **check.to_json()} for title, checks in parts.items() for check in checks
            ],
        }
    )
    return code


def _summary(wrong: int, doubtful: int) -> str:
    if not wrong and not doubtful:
        return "All is well."
    parts = [f"{wrong} wrong"] if wrong else []
    return ", ".join([*parts, *([f"{doubtful} to look at"] if doubtful else [])]) + "."
