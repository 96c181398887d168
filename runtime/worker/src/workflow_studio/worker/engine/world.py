"""The World: its methods by name, for the HTTP lane and the executors alike."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from cbor2 import CBOREncodeError
from sqlalchemy.exc import SQLAlchemyError

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import params as p
from workflow_studio.worker.store import StoreError, StoreValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.deployments import Deployments
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.events import Events
    from workflow_studio.worker.engine.queries import Queries
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.streams import Streams
    from workflow_studio.worker.ports import CallContext

_LOG: Final = logging.getLogger(__name__)


class World:
    """Implements :class:`workflow_studio.worker.ports.WorldHandler`.

    Args:
        deliveries: Hears which of them wait.
        deployments: Which deployment is active.
        events: Appends events.
        queries: Reads entities.
        queue: Takes messages.
        streams: Takes and gives chunks.
        keyring: The keys of runs.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        deployments: Deployments,
        events: Events,
        queries: Queries,
        queue: Queue,
        streams: Streams,
        keyring: Keyring,
    ) -> None:
        self._deliveries = deliveries
        self._deployments = deployments
        self._events = events
        self._queue = queue
        self._keyring = keyring
        self._methods: dict[str, tuple[type[p.Params], Callable[[Any], Awaitable[Any]]]] = {
            "deployments.current": (p.Params, self._current_deployment),
            "events.get": (p.EventsGet, queries.get_event),
            "events.list": (p.OfRun, queries.list_events),
            "events.listByCorrelationId": (p.ByCorrelationId, queries.list_events_by_correlation_id),
            "runs.get": (p.RunsGet, queries.get_run),
            "runs.list": (p.RunsList, queries.list_runs),
            "steps.get": (p.StepsGet, queries.get_step),
            "steps.list": (p.OfRun, queries.list_steps),
            "hooks.get": (p.HooksGet, queries.get_hook),
            "hooks.getByToken": (p.HooksGetByToken, queries.get_hook_by_token),
            "hooks.list": (p.HooksList, queries.list_hooks),
            "streams.write": (p.StreamsWrite, streams.write),
            "streams.close": (p.StreamsClose, streams.close),
            "streams.read": (p.StreamsRead, streams.read),
            "streams.list": (p.StreamsOfRun, streams.list),
            "streams.chunks": (p.StreamsChunks, streams.chunks),
            "streams.info": (p.StreamsInfo, streams.info),
            "encryption.key": (p.EncryptionKey, self._encryption_key),
        }

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        """Run one World method.

        Raises:
            WorldError: If the World refuses; status 500 and above mean that the caller may try again.
            EngineError: ``idempotency_conflict``.
        """
        try:
            if method == "events.create":
                return await self._events.create(p.parse(p.EventsCreate, params), context)
            if method == "queue.publish":
                return await self._queue.publish(p.parse(p.Publish, params), context.idempotency)
            known = self._methods.get(method)
            if known is None:
                raise WorldError(f"The World has no method {method!r}", status=400)
            model, handler = known
            parsed = p.parse(model, params)
            with self._deliveries.awaiting(context.delivery_id if getattr(parsed, "wait_ms", None) else None):
                return await handler(parsed)
        except CBOREncodeError as error:
            raise WorldError(f"A value cannot be stored: {error}", status=400) from error
        except StoreValueError as error:
            raise WorldError(error.message, status=400) from error
        except (StoreError, SQLAlchemyError) as error:
            _LOG.exception("The World method %s failed.", method)
            raise WorldError("The worker's database failed; its log says why", status=503) from error

    async def _current_deployment(self, _params: p.Params) -> dict[str, str]:
        return {"deploymentId": await self._deployments.require_active_id()}

    async def _encryption_key(self, params: p.EncryptionKey) -> dict[str, bytes]:
        key = self._keyring.key_of(params.run_id)
        return {} if key is None else {"key": key}
