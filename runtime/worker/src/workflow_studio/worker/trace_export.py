"""Where traces go: OpenTelemetry's own exporters, as its variables say. Imported only where traces are wanted."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_SERVICE = {"service.name": "workflow-studio-worker", "service.version": version("workflow-studio-worker")}


def provider_of(exporter: str) -> TracerProvider | None:
    """Return what sends spans.

    Args:
        exporter: ``otlp`` or ``console``.

    Returns:
        None if there is no such exporter.
    """
    if exporter == "otlp":
        target: SpanExporter = OTLPSpanExporter()
    elif exporter == "console":
        target = ConsoleSpanExporter(out=sys.stderr)
    else:
        return None
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before.
    provider = TracerProvider(resource=Resource(_SERVICE).merge(Resource.create()))
    provider.add_span_processor(BatchSpanProcessor(target))
    return provider
