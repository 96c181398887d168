"""``studio test-worker``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import os
import select
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.cli import DirectoryOption, JsonFlag, add
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.processes import stop_requests_as_interrupts
from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker

EnvFileOption = Annotated[
    Path | None,
    typer.Option(
        "--env-file", exists=True, dir_okay=False, help="Variables for the workflows' code, one NAME=value a line."
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``studio test-worker``."""
    add(app, "test-worker", run_worker, examples=("studio test-worker -C apps/web --env-file .env.test",))


def run_worker(
    *,
    directory: DirectoryOption = Path(),
    env_file: EnvFileOption = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Run a worker for tests, with this app's workflows deployed.

    It listens on a free port, has a key of its own and keeps its data in a temporary folder. It runs until its standard
    input ends or Ctrl-C, and leaves nothing behind.
    """
    output = get_output()
    with stop_requests_as_interrupts(), ExitStack() as whole:
        stage = whole.enter_context(ExitStack())

        def next_stage(text: str) -> None:
            stage.close()
            stage.enter_context(output.status(text))

        worker = ThrowawayWorker(directory, env_file=env_file and env_file.resolve(), progress=next_stage)
        whole.enter_context(worker)
        stage.close()
        for name, value in worker.environment.items():
            output.print(f"{name}={value}")
        output.note("The worker runs until Ctrl-C.")
        output.document(
            {
                "url": worker.url,
                "apiKey": worker.api_key,
                "deploymentId": worker.deployment.deployment_id,
                "workflows": list(worker.workflows),
                "environment": worker.environment,
            },
            now=True,
        )
        sys.stdout.flush()
        try:
            worker.wait_until(_input_has_ended)
        except KeyboardInterrupt:
            output.note("Stopping the worker.")


def _input_has_ended() -> bool:
    try:
        readable, _, _ = select.select([0], [], [], 0)
        return bool(readable) and not os.read(0, 4096)
    except OSError:  # there is no standard input
        return True
