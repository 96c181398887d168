"""Traces by OpenTelemetry: requests, deliveries and World calls, in the traces that the Workflow SDK carries along.

Off unless the variables of OpenTelemetry itself ask for them, and then what is traced is wrapped: a worker that traces
nothing does nothing for it. The SDK puts the context of ``start()`` into the run and into its messages, so what the
worker does for a run belongs to the trace of whoever started it, however much later that is.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute import wire
from workflow_studio.worker.engine.trace_context import CARRIER
from workflow_studio.worker.ports import Failed, Undelivered
from workflow_studio.worker.services import WrappedPool
from workflow_studio.worker.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from workflow_studio.worker.ports import CallContext, Delivery, Outcome, WorldHandler
    from workflow_studio.worker.services import Pool

logger = logging.getLogger(__name__)

Carrier = dict[str, str]
"""``traceparent`` and ``tracestate``, as W3C's Trace Context has them."""

_KEPT_RUNS: Final = 10_000


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether the variables of OpenTelemetry ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if exporter:
        return exporter != "none"
    return bool(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def tracing_of(environment: Mapping[str, str]) -> Tracing | None:
    """Return what traces, if that is wanted and can be done; a worker does its work without it, too."""
    if not is_wanted(environment):
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    try:
        from workflow_studio.worker.trace_export import provider_of  # noqa: PLC0415  # OpenTelemetry is an extra
    except ImportError:
        logger.warning("Traces are wanted, but OpenTelemetry is missing: pip install 'workflow-studio-worker[otel]'")
        return None
    provider = provider_of(exporter)
    if provider is None:
        logger.warning("There are no traces: OTEL_TRACES_EXPORTER is %s; the worker has otlp and console.", exporter)
        return None
    return Tracing(provider)


class Tracing:
    """Makes spans.

    Args:
        provider: Where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415  # OpenTelemetry is an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._trace = trace
        self._tracer = provider.get_tracer("workflow_studio.worker")
        self._propagator = TraceContextTextMapPropagator()
        self._deliveries: dict[str, Context] = {}

    def context_of(self, carrier: Mapping[str, str]) -> Context:
        """Return the context that a carrier has, which may be none."""
        return self._propagator.extract(carrier)

    def carrier_of(self, span: Span) -> Carrier:
        """Return what carries the context of a span along."""
        carrier: Carrier = {}
        self._propagator.inject(carrier, self._trace.set_span_in_context(span))
        return carrier

    @contextmanager
    def span(self, name: str, kind: str, parent: Context | None, **attributes: Any) -> Iterator[Span]:
        """Make a span that lasts as long as this."""
        made = self._tracer.start_span(
            name, context=parent, kind=self._trace.SpanKind[kind], attributes={k: v for k, v in attributes.items() if v}
        )
        try:
            yield made
        except BaseException as error:
            # Its words may hold what belongs to nobody else; its kind does not.
            made.set_status(self._trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            made.end()

    def fail(self, span: Span, reason: str) -> None:
        """Say that what a span is about failed."""
        span.set_status(self._trace.StatusCode.ERROR, reason)

    @contextmanager
    def delivering(self, delivery_id: str, span: Span) -> Iterator[None]:
        """Have the World calls of a delivery belong to its span."""
        self._deliveries[delivery_id] = self._trace.set_span_in_context(span)
        try:
            yield
        finally:
            del self._deliveries[delivery_id]

    def delivery(self, delivery_id: str | None) -> Context | None:
        """Return the context of a delivery that is under way."""
        return self._deliveries.get(delivery_id or "")


class TracedApp:
    """An ASGI app whose requests are spans, in the trace that their ``traceparent`` names.

    Args:
        app: The app.
        tracing: Makes the spans.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = self._tracing.context_of(given)
        with self._tracing.span(scope["method"], "SERVER", parent, **{"http.request.method": scope["method"]}) as span:
            token = CARRIER.set(self._tracing.carrier_of(span))

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._note(span, scope, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, answer)
            finally:
                CARRIER.reset(token)

    def _note(self, span: Span, scope: Scope, status: int) -> None:
        route = scope.get("route")
        if route is not None:
            # Not the address itself: the token of a webhook is a secret.
            span.update_name(f"{scope['method']} {route.path}")
            span.set_attribute("http.route", route.path)
        span.set_attribute("http.response.status_code", status)
        request_id = scope.get("workflow_studio.correlation_id")
        if request_id:
            span.set_attribute("workflow_studio.correlation_id", request_id)
        if status >= 500:
            self._tracing.fail(span, str(status))


class TracedPool(WrappedPool):
    """Hands everything to another pool; deliveries are spans in the traces of their runs.

    Args:
        pool: The other one.
        tracing: Makes the spans.
        carrier_of_run: Returns what the run was started with.
    """

    def __init__(self, pool: Pool, tracing: Tracing, carrier_of_run: Callable[[str], Awaitable[object]]) -> None:
        super().__init__(pool)
        self._tracing = tracing
        self._carrier_of_run = carrier_of_run
        self._known: OrderedDict[str, Carrier] = OrderedDict()

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run one delivery to its end."""
        carrier = carried(delivery) or await self._of_run(delivery.run_id)
        attributes = {
            "workflow.run.id": delivery.run_id,
            "workflow.step.id": delivery.step_id,
            "workflow.deployment.id": delivery.deployment_id,
            "messaging.message.id": delivery.message_id,
            "workflow_studio.attempt": delivery.attempt,
            "workflow_studio.waited_seconds": delivery.waited,
        }
        name = f"deliver {delivery.queue_name.removeprefix('__wkf_')}"
        with self._tracing.span(name, "CONSUMER", self._tracing.context_of(carrier), **attributes) as span:
            headers = {**delivery.headers, **self._tracing.carrier_of(span)}
            with self._tracing.delivering(delivery.id, span):
                outcome = await self._pool.deliver(replace(delivery, headers=headers))
            if isinstance(outcome, Failed | Undelivered):
                # The message of an error may hold what the app keeps to itself.
                self._tracing.fail(span, "failed" if isinstance(outcome, Failed) else "undelivered")
            return outcome

    async def _of_run(self, run_id: str | None) -> Carrier:
        if run_id is None:
            return {}
        found = self._known.get(run_id)
        if found is None:
            try:
                found = as_carrier(await self._carrier_of_run(run_id))
            except StoreError:
                return {}  # the delivery will say so itself
            self._known[run_id] = found
            if len(self._known) > _KEPT_RUNS:
                self._known.popitem(last=False)
        return found


class TracedWorld:
    """Hands World calls of executors to the World; each is a span in its delivery's.

    Args:
        world: The World.
        tracing: Makes the spans.
    """

    def __init__(self, world: WorldHandler, tracing: Tracing) -> None:
        self._world = world
        self._tracing = tracing

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        """Run one World method."""
        event = params.get("event")
        kind = event.get("eventType") if isinstance(event, dict) else None
        attributes = {"workflow_studio.event": kind if isinstance(kind, str) else None}
        parent = self._tracing.delivery(context.delivery_id)
        with self._tracing.span(f"world {method}", "INTERNAL", parent, **attributes):
            return await self._world.call(method, params, context)


def carried(delivery: Delivery) -> Carrier:
    """Return the context that a message carries: in its headers, or where the SDK puts it in its body."""
    if "traceparent" in delivery.headers:
        return {name: delivery.headers[name] for name in ("traceparent", "tracestate") if name in delivery.headers}
    try:
        message = wire.decode(delivery.body)
    except wire.WireFormatError:
        return {}
    return as_carrier(message.get("traceCarrier")) if isinstance(message, dict) else {}


def as_carrier(value: object) -> Carrier:
    """Return what of a value can be a carrier."""
    if not isinstance(value, dict):
        return {}
    return {str(name): entry for name, entry in value.items() if isinstance(entry, str)}
