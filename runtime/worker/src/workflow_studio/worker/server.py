"""The HTTP server of a worker that is a process of its own: its addresses, its signals, and its orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from workflow_studio.worker import heap, tls
from workflow_studio.worker.announce import CannotListenError, in_url, ready
from workflow_studio.worker.connections import protocol
from workflow_studio.worker.routes.world import LANE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

    from workflow_studio.worker.services import Services
    from workflow_studio.worker.settings import WorkerSettings
    from workflow_studio.worker.store import StoreLockedError

logger = logging.getLogger(__name__)

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 75
"""How long a connection is kept that nobody uses: longer than load balancers keep theirs, which would otherwise send a
request into one that is being closed. Clients are told, and keep it as long."""


def bound(host: str, port: int, setting: str | None = None) -> socket.socket:
    """Return a socket that is bound to an address.

    Args:
        host: The address.
        port: The port.
        setting: The setting that names them, where no option does.

    Raises:
        CannotListenError: If it is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListenError(f"{in_url(host)}:{port}", error, setting) from error


def config_of(app: ASGIApp, settings: WorkerSettings) -> uvicorn.Config:
    """Return how the worker is served.

    Raises:
        TlsError: If its certificate cannot be used.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",  # run by main instead, so that a refusal to start is a sentence and not a traceback
        ws="none",  # no address has one, and the library for them takes 2 MB
        log_config=None,
        access_log=False,  # webhook addresses hold secrets
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        headers=[("keep-alive", f"timeout={_KEEP_ALIVE_SECONDS}")],
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        http=protocol(settings.body_timeout, getattr(getattr(app, "state", None), "lane", None), LANE),
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace)),
    )
    config.load()
    if settings.tls_certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load(context, settings)
        config.ssl = context
    return config


class Server(uvicorn.Server):
    """A server that leaves the signals to the process, which has more to end than the server.

    Args:
        config: How it serves.
        settings: The worker's settings.
        as_json: Whether to say as JSON that it is ready.
    """

    def __init__(self, config: uvicorn.Config, settings: WorkerSettings, *, as_json: bool) -> None:
        super().__init__(config)
        self._settings = settings
        self._as_json = as_json
        self._ends_at: float | None = None
        self._renew = False

    async def serve_until_stopped(self, listener: socket.socket) -> StoreLockedError | None:
        """Open the worker and serve, until told to stop or until another worker takes the database over.

        Returns:
            What to say in that case.
        """
        app: Any = self.config.app
        with self._hearing_signals():
            async with app.router.lifespan_context(app), _metrics_served(self._services, self._settings):
                losing = asyncio.ensure_future(self._services.engine.wait_until_lost())
                losing.add_done_callback(self._give_up)
                await self.serve(sockets=[listener])
                if losing.done():
                    lost: StoreLockedError = losing.result()
                    return lost
                losing.cancel()
                return None

    @property
    def _services(self) -> Services:
        app: Any = self.config.app
        services: Services = app.state.services
        return services

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn's own would end the process before executors and database are closed."""
        yield

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT end the server; a second one kills the process, which loses nothing either.

        SIGHUP has it read its certificate again.
        """

        def stop(_signal: int, _frame: object) -> None:
            self._ends_at = time.monotonic() + self._settings.shutdown_delay  # the server looks ten times a second
            for name in _STOPPING:
                signal.signal(name, signal.SIG_DFL)

        def renew(_signal: int, _frame: object) -> None:
            self._renew = True

        handlers: dict[signal.Signals, Any] = dict.fromkeys(_STOPPING, stop)
        if self._settings.tls_certificate is not None:
            handlers[signal.SIGHUP] = renew
        previous = {name: signal.signal(name, handler) for name, handler in handlers.items()}
        try:
            yield
        finally:
            for name, handler in previous.items():
                signal.signal(name, handler)

    def _give_up(self, losing: asyncio.Future[StoreLockedError]) -> None:
        """End at once: without the database no request can be answered, and none is worth waiting for."""
        if not losing.cancelled():
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Do what signals ask for, and tell whether to end."""
        if self._ends_at is not None:
            # From here on load balancers hear that no more requests are wanted; those that come are answered.
            self._services.stopping.announce()
            self.should_exit = self.should_exit or time.monotonic() >= self._ends_at
        if self._renew:
            self._renew = False
            self._read_certificate()
        return await super().on_tick(counter)

    def _read_certificate(self) -> None:
        context = self.config.ssl
        if context is None:
            return
        try:
            tls.load(context, self._settings)
        except tls.TlsError as error:
            logger.error("The certificate stays as it was: %s %s", error.message, error.recovery)  # noqa: TRY400
        else:
            logger.info("New connections get the certificate that is in %s now.", self._settings.tls_certificate)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            heap.settle()
            ready(self._settings, as_json=self._as_json)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the requests under way; long polls are answered at once."""
        self._services.stopping.set()
        await super().shutdown(sockets)


class _MetricsServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _metrics_served(services: Services, settings: WorkerSettings) -> AsyncIterator[None]:
    """Show the metrics at an address of their own, if there is one, to the very end of the worker.

    Raises:
        CannotListenError: If the worker cannot listen there.
    """
    if not settings.metrics_address:
        yield
        return
    host, _, port = settings.metrics_address.rpartition(":")
    with bound(host.strip("[]"), int(port), "METRICS_ADDRESS") as listener:
        config = uvicorn.Config(
            services.exposition,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = _MetricsServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="metrics")
        logger.info("Metrics are at http://%s/metrics, without a key.", settings.metrics_address)
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
