"""Every routine of the project, one session each: ``nox -l`` lists them, ``nox -s tests`` runs one.

They run in the development environment that ``python3 dev.py setup`` makes, so a session starts at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "tests"]

BIN = Path(sys.executable).parent
PYTHON = {"django", "fastapi", "flask"}
"""The frameworks whose apps have a suite of their own, because they run no workflows themselves."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check the format, the rules and the types."""
    session.run(str(BIN / "ruff"), "format", "--check", external=True)
    session.run(str(BIN / "ruff"), "check", external=True)
    session.run(str(BIN / "mypy"), external=True)


@nox.session
def fix(session: nox.Session) -> None:
    """Format, and mend what the linter can mend."""
    session.run(str(BIN / "ruff"), "check", "--fix", external=True)
    session.run(str(BIN / "ruff"), "format", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast suites: unit, contract and property tests."""
    session.run(str(BIN / "pytest"), "-m", "not e2e", "-n", "auto", *session.posargs, external=True)


@nox.session
def e2e(session: nox.Session) -> None:
    """Build and run real apps on a real worker (minutes; needs the npm registry).

    ``nox -s e2e`` runs every suite and two frameworks of the matrix, ``nox -s e2e -- nuxt flask`` what is there for
    these two, ``nox -s e2e -- all`` all frameworks. What begins with a dash is for pytest.
    """
    options = [argument for argument in session.posargs if argument.startswith("-")]
    frameworks = {argument for argument in session.posargs if not argument.startswith("-")}
    in_python = sorted(PYTHON if "all" in frameworks else PYTHON & frameworks)
    others = sorted({"all"} if "all" in frameworks else frameworks - PYTHON)
    pytest = [str(BIN / "pytest"), "-m", "e2e", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *options]
    if not frameworks:
        session.run(*pytest, external=True)
    if others:
        session.run(*pytest, "tests/e2e/matrix", env={"STUDIO_MATRIX": ",".join(others)}, external=True)
    if in_python:
        session.run(*pytest, "tests/e2e/test_python_apps.py", env={"STUDIO_MATRIX": ",".join(in_python)}, external=True)


@nox.session
def many_workers(session: nox.Session) -> None:
    """Run 2,000 runs on three workers that are killed, paused and cut off from their database (about ten minutes)."""
    pytest = (str(BIN / "pytest"), "tests/e2e/test_many_workers.py", *session.posargs)
    session.run(*pytest, env={"STUDIO_MANY_RUNS": "2000"}, external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure this World against others on this machine (about 40 minutes; needs the npm registry).

    What follows ``--`` is for ``python -m bench``: ``nox -s bench -- --short`` only sees whether all of it runs,
    and ``nox -s bench -- workers`` measures how throughput grows with workers on one PostgreSQL.
    """
    session.run(sys.executable, "-m", "bench", *session.posargs, external=True)


@nox.session
def examples(session: nox.Session) -> None:
    """Write the examples anew from the template."""
    session.run(sys.executable, "-m", "tests.support.examples", "--write", external=True)


@nox.session
def reference(session: nox.Session) -> None:
    """Write the command reference anew from the commands' help."""
    session.run(sys.executable, "-m", "tests.support.cli_reference", "--write", external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into ``site/``; a broken link is an error."""
    session.run(str(BIN / "mkdocs"), "build", "--strict", *session.posargs, external=True)
