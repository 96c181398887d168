#!/usr/bin/env python3
"""The project's front door on a machine that has only Python and git.

    python3 dev.py demo  [options]   see Workflow Studio at work: an example app on a worker, in a temporary folder
    python3 dev.py test  [options]   run the fast tests; with --all the end-to-end tests too; the rest goes to pytest
    python3 dev.py setup             make .venv with every development tool

Each command makes or updates ``.venv`` first and does nothing to it when it is up to date. Packages come from wherever
pip is set up to get them. Where Node.js 20 or later is missing, one is installed into ``.venv``.
"""

# ruff: noqa: S603, S606, T201 - a script for people: it prints, and runs the project's own commands

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever `python3` is
    sys.exit(f"Workflow Studio needs Python 3.11 or later; this is {sys.version.split()[0]}. Try: python3.12 dev.py")

import tomllib

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".workflow-studio.json"
CONSTRAINTS = ROOT / "constraints.txt"
MEMBERS = ("runtime/compute", "runtime/client", "runtime/worker", "scaffolder")
NODE_MAJOR = 20

# What each command needs besides the four packages: names of dependency groups in pyproject.toml.
GROUPS = {"demo": (), "test": ("test",), "setup": ("dev", "docs")}


class SetupError(Exception):
    """Something a person must do first."""


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    command, *rest = arguments or ["--help"]
    if command not in GROUPS:
        print(__doc__)
        return 0 if command in {"-h", "--help", "help"} else 2
    os.chdir(ROOT)
    try:
        ensure_environment(GROUPS[command])
        if command == "demo":
            become(VENV / "bin" / "studio", "demo", *rest)
        if command == "test":
            test(rest)
    except SetupError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"Ready: {VENV.relative_to(ROOT)} has the studio command, the worker and the tools.")
    return 0


def test(arguments: list[str]) -> NoReturn:
    """Run the tests: all but the end-to-end ones unless ``--all`` or ``-m`` says otherwise."""
    selection = ["-n", "auto"]
    if "--all" in arguments:
        arguments = [argument for argument in arguments if argument != "--all"]
        # The tests of one file share their app and their worker. The slow files come first (tests/conftest.py).
        selection += ["--dist", "loadfile", "--no-loadscope-reorder"]
    elif "-m" not in arguments:
        selection += ["-m", "not e2e"]
    # Tests run `node` and `npm` by name, so the bundled ones must be found as well.
    script = "from workflow_studio.scaffolder.node import find_node; print(find_node().environment()['PATH'])"
    path = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=False)
    if path.returncode == 0:
        os.environ["PATH"] = path.stdout.strip()
    become(PYTHON, "-m", "pytest", *selection, *arguments)


def become(program: Path, *arguments: str) -> NoReturn:
    """Turn this process into another program, so that signals and the exit status are the program's."""
    sys.stdout.flush()
    os.execv(program, [str(program), *arguments])


# The environment -----------------------------------------------------------------------------------------------------


def ensure_environment(groups: tuple[str, ...]) -> None:
    """Make ``.venv`` hold the four packages and ``groups``, as the project's files ask for today."""
    stamp = read_stamp()
    fingerprint = fingerprint_of_inputs()
    had = stamp.get("groups")
    wanted = sorted({*groups, *(had if isinstance(had, list) else ())})
    bundled_node = bool(stamp.get("node")) or not has_system_node()
    fresh = {"fingerprint": fingerprint, "groups": wanted, "node": bundled_node}
    if stamp == fresh and PYTHON.exists():
        return

    started = time.monotonic()
    if not works(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        print(f"Making {VENV.relative_to(ROOT)} with Python {sys.version.split()[0]} ...", flush=True)
        make_venv()
    note = f" and Node.js (there is no Node.js {NODE_MAJOR} or later on this machine)" if bundled_node else ""
    print(f"Installing the packages{note}; the first time takes a minute ...", flush=True)
    STAMP.unlink(missing_ok=True)
    install(wanted, with_node=bundled_node)
    STAMP.write_text(json.dumps(fresh), encoding="utf-8")
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)


def read_stamp() -> dict[str, object]:
    """Return what the environment was made for, or nothing."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def fingerprint_of_inputs() -> str:
    """Return a digest of everything that decides what belongs into the environment."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {VENV}".encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS, *(ROOT / member / "pyproject.toml" for member in MEMBERS)):
        digest.update(path.read_bytes() if path.exists() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def has_system_node() -> bool:
    """Tell whether this machine has a Node.js that is new enough, with npm."""
    node = shutil.which("node")
    npm = shutil.which("npm")
    if node is None or npm is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    match = re.match(r"v(\d+)\.", answer.stdout)
    return answer.returncode == 0 and match is not None and int(match[1]) >= NODE_MAJOR


def works(*command: str | Path) -> bool:
    """Tell whether a command can be run and succeeds."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv() -> None:
    """Make the virtual environment with pip in it.

    Some distributions ship Python without ``ensurepip``; then another pip on the machine, or uv, steps in.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    attempt = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if attempt.returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if works(sys.executable, "-m", "venv", "--without-pip", VENV):
        if works(sys.executable, "-m", "pip", "--python", PYTHON, "install", "pip"):
            return
        uv = shutil.which("uv")
        if uv is not None and works(uv, "pip", "install", "--python", PYTHON, "pip"):
            return
    shutil.rmtree(VENV, ignore_errors=True)
    version = ".".join(map(str, sys.version_info[:2]))
    said = (attempt.stderr or attempt.stdout).strip().splitlines()
    raise SetupError(
        "Python cannot make a virtual environment here" + (f": {said[-1]}" if said else ".") + "\n"
        f"On Debian and Ubuntu run: apt-get install python{version}-venv  (or python3-venv), then try again."
    )


def install(groups: list[str], *, with_node: bool) -> None:
    """Install the packages, editable, and the groups' requirements."""
    if not works(PYTHON, "-m", "pip", "--version"):
        uv = shutil.which("uv")
        if not works(PYTHON, "-m", "ensurepip") and not (uv and works(uv, "pip", "install", "--python", PYTHON, "pip")):
            raise SetupError(f"There is no pip in {VENV}. Remove the folder and try again.")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if CONSTRAINTS.exists():
        command += ["-c", str(CONSTRAINTS)]
    for member in MEMBERS:
        extra = "[worker,node]" if with_node else "[worker]"
        command += ["-e", f"{ROOT / member}{extra if member == 'scaffolder' else ''}"]
    done = subprocess.run([*command, *requirements_of(groups)], check=False)
    if done.returncode != 0:
        raise SetupError(f"pip could not install the packages (exit {done.returncode}); what it printed says why.")


def requirements_of(groups: list[str]) -> list[str]:
    """Return the requirements of dependency groups (PEP 735), which pip itself reads only since 25.1."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]

    def expand(name: str) -> list[str]:
        found: list[str] = []
        for entry in declared[name]:
            found += expand(entry["include-group"]) if isinstance(entry, dict) else [entry]
        return found

    return sorted({requirement for group in groups for requirement in expand(group)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
