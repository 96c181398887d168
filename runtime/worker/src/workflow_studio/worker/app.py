"""The worker as an ASGI app."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from workflow_studio.compute.codes import ErrorBody
from workflow_studio.worker import openapi, problems
from workflow_studio.worker.auth import Authenticator
from workflow_studio.worker.boot import running
from workflow_studio.worker.gate import Gate, operation_id
from workflow_studio.worker.limits import RateLimits
from workflow_studio.worker.metrics import Metrics
from workflow_studio.worker.routes import (
    activity,
    audit,
    deployments,
    diagnostics,
    environment,
    environments,
    health,
    ingress,
    keys,
    limits,
    output,
    queue,
    reruns,
    runs,
    streams,
    timeline,
    webhooks,
    world,
)
from workflow_studio.worker.routes import (
    metrics as metrics_route,
)
from workflow_studio.worker.together import counting_together
from workflow_studio.worker.tracing import TracedApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from workflow_studio.worker.services import Pool
    from workflow_studio.worker.settings import WorkerSettings
    from workflow_studio.worker.tracing import Tracing

_ROUTERS: Final = (
    health.router,
    deployments.router,
    environment.router,
    environments.router,
    runs.router,
    reruns.router,
    streams.router,
    output.router,
    activity.router,
    timeline.router,
    diagnostics.router,
    metrics_route.router,
    queue.router,
    keys.router,
    limits.router,
    audit.router,
    world.router,
    ingress.router,
    webhooks.router,
)


def create_app(settings: WorkerSettings, *, pool: Pool | None = None, tracing: Tracing | None = None) -> FastAPI:
    """Return the app. It opens the database and starts to deliver messages when its lifespan begins.

    Args:
        settings: The settings.
        pool: Replaces the Node.js executors, for tests.
        tracing: Makes spans of what happens, where that is wanted.
    """
    metrics = Metrics(path for _, path in world.LANE)
    rate_limits = RateLimits(settings.rate_limit_per_minute, settings.failed_logins_per_minute, metrics.refused)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            running(settings, pool, metrics, tracing) as services,
            counting_together(services.engine, rate_limits),
        ):
            app.state.services = services
            yield

    app = FastAPI(
        title="Workflow Studio worker",
        version=version("workflow-studio-worker"),
        lifespan=lifespan,
        docs_url=None,  # the page would load scripts from elsewhere, and could not send a key
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the worker has its own
        separate_input_output_schemas=False,
        generate_unique_id_function=operation_id,
    )
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # FastAPI's own way to extend the schema
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    gate = partial(
        Gate,
        direct=world.LANE,
        authenticator=Authenticator(lambda: app.state.services.engine.keys),
        limits=rate_limits,
        audit=lambda: app.state.services.engine.audit,
        require_https=settings.require_https,
        max_body=settings.max_body_bytes,
        body_timeout=settings.body_timeout,
        metrics=metrics,
        is_leaving=lambda: app.state.services.stopping.is_announced,
    )
    app.add_middleware(gate)
    if tracing is None:
        app.state.lane = _Lane(app, gate(app))
    else:
        app.add_middleware(TracedApp, tracing=tracing)
    return app


class _Lane:
    """Answers the requests of the world lane that need nothing of what the app does for others.

    Args:
        app: The app, whose state the lane needs.
        gate: What every request passes.
    """

    def __init__(self, app: FastAPI, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self._app
        await self._gate(scope, receive, send)


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    made = app.openapi_schema is not None
    document = FastAPI.openapi(app)
    return document if made else openapi.complete(document, app.routes)
