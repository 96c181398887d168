"""``python -m workflow_studio.worker``: the worker as a process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from workflow_studio.worker import check
from workflow_studio.worker.announce import CannotListenError, in_url, ready, refuse
from workflow_studio.worker.app import create_app
from workflow_studio.worker.connections import protocol
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.env_file import EnvFileError
from workflow_studio.worker.execution import NodeNotFoundError
from workflow_studio.worker.loading import PartError
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.origin import name_requests_in_log
from workflow_studio.worker.settings import ENV_PREFIX, WorkerSettings, load_settings
from workflow_studio.worker.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workflow_studio.worker.store import StoreLockedError

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_FAILED: Final = 1
_MISUSED: Final = 2


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
    logging.basicConfig(level=log_level.upper())
    name_requests_in_log()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("filelock").setLevel(logging.WARNING)
    try:
        with _bound(settings) as listener:
            port = listener.getsockname()[1]
            settings = settings.model_copy(update={"port": port})
            config = uvicorn.Config(
                create_app(settings),
                lifespan="off",  # run here instead, so that a refusal to start is a sentence and not a traceback
                log_config=None,
                access_log=False,  # webhook addresses hold secrets
                server_header=False,
                proxy_headers=True,
                forwarded_allow_ips=settings.trusted_proxies,
                http=protocol(head_timeout=settings.body_timeout),
                timeout_graceful_shutdown=max(1, round(settings.shutdown_grace)),
            )
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                lost = runner.run(_serve(_Server(config, settings, as_json=as_json), listener))
    except (StoreError, NodeNotFoundError, EnvFileError, EngineError, PartError, ObjectStoreError, OSError) as error:
        refuse(error, as_json=as_json)
        return _FAILED
    if lost is not None:
        refuse(lost, as_json=False)  # the one document has been printed
        return _FAILED
    return 0


async def _serve(server: _Server, listener: socket.socket) -> StoreLockedError | None:
    """Serve until told to stop, or until another worker takes the database over; return what to say in that case."""
    app: Any = server.config.app
    with server.stopped_by_signals():
        async with app.router.lifespan_context(app):
            losing = asyncio.ensure_future(app.state.services.engine.wait_until_lost())
            losing.add_done_callback(server.give_up)
            await server.serve(sockets=[listener])
            if losing.done():
                lost: StoreLockedError = losing.result()
                return lost
            losing.cancel()
            return None


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process, which has more to end than the server."""

    def __init__(self, config: uvicorn.Config, settings: WorkerSettings, *, as_json: bool) -> None:
        super().__init__(config)
        self._settings = settings
        self._as_json = as_json

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn's own would end the process before executors and database are closed."""
        yield

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT end the server; a second one kills the process, which loses nothing either."""

        def stop(_signal: int, _frame: object) -> None:
            self.should_exit = True  # the server looks ten times a second
            for name in _STOPPING:
                signal.signal(name, signal.SIG_DFL)

        previous = {name: signal.signal(name, stop) for name in _STOPPING}
        try:
            yield
        finally:
            for name, handler in previous.items():
                signal.signal(name, handler)

    def give_up(self, losing: asyncio.Future[StoreLockedError]) -> None:
        """End at once: without the database no request can be answered, and none is worth waiting for."""
        if not losing.cancelled():
            self.should_exit = self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            ready(self._settings, as_json=self._as_json)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the requests under way; long polls are answered at once."""
        app: Any = self.config.app
        app.state.services.stopping.set()
        await super().shutdown(sockets)


def _bound(settings: WorkerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListenError(f"{in_url(settings.host)}:{settings.port}", error) from error


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
