"""How the metrics are shown: as a page for Prometheus, and at an address of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from workflow_studio.worker.metrics.instruments import Metrics
    from workflow_studio.worker.metrics.state import State

PATH: Final = "/metrics"


@dataclass(frozen=True, slots=True)
class Exposition:
    """Shows the metrics.

    Attributes:
        metrics: The instruments.
        state: Is looked up each time.
    """

    metrics: Metrics
    state: State

    async def page(self, accepted: str) -> Response:
        """Return all metrics.

        Args:
            accepted: The header ``accept`` of the request: Prometheus' own text, or OpenMetrics.
        """
        await self.state.look()
        encode, media_type = choose_encoder(accepted)
        # On a thread: with all steps and routes there it takes some milliseconds.
        content = await anyio.to_thread.run_sync(encode, self.metrics.registry)
        return Response(content, headers={"content-type": media_type, "cache-control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI app that has nothing else; whoever reaches it needs no key."""
        if scope["type"] != "http":
            return
        if scope["path"] != PATH:
            answer: Response = PlainTextResponse(f"Metrics are at {PATH}.\n", status_code=404)
        elif scope["method"] not in {"GET", "HEAD"}:
            answer = PlainTextResponse("Only GET.\n", status_code=405, headers={"allow": "GET, HEAD"})
        else:
            accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
            answer = await self.page(accepted.decode("latin-1"))
        await answer(scope, receive, send)
