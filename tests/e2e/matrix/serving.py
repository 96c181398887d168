"""An app of the matrix, served in another way than the checks of all frameworks do."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx

from tests.e2e.matrix.conftest import REMOTE
from tests.e2e.support import App, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.matrix.starter import Starter
    from tests.e2e.support import Worker


@contextmanager
def serving(
    starter: Starter,
    folder: Path,
    worker: Worker,
    environment: Mapping[str, str],
    *,
    remote: bool = False,
    below: str = "",
    dev: bool = False,
) -> Iterator[App]:
    """Start a server of the app.

    Args:
        starter: What the app is made of.
        folder: Where the server is started.
        worker: The worker.
        environment: Variables of the server.
        remote: It gets the variables that send its runs to the worker.
        below: The path that the app lives below.
        dev: It is the development server.
    """
    app = App(starter.framework, folder, worker)
    app.env = {name: value for name, value in app.env.items() if remote or name not in REMOTE} | dict(environment)
    if dev:
        # Told by an option, as people do: the variable would also tell the SDK.
        port = app.env.pop("PORT")
        app.env.pop("NODE_ENV")
        app.command = (*starter.dev, "--port", port)
    app.url += below
    app.http = httpx.Client(base_url=app.url, timeout=60)
    try:
        app.start()
        yield app
    finally:
        group = app.process.pid if app.process else None
        app.close()
        if group is not None:
            # npx does not tell the server behind it that it has to end.
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


@contextmanager
def changed_settings(folder: Path, *changes: tuple[str, str]) -> Iterator[None]:
    """Change the app's settings for a while; each change is a text of the file and what takes its place."""
    config = folder / "workflow.config.ts"
    text = changed = config.read_text()
    for before, after in changes:
        assert text.count(before) == 1
        changed = changed.replace(before, after)
    config.unlink()  # it may be a link to the file of another copy
    config.write_text(changed)
    try:
        yield
    finally:
        config.write_text(text)


def output_of_a_refused_start(starter: Starter, folder: Path, environment: Mapping[str, str]) -> str:
    """Start the production server with settings that contradict each other; return what it says before it ends."""
    wrong = {"PORT": "0", "NODE_ENV": "production", **environment, "WORKFLOW_TARGET_WORLD": "local"}
    with changed_settings(folder, ("// mode: 'remote'", "mode: 'remote'")):
        done = subprocess.run(
            starter.start,
            cwd=folder,
            env=clean_environment(**wrong),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode != 0
    return done.stdout + done.stderr
