"""The engine: the use cases of the worker. It owns the transactions and knows nothing of HTTP or processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from workflow_studio.worker.engine import trace_context
from workflow_studio.worker.engine.activity import Activity
from workflow_studio.worker.engine.activity_rows import ActivityRows
from workflow_studio.worker.engine.admission import Admission
from workflow_studio.worker.engine.audit import DEFAULT_RETENTION_DAYS, AuditLog
from workflow_studio.worker.engine.backlog import Backlog
from workflow_studio.worker.engine.batches import Batches
from workflow_studio.worker.engine.bus import Bus
from workflow_studio.worker.engine.clock import Clock, new_id, system_clock
from workflow_studio.worker.engine.dead_letters import DeadLetters, DeadMessage
from workflow_studio.worker.engine.deliveries import Deliveries
from workflow_studio.worker.engine.deployments import Deployment, Deployments
from workflow_studio.worker.engine.dispatcher import Dispatcher
from workflow_studio.worker.engine.doorbell import InProcessDoorbell
from workflow_studio.worker.engine.encryption import Keyring
from workflow_studio.worker.engine.endings import Endings
from workflow_studio.worker.engine.environment import Environment, VariableKeys
from workflow_studio.worker.engine.environments import Environments
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.events import Events
from workflow_studio.worker.engine.expiry import Retention
from workflow_studio.worker.engine.fencing import Fence
from workflow_studio.worker.engine.following import Following
from workflow_studio.worker.engine.housekeeping import DEAD_KEPT_MS, Housekeeping
from workflow_studio.worker.engine.idempotency import IdempotencyKeys
from workflow_studio.worker.engine.identity import identity_of
from workflow_studio.worker.engine.journal import Journal
from workflow_studio.worker.engine.keys import ApiKey, ApiKeys, NewKey, SeedApiKey
from workflow_studio.worker.engine.leases import Leases
from workflow_studio.worker.engine.limits import Limits
from workflow_studio.worker.engine.master_key import check_master_key
from workflow_studio.worker.engine.objects import Objects
from workflow_studio.worker.engine.output import Output, OutputLimits, OutputQuery
from workflow_studio.worker.engine.outside_calls import OutsideCalls
from workflow_studio.worker.engine.payloads import Payloads
from workflow_studio.worker.engine.places import Capacity
from workflow_studio.worker.engine.queries import Queries
from workflow_studio.worker.engine.queue import Queue
from workflow_studio.worker.engine.recovery import Recovery
from workflow_studio.worker.engine.retention import Sweeper
from workflow_studio.worker.engine.retirement import Retirement
from workflow_studio.worker.engine.runs import Runs
from workflow_studio.worker.engine.signals import Signals
from workflow_studio.worker.engine.signs import Signs
from workflow_studio.worker.engine.skipping import TimeSkipping
from workflow_studio.worker.engine.starts import Starts
from workflow_studio.worker.engine.stored_limits import StoredLimits
from workflow_studio.worker.engine.stream_rows import DatabaseStreams
from workflow_studio.worker.engine.streams import Streams
from workflow_studio.worker.engine.tails import Tails
from workflow_studio.worker.engine.workers import DEFAULT_LEASE_SECONDS, WorkerInfo, Workers
from workflow_studio.worker.engine.world import World
from workflow_studio.worker.objects import MemoryObjects

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.worker import parts
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
        audit_retention_days: How long entries of the audit log are kept.
        variable_key_file: Where the key is kept that variables of deployments are sealed with where there is no master
            key; without either, none can be set.
        output_limits: How much is kept of what a run prints.
        doorbell: Tells the dispatcher of messages that are due; by itself, within this process.
        streams: Keeps the chunks of streams; by itself, in the database.
        lease_seconds: How long this worker may be silent before others take its work over.
        signs_folder: Where workers of this machine show each other that they live; None has them wait for leases.
        objects: Keeps artifacts and large payloads; by itself, in memory.
        large_payload_bytes: From which size on payloads are objects; None keeps all of them in rows.
        retention: What is kept for how long; by itself, everything for ever.
        dead_kept_ms: How long dead messages are kept that can do nothing more; None keeps them for ever.
        limits: How many steps of a workflow, a deployment or a key there may be at the same time, where the database
            does not say otherwise.

    Attributes:
        bus: Carries what the workers of the service tell each other.
        world: Answers the World's methods.
        deployments: What was uploaded.
        environments: What is active where.
        environment: The variables of deployments.
        retirement: Notes when deployments retire.
        audit: Who changed what.
        keys: API keys.
        runs: Runs for the public lane.
        skipping: Ends timers of runs before their time.
        queue: Publishes messages.
        workers: Which workers there are.
        leases: Delivers messages.
        limits: How many steps of a workflow, a deployment or a key there may be at the same time.
        dead_letters: Messages that are not delivered any more.
        streams: Streams.
        following: Follows streams.
        keyring: The keys of runs and streams.
        ended: Tells of runs that end, by their ids.
        recovery: Takes up what a crash left behind.
        housekeeping: Deletes what nobody will ask for any more.
        output: What runs print.
        activity: What happens in runs, while it happens.
        outside: Makes calls that have their effect elsewhere, once each.
        endings: What follows from the ends of runs.
        backlog: What waits.
        store_tally: What the store has done.
        objects: What is in the object store.
        payloads: Keeps large payloads there.
        retention: Deletes what is older than it is kept.
    """

    def __init__(  # noqa: PLR0913  # named, and each is a choice of its own
        self,
        database: Database,
        *,
        clock: Clock = system_clock,
        master_key: bytes | None = None,
        max_waiting: int = MAX_WAITING,
        audit_retention_days: int = DEFAULT_RETENTION_DAYS,
        variable_key_file: Path | None = None,
        output_limits: OutputLimits | None = None,
        doorbell: parts.Doorbell | None = None,
        streams: parts.Streams | None = None,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        signs_folder: Path | None = None,
        objects: parts.ObjectStore | None = None,
        large_payload_bytes: int | None = None,
        retention: Retention | None = None,
        dead_kept_ms: int | None = DEAD_KEPT_MS,
        limits: Limits | None = None,
    ) -> None:
        deliveries = Deliveries()
        worker_id = new_id("wrk", clock())
        self.bus = bus = Bus(database, worker_id)
        self._database = database
        self._clock = clock
        self.objects = Objects(database, clock, objects or MemoryObjects())
        idempotency = IdempotencyKeys(clock)
        self.outside = OutsideCalls(database, idempotency)
        admission = Admission()
        self.queue = Queue(database, clock, idempotency, admission, doorbell or InProcessDoorbell())
        self.workers = Workers(
            database,
            self.queue,
            clock,
            bus,
            worker_id=worker_id,
            lease_seconds=lease_seconds,
            signs=Signs(signs_folder),
        )
        self.leases = Leases(
            database, self.queue, deliveries, clock, worker_id, limits=limits, is_alone=lambda: not bus.others
        )
        self.limits = StoredLimits(database, clock, bus, self.queue, self.leases, limits or Limits())
        self.dead_letters = DeadLetters(database, self.queue, clock)
        self.retirement = Retirement(database, bus)
        self.environment = Environment(database, clock, VariableKeys(master_key, variable_key_file), bus)
        self.environments = Environments(database, clock, self.retirement)
        self.deployments = Deployments(database, clock, self.queue, self.environment, self.retirement)
        self.audit = AuditLog(database, clock, audit_retention_days)
        self.keys = ApiKeys(database, clock, idempotency, bus)
        self.keyring = Keyring(master_key)
        self.ended = Signals(max_waiting, bus=bus, name="ended")
        self.endings = endings = Endings(self.ended, self.retirement)
        self.backlog = Backlog(database, clock)
        self.store_tally = database.tally
        self.payloads = Payloads(database, self.objects, large_payload_bytes)
        queries = Queries(database, self.ended, for_people=True)
        starts = Starts(self.queue, clock, self.keyring, admission)
        self.runs = Runs(database, queries, self.payloads, self.queue, clock, idempotency, starts, endings)
        self.skipping = TimeSkipping(database, self.queue, clock)
        self.streams = Streams(
            streams or DatabaseStreams(database, clock), self.keyring, Tails(bus=bus, name="streams")
        )
        self.following = Following(self.streams, self.runs, self.ended)
        self.recovery = Recovery(database, self.queue, clock, self.workers)
        self.housekeeping = Housekeeping(database, clock, self.workers, dead_kept_ms)
        self.retention = Sweeper(database, clock, retention or Retention())
        fence = Fence(database, deliveries)
        self.output = Output(
            database,
            self.keyring,
            output_limits or OutputLimits(),
            self.ended,
            Signals(max_waiting, bus=bus, name="output"),
            fence,
        )
        self._events = events = Events(database, clock, deliveries, idempotency, admission, endings, self.leases)
        self.activity = Activity(ActivityRows(database, self.output), Journal(database, bus), clock)
        self.world = World(
            batches=Batches(database, events, self.queue, self.leases),
            deliveries=deliveries,
            environments=self.environments,
            events=events,
            fence=fence,
            queries=Queries(database, self.ended),
            queue=self.queue,
            streams=self.streams,
            keyring=self.keyring,
            payloads=self.payloads,
        )

    async def identity(self) -> str:
        """Return the database's own id.

        Raises:
            StoreError: If the database fails.
        """
        return await identity_of(self._database)

    async def check_master_key(self) -> None:
        """See whether this worker, which is registered, has the master key of its service.

        Raises:
            MasterKeyError: If it has not.
            StoreError: If the database fails.
        """
        await check_master_key(self._database, self.keyring.master_key, self.workers.id)

    async def trace_carrier_of(self, run_id: str) -> Any:
        """Return the trace context that a run was started with, as it was written."""
        return await trace_context.of_run(self._database, run_id)

    async def ask_database(self) -> None:
        """Have the database answer.

        Raises:
            StoreError: If it fails.
        """
        await self._database.read(lambda connection: connection.execute(select(1)).scalar())

    async def wait_until_lost(self) -> StoreLockedError:
        """Wait until another worker takes the database over, and return what to say then: this one should end."""
        return await self._database.wait_until_lost()

    def dispatcher(self, pool: ExecutorPool, capacity: Capacity | None = None) -> Dispatcher:
        """Return the dispatcher that hands messages to ``pool``; it does nothing until it is started."""
        return Dispatcher(
            self.queue,
            self.leases,
            self.recovery,
            self.housekeeping,
            bus=self.bus,
            pool=pool,
            clock=self._clock,
            begin=self._events.begin,
            payloads=self.payloads,
            capacity=capacity,
        )


__all__ = [
    "MAX_WAITING",
    "ApiKey",
    "ApiKeys",
    "AuditLog",
    "Capacity",
    "Clock",
    "DeadMessage",
    "Deployment",
    "Deployments",
    "Dispatcher",
    "Engine",
    "EngineError",
    "Limits",
    "NewKey",
    "OutputLimits",
    "OutputQuery",
    "Runs",
    "SeedApiKey",
    "WorkerInfo",
    "World",
]
