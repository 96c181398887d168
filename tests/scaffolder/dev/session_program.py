"""A session whose worker, app and builds are stand-ins: real processes, but small ones. Run by ``test_session.py``.

::

    python session_program.py FOLDER APP_CODE WORKER_CODE
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_studio.client import TransportError
from workflow_studio.compute.manifest import Manifest, SdkVersions
from workflow_studio.scaffolder.build.archive import describe_file
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.dev import local_worker
from workflow_studio.scaffolder.dev.display import display_for
from workflow_studio.scaffolder.dev.local_worker import LocalWorker
from workflow_studio.scaffolder.dev.outcomes import Broken, BuildStarted, Built, Deployed, Problem
from workflow_studio.scaffolder.dev.session import AppServer, Session
from workflow_studio.scaffolder.errors import StudioError
from workflow_studio.scaffolder.node import NodeRuntime
from workflow_studio.scaffolder.output import Output
from workflow_studio.scaffolder.processes import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workflow_studio.client import AsyncComputeClient
    from workflow_studio.scaffolder.dev.outcomes import BuildOutcome

BUILT = Built(
    Manifest.describe(
        files=tuple(describe_file(name, b"") for name in ("flow.js", "graph.json", "step.js", "webhook.js")),
        workflows=("workflow//./w//w",),
        steps=(),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        node=">=20",
    ),
    {},
    frozenset(),
    0.5,
)


class Builds:
    async def outcomes(self) -> AsyncIterator[BuildOutcome]:
        for outcome in (
            BuildStarted(),
            BUILT,
            BuildStarted((Path.cwd() / "w.ts",)),
            Broken((Problem("no", "w.ts", 1, 1),)),
        ):
            yield outcome
        await asyncio.Event().wait()


@asynccontextmanager
async def builds() -> AsyncIterator[Builds]:
    yield Builds()


class Deployer:
    """Cannot reach the worker at first."""

    def __init__(self, client: AsyncComputeClient) -> None:
        self.calls = 0

    async def deploy(self, built: Built) -> Deployed:
        self.calls += 1
        if self.calls == 1:
            raise TransportError("Out of reach", code="unreachable")
        return Deployed(built.manifest.deployment_id, 1, 0.1)


def main(folder: Path, app_code: str, worker_code: str) -> int:
    output = Output(json_mode=True)
    display = display_for(output)
    local_worker.worker_command = lambda *_: [sys.executable, "-c", worker_code]
    node = NodeRuntime(Path(sys.executable), (), (24, 0, 0), bundled=False)
    port = free_port()
    connection = Connection(f"http://localhost:{port}", "the-key-of-the-session")
    (folder / "dev").mkdir()
    session = Session(
        app_dir=folder,
        connection=connection,
        environment=None,
        display=display,
        builds=builds,
        deployer=Deployer,
        worker=LocalWorker(connection, port, folder / "dev/worker", folder, node, [folder / ".env"], display),
        app=AppServer([sys.executable, "-c", app_code], {"PATH": "/usr/bin:/bin"}),
    )
    try:
        return asyncio.run(session.run())
    except StudioError as error:
        output.error(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
