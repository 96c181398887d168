"""The World: its methods by name, for the HTTP lane and the executors alike."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cbor2 import CBOREncodeError
from sqlalchemy.exc import SQLAlchemyError

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import params as p
from workflow_studio.worker.engine.admission import LATEST
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.ports import BatchedCall
from workflow_studio.worker.store import StoreError, StoreValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from workflow_studio.worker.engine.batches import Batches
    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.environments import Environments
    from workflow_studio.worker.engine.events import Events
    from workflow_studio.worker.engine.fencing import Fence
    from workflow_studio.worker.engine.payloads import Payloads
    from workflow_studio.worker.engine.queries import Queries
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.streams import Streams
    from workflow_studio.worker.ports import CallContext

_LOG: Final = logging.getLogger(__name__)


class World:
    """Implements :class:`workflow_studio.worker.ports.WorldHandler`.

    Args:
        batches: Writes several things at once.
        deliveries: Hears which of them wait.
        environments: Which deployment is active.
        fence: Keeps deliveries from writing that have lost their lease.
        events: Appends events.
        queries: Reads entities.
        queue: Takes messages.
        streams: Takes and gives chunks.
        keyring: The keys of runs.
        payloads: Keeps large payloads elsewhere.
    """

    def __init__(  # noqa: PLR0913  # named, and each is a part of its own
        self,
        *,
        batches: Batches,
        deliveries: Deliveries,
        environments: Environments,
        events: Events,
        fence: Fence,
        queries: Queries,
        queue: Queue,
        streams: Streams,
        keyring: Keyring,
        payloads: Payloads,
    ) -> None:
        self._batches = batches
        self._deliveries = deliveries
        self._environments = environments
        self._events = events
        self._fence = fence
        self._queue = queue
        self._keyring = keyring
        self._payloads = payloads
        reads: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "events.get": queries.get_event,
            "events.list": queries.list_events,
            "events.listByCorrelationId": queries.list_events_by_correlation_id,
            "runs.get": queries.get_run,
            "runs.list": queries.list_runs,
            "steps.get": queries.get_step,
            "steps.list": queries.list_steps,
            "hooks.get": queries.get_hook,
            "hooks.getByToken": queries.get_hook_by_token,
            "hooks.list": queries.list_hooks,
        }
        self._methods: dict[str, Callable[[Any], Awaitable[Any]]] = {
            **{name: payloads.filling(read) for name, read in reads.items()},
            "streams.write": streams.write,
            "streams.close": streams.close,
            "streams.read": streams.read,
            "streams.list": streams.list,
            "streams.chunks": streams.chunks,
            "streams.info": streams.info,
            "encryption.key": self._encryption_key,
        }

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        """Run one World method.

        Raises:
            WorldError: If the World refuses; status 500 and above mean that the caller may try again.
            EngineError: ``idempotency_conflict``.
        """
        return await self._fence.write(context.delivery_id, lambda: self._call(method, params, context))

    async def _call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        environment = self._environment_of(context)
        with _in_the_words_of_the_world(method):
            if method == "events.create":
                params = await self._payloads.put_away(method, self._keyring.with_sealed_input(params))
                answer = await self._events.create(p.parse(p.EventsCreate, params), context, environment)
                await self._payloads.fill_answer(answer)
                return answer
            if method == "queue.publish":
                wanted = p.parse(p.Publish, params)
                return await self._queue.publish(wanted, context.idempotency, environment=environment)
            if method == "batch" and context.executor_id is not None:
                batch = p.parse(p.ExecutorBatch, await self._payloads.put_away(method, params))
                calls = [BatchedCall(call.method, call.params) for call in batch.calls]
                return await self._batches.write(
                    calls, context, environment, ends_delivery=batch.ends_delivery, onward=batch.onward
                )
            if method == "deployments.current":
                active_id = await self._environments.active_id_for_world(environment)
                return {"deploymentId": active_id, "alias": LATEST}
            handler = self._methods.get(method)
            if handler is None:
                raise WorldError(f"The World has no method {method!r}", status=400)
            parsed = p.parse(p.PARAMETERS[method], params)
            with self._deliveries.awaiting(context.delivery_id if getattr(parsed, "wait_ms", None) else None):
                return await handler(parsed)

    async def batch(self, calls: Sequence[BatchedCall], context: CallContext) -> dict[str, Any]:
        """Make the calls of an app in one transaction; see :meth:`.Batches.write`.

        Raises:
            WorldError: If none of them can be made.
            EngineError: ``idempotency_conflict``.
        """
        with _in_the_words_of_the_world("batch"):
            if self._keyring.encrypts:
                calls = [replace(call, params=self._keyring.with_sealed_input(call.params)) for call in calls]
            calls = await self._payloads.put_calls_away(calls)
            return await self._batches.write(calls, context, self._environment_of(context))

    def _environment_of(self, context: CallContext) -> str:
        """Return where a call belongs: an app says so, and code of a run belongs to the run's environment."""
        if context.caller is not None:
            return context.caller.environment or DEFAULT_ENVIRONMENT
        return self._deliveries.environment_of(context.delivery_id)

    async def _encryption_key(self, params: p.EncryptionKey) -> dict[str, bytes]:
        key = self._keyring.key_of(params.run_id)
        return {} if key is None else {"key": key}


@contextmanager
def _in_the_words_of_the_world(method: str) -> Iterator[None]:
    """Have the failures of a method be refusals of the World."""
    try:
        yield
    except CBOREncodeError as error:
        raise WorldError(f"A value cannot be stored: {error}", status=400) from error
    except StoreValueError as error:
        raise WorldError(error.message, status=400) from error
    except ObjectStoreError as error:
        _LOG.error("The World method %s failed: %s", method, error.message)  # said where it happened
        raise WorldError("The worker's object store failed; its log says why", status=503) from error
    except (StoreError, SQLAlchemyError) as error:
        _LOG.exception("The World method %s failed.", method)
        raise WorldError("The worker's database failed; its log says why", status=503) from error
