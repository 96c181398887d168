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
    ("update",),
    ("remove",),
    ("dev",),
    ("build",),
    ("deploy",),
    ("rollback",),
    ("runs",),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "watch"),
    ("runs", "cancel"),
    ("runs", "logs"),
    ("runs", "rerun"),
    ("runs", "wake"),
    ("deployments",),
    ("deployments", "list"),
    ("deployments", "show"),
    ("deployments", "activate"),
    ("deployments", "rollback"),
    ("deployments", "delete"),
    ("deployments", "env"),
    ("deployments", "env", "list"),
    ("deployments", "env", "set"),
    ("deployments", "env", "unset"),
    ("environments",),
    ("environments", "list"),
    ("environments", "delete"),
    ("limits",),
    ("limits", "list"),
    ("limits", "set"),
    ("limits", "remove"),
    ("keys",),
    ("keys", "create"),
    ("keys", "list"),
    ("keys", "show"),
    ("keys", "rotate"),
    ("keys", "revoke"),
    ("audit",),
    ("audit", "list"),
    ("compute",),
    ("compute", "build"),
    ("compute", "deploy"),
    ("compute", "activate"),
    ("compute", "list"),
    ("compute", "validate-ownership"),
    ("worker",),
    ("worker", "start"),
    ("worker", "check-config"),
    ("worker", "status"),
    ("db",),
    ("db", "current"),
    ("db", "check"),
    ("db", "upgrade"),
    ("db", "size"),
    ("db", "forget-key"),
    ("db", "copy"),
    ("test-worker",),
    ("doctor",),
    ("demo",),
)
INTRODUCTION = """# Commands

What `--help` says of each. Every command takes `--json` and then prints exactly one JSON document on standard output:
`{"ok": true, …}` when it worked, `{"ok": false, "error": {"code", "message", "hint"}}` when it did not. Only a command
that goes on, such as `runs watch`, prints one JSON object a line instead.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line is wrong; where a command's help says so, only warnings |
| 3 | done as far as possible: conflicts or manual steps are left |
| 4 | `--check` found changes |
| 130 | interrupted |

The worker's address comes from `--url` or `--profile`, else from `WORKFLOW_STUDIO_PROFILE`, else from
`WORKFLOW_COMPUTE_BASE_URL` in the environment or in the app's `.env.local` and `.env`, else from the default profile,
else it is `http://localhost:8787`.

Its key comes from `--api-key-stdin`, else from `WORKFLOW_COMPUTE_API_KEY` in the environment or in the same files, else
from the file that a worker started in this folder made; with a profile, from the variable that the profile names. At a
terminal the command asks for a key that it did not find. [Operating a worker](../guides/operating.md) tells more.

The environment of the worker comes from `--environment`, else from the profile, else from
`WORKFLOW_COMPUTE_ENVIRONMENT`, else it is `production`; [Environments](../guides/environments.md) tells more.

`studio --install-completion` teaches your shell the commands, and the ids of runs and deployments.
"""


def render() -> str:
    """Return the page as the commands would have it today."""
    environment = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1"}
    # One process for all: most of the time goes into starting Python.
    program = (
        "import sys; from workflow_studio.scaffolder.cli import main\n"
        "for line in sys.stdin:\n"
        "    if main([*line.split(), '--help']) != 0: sys.exit(line)\n"
        "    print('\\0', end='')\n"
    )
    asked = "".join(f"{' '.join(command)}\n" for command in COMMANDS)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, input=asked, capture_output=True, text=True, check=True
    )
    parts = [INTRODUCTION]
    for command, shown in zip(COMMANDS, done.stdout.split("\0"), strict=False):
        lines = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts.append(f"## {' '.join(('studio', *command))}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(render(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != render():
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the commands say: run nox -s reference")
