"""``python -m workflow_studio.worker``: the worker as a process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from workflow_studio.worker import check, heap
from workflow_studio.worker.announce import refuse
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.env_file import EnvFileError
from workflow_studio.worker.execution import NodeNotFoundError
from workflow_studio.worker.loading import PartError
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.origin import name_requests_in_log
from workflow_studio.worker.server import Server, bound, config_of
from workflow_studio.worker.settings import ENV_PREFIX, load_settings
from workflow_studio.worker.store import StoreError
from workflow_studio.worker.tls import TlsError
from workflow_studio.worker.tracing import tracing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAILED: Final = 1
_MISUSED: Final = 2
_REFUSALS: Final = (
    StoreError,
    NodeNotFoundError,
    EnvFileError,
    EngineError,
    PartError,
    ObjectStoreError,
    TlsError,
    OSError,
)
"""Why a worker does not start, if its settings are fine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker until it is told to stop.

    Returns:
        0 after an orderly end, 1 if it could not start or lost its database to another worker, 2 if a setting is wrong.
    """
    options = vars(_parser().parse_args(arguments))
    log_level = options.pop("log_level")
    as_json = options.pop("json")
    if options.pop("check"):
        return check.main(options.pop("settings"), options)
    try:
        settings = load_settings(options.pop("settings"), **options)
    except (ValidationError, SettingsError, OSError) as error:
        refuse(error, as_json=as_json)
        return _MISUSED
    heap.share()
    logging.basicConfig(level=log_level.upper())
    name_requests_in_log()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("filelock").setLevel(logging.WARNING)
    try:
        with bound(settings.host, settings.port) as listener:
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
            tracing = tracing_of(os.environ)
            config = config_of(create_app(settings, tracing=tracing), settings)
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                lost = runner.run(Server(config, settings, as_json=as_json).serve_until_stopped(listener))
    except _REFUSALS as error:
        refuse(error, as_json=as_json)
        return _FAILED
    if lost is not None:
        refuse(lost, as_json=False)  # the one document has been printed
        return _FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflow_studio.worker",
        description="Run a Workflow Studio worker. Every setting is also a variable: "
        f"{ENV_PREFIX}PORT, {ENV_PREFIX}DATA_DIR, ...",
    )
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port to listen on (8787); 0 takes a free one")
    parser.add_argument("--data-dir", type=Path, help="where data is kept (.workflow-studio/worker)")
    parser.add_argument("--public-url", help="the worker's address as others see it")
    parser.add_argument("--require-https", action=argparse.BooleanOptionalAction, help="refuse plain HTTP")
    parser.add_argument("--node", type=Path, help="the Node.js executable")
    parser.add_argument("--env-file", type=Path, help="a file of variables for the app's code")
    parser.add_argument("--settings", type=Path, help="a file of variables with the worker's settings")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document on standard output: ready, or why not"
    )
    parser.add_argument(
        "--check", action="store_true", help="do not start; print as JSON what a start with these settings would meet"
    )
    return parser
