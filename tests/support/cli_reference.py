"""Writes ``docs/reference/cli.md`` from the commands' own help: ``python -m tests.support.cli_reference --write``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/cli.md"
COMMANDS = (
    (),
    ("scaffold",),
    ("build",),
    ("deploy",),
    ("rollback",),
    ("compute",),
    ("compute", "build"),
    ("compute", "deploy"),
    ("compute", "activate"),
    ("compute", "list"),
    ("worker",),
    ("worker", "start"),
    ("demo",),
)
INTRODUCTION = """# Commands

What `--help` says of each. Every command takes `--json` and then prints exactly one JSON document on standard output:
`{"ok": true, …}` when it worked, `{"ok": false, "error": {"code", "message", "hint"}}` when it did not.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line is wrong |
| 3 | done as far as possible: conflicts or manual steps are left |
| 4 | `--check` found changes |
| 130 | interrupted |

The worker's address and key come from `--url` and `--api-key`, else from `WORKFLOW_COMPUTE_BASE_URL` and
`WORKFLOW_COMPUTE_API_KEY`, else from the app's `.env.local` and `.env`. Else they are `http://localhost:8787` and the
key that a worker started in this folder made.
"""


def render() -> str:
    """Return the page as the commands would have it today."""
    environment = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1"}
    program = "import sys; from workflow_studio.scaffolder.cli import main; sys.exit(main(sys.argv[1:]))"
    parts = [INTRODUCTION]
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", program, *command, "--help"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
        parts.append(f"## {' '.join(('studio', *command))}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(render(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != render():
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the commands say: run nox -s reference")
