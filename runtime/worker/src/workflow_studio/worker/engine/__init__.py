"""The engine: the use cases of the worker. It owns the transactions and knows nothing of HTTP or processes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.engine.clock import Clock, system_clock
from workflow_studio.worker.engine.dead_letters import DeadLetters, DeadMessage
from workflow_studio.worker.engine.deliveries import Deliveries
from workflow_studio.worker.engine.deployments import Deployment, Deployments
from workflow_studio.worker.engine.dispatcher import Capacity, Dispatcher
from workflow_studio.worker.engine.encryption import Keyring
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.events import Events
from workflow_studio.worker.engine.housekeeping import Housekeeping
from workflow_studio.worker.engine.idempotency import IdempotencyKeys
from workflow_studio.worker.engine.keys import ApiKey, ApiKeys, SeedApiKey
from workflow_studio.worker.engine.leases import Leases
from workflow_studio.worker.engine.queries import Queries
from workflow_studio.worker.engine.queue import Queue
from workflow_studio.worker.engine.recovery import Recovery
from workflow_studio.worker.engine.runs import Runs
from workflow_studio.worker.engine.signals import Signals
from workflow_studio.worker.engine.streams import Streams
from workflow_studio.worker.engine.world import World

if TYPE_CHECKING:
    from workflow_studio.worker.ports import ExecutorPool
    from workflow_studio.worker.store import Database, StoreLockedError


MAX_WAITING: Final = 10_000


class Engine:
    """All use cases over one database.

    Args:
        database: Open.
        clock: Tells the time, in epoch milliseconds.
        master_key: The secret that all encryption keys are derived from; None stores payloads as they come.
        max_waiting: How many callers may wait for the ends of runs at once; the next ones are answered without.

    Attributes:
        world: Answers the World's methods.
        deployments: What was uploaded and what is active.
        keys: API keys.
        runs: Runs for the public lane.
        queue: Publishes messages.
        leases: Delivers messages.
        dead_letters: Messages that are not delivered any more.
        streams: Streams.
        keyring: The keys of runs and streams.
        ended: Tells of runs that end, by their ids.
        recovery: Takes up what a crash left behind.
        housekeeping: Deletes what nobody will ask for any more.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock = system_clock,
        master_key: bytes | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        owner = uuid.uuid4().hex
        deliveries = Deliveries()
        self._database = database
        self._clock = clock
        idempotency = IdempotencyKeys(clock)
        self.queue = Queue(database, clock, idempotency)
        self.leases = Leases(database, self.queue, deliveries, clock, owner)
        self.dead_letters = DeadLetters(database, self.queue, clock)
        self.deployments = Deployments(database, clock, self.queue)
        self.keys = ApiKeys(database, clock)
        self.keyring = Keyring(master_key)
        self.ended = Signals(max_waiting)
        self.runs = Runs(
            database,
            Queries(database, self.ended, with_executors=True),
            self.queue,
            clock,
            idempotency,
            keyring=self.keyring,
            ended=self.ended,
        )
        self.streams = Streams(database, clock, self.keyring, Signals())
        self.recovery = Recovery(database, self.queue, clock, owner)
        self.housekeeping = Housekeeping(database, clock)
        self.world = World(
            deliveries=deliveries,
            deployments=self.deployments,
            events=Events(database, clock, deliveries, idempotency, self.ended),
            queries=Queries(database, self.ended),
            queue=self.queue,
            streams=self.streams,
            keyring=self.keyring,
        )

    async def wait_until_lost(self) -> StoreLockedError:
        """Wait until another worker takes the database over, and return what to say then: this one should end."""
        return await self._database.wait_until_lost()

    def dispatcher(self, pool: ExecutorPool, capacity: Capacity | None = None) -> Dispatcher:
        """Return the dispatcher that hands messages to ``pool``; it does nothing until it is started."""
        return Dispatcher(self.queue, self.leases, self.recovery, self.housekeeping, pool, self._clock, capacity)


__all__ = [
    "MAX_WAITING",
    "ApiKey",
    "ApiKeys",
    "Capacity",
    "Clock",
    "DeadMessage",
    "Deployment",
    "Deployments",
    "Dispatcher",
    "Engine",
    "EngineError",
    "Runs",
    "SeedApiKey",
    "World",
]
