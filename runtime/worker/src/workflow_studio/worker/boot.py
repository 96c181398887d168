"""Starting and stopping: the worker's parts, opened in order and closed in reverse."""

from __future__ import annotations

import logging
import os
import resource
import shlex
import sys
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.artifacts import ArtifactStore
from workflow_studio.worker.builtin_compute import BuiltinCompute
from workflow_studio.worker.composition import (
    COMPUTE,
    OBJECTS,
    QUEUE,
    STREAMS,
    alive,
    choose,
    objects_of,
    open_database,
    storage_of,
)
from workflow_studio.worker.computing import serving
from workflow_studio.worker.engine import (
    MAX_WAITING,
    Capacity,
    Engine,
    EngineError,
    Limits,
    NewKey,
    OutputLimits,
    SeedApiKey,
)
from workflow_studio.worker.engine.clock import system_clock
from workflow_studio.worker.engine.doorbell import InProcessDoorbell
from workflow_studio.worker.engine.keys import new_secret
from workflow_studio.worker.engine.stream_rows import DatabaseStreams
from workflow_studio.worker.env_file import read_env_file
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool, find_nodes
from workflow_studio.worker.execution.tally import ExecutorTally
from workflow_studio.worker.limits import StreamLimit
from workflow_studio.worker.metrics import Exposition, MeasuredPool, Metrics, State
from workflow_studio.worker.ports import ExecutorUnavailableError
from workflow_studio.worker.readiness import Readiness
from workflow_studio.worker.services import Services
from workflow_studio.worker.stopping import Stopping
from workflow_studio.worker.together import Obedience
from workflow_studio.worker.tracing import TracedPool, TracedWorld
from workflow_studio.worker.unpacking import Unpacking
from workflow_studio.worker.upkeep import kept_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from workflow_studio.worker import parts
    from workflow_studio.worker.services import Pool
    from workflow_studio.worker.settings import WorkerSettings
    from workflow_studio.worker.store import Database
    from workflow_studio.worker.tracing import Tracing

logger = logging.getLogger(__name__)

COMPUTE_KEY_ID: Final = "WORKFLOW_COMPUTE_API_KEY"
"""The id of the key that this variable holds."""

FIRST_KEY_ID: Final = "first"
"""The id of the key that is made where there is none."""

_EXECUTORS_GRACE: Final = 5.0
"""Seconds that executors get to end."""

_LAST_GRACE: Final = 2.0
"""Seconds that they get when the deliveries have taken all the time there was."""


@asynccontextmanager
async def running(
    settings: WorkerSettings,
    pool: Pool | None = None,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Services]:
    """Open the worker's parts, take up what a crash left behind, deliver messages; and end all of it in order.

    Args:
        settings: The settings.
        pool: Replaces the Node.js executors, for tests.
        metrics: Measures what happens.
        tracing: Makes spans of it, where that is wanted.

    Raises:
        StoreError: If the database cannot be opened.
        MasterKeyError: If the other workers of the service have another master key.
        NodeNotFoundError: If there is no Node.js to run executors with.
        EngineError: If a key in the settings is not allowed.
        PartError: If a part that the settings choose is not what it must be, or does not start.
        ObjectStoreError: If the object store that the settings name cannot be used.
        OSError: If the data directory cannot be written.
    """
    # First what may be wrong in the settings: a refusal leaves no half-made folder behind.
    storage = storage_of(settings)
    objects = objects_of(settings)
    runner = pool if pool is not None else await anyio.to_thread.run_sync(executor_options, settings)
    await anyio.to_thread.run_sync(_make_private, settings.data_dir)
    database = await anyio.to_thread.run_sync(open_database, storage, settings)
    try:
        doorbell = choose(QUEUE, settings, InProcessDoorbell)
        streams = choose(STREAMS, settings, lambda: DatabaseStreams(database, system_clock))
        engine = _engine_of(settings, database, doorbell=doorbell, streams=streams, objects=objects)
        builtin = BuiltinCompute(engine, settings.external_url)
        compute = choose(COMPUTE, settings, lambda: builtin)
        nodes = runner.nodes if isinstance(runner, ExecutorOptions) else ()
        artifacts = ArtifactStore(
            settings.artifact_dir, settings.artifact_limits, nodes=[node.version for node in nodes]
        )
        await artifacts.open(await engine.identity(), engine.deployments.is_known)
        unpacking = Unpacking(artifacts, engine, settings.artifact_cache_bytes)
        await _provide_keys(engine, settings)
        await engine.limits.load()
        tally = ExecutorTally()
        given: dict[str, Mapping[str, str]] = {}
        executors = (
            _executors_of(engine, unpacking, runner, tally, given, tracing)
            if isinstance(runner, ExecutorOptions)
            else runner
        )
        obedience = Obedience(engine, executors, given, warms=settings.warm_deployments > 0)
        stopping = Stopping(settings.shutdown_grace)
        metrics = metrics or Metrics()
        capacity = Capacity(workflow=max(1, settings.concurrency // 4), step=settings.concurrency)
        slots = {"workflow": capacity.workflow, "step": capacity.step}
        state = State(metrics, engine, executors, tally, slots, lambda: not stopping.is_announced)
        metrics.registry.register(state)
        async with (
            alive(QUEUE, doorbell, settings, stopping.left),
            alive(STREAMS, streams, settings, stopping.left),
            aclosing(obedience),
            engine.bus.listening(),
            engine.workers.registered(),
            _with_its_key(engine),
            alive(OBJECTS, objects, settings, stopping.left),
            _delivering(engine, database, _watched(executors, engine, metrics, tracing), capacity, settings, stopping),
            serving(engine, builtin, compute, settings, stopping.left) as computing,
            kept_up(engine, artifacts, unpacking, executors),
        ):
            yield Services(
                settings=settings,
                engine=engine,
                artifacts=artifacts,
                unpacking=unpacking,
                pool=executors,
                compute=computing,
                stopping=stopping,
                streams=StreamLimit(settings.max_streams_per_key, lambda: metrics.refused("streams")),
                exposition=Exposition(metrics, state),
                readiness=Readiness(stopping, engine.ask_database),
            )
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


@asynccontextmanager
async def _with_its_key(engine: Engine) -> AsyncIterator[None]:
    """Go on only with the master key that the other workers have: before anything is delivered."""
    await engine.check_master_key()
    yield


def _engine_of(
    settings: WorkerSettings,
    database: Database,
    *,
    doorbell: parts.Doorbell,
    streams: parts.Streams,
    objects: parts.ObjectStore,
) -> Engine:
    return Engine(
        database,
        master_key=settings.master_key_bytes(),
        max_waiting=_max_waiting(),
        audit_retention_days=settings.audit_retention_days,
        variable_key_file=settings.variable_key_path,
        output_limits=OutputLimits(lines=settings.output_lines_per_run, size=settings.output_bytes_per_run),
        doorbell=doorbell,
        streams=streams,
        lease_seconds=settings.lease_seconds,
        signs_folder=settings.sign_dir,
        objects=objects,
        large_payload_bytes=settings.payload_limit,
        retention=settings.retention,
        dead_kept_ms=settings.retain_dead_messages,
        limits=Limits.named(settings.limits),
    )


def _watched(executors: Pool, engine: Engine, metrics: Metrics, tracing: Tracing | None) -> Pool:
    if tracing is not None:
        executors = TracedPool(executors, tracing, engine.trace_carrier_of)
    return MeasuredPool(executors, metrics)


def _executors_of(  # named, and each is a part of its own
    engine: Engine,
    unpacking: Unpacking,
    options: ExecutorOptions,
    tally: ExecutorTally,
    given: dict[str, Mapping[str, str]],
    tracing: Tracing | None,
) -> NodeExecutorPool:
    return NodeExecutorPool(
        world=engine.world if tracing is None else TracedWorld(engine.world, tracing),
        artifact=unpacking.obtain,
        options=options,
        variables=_variables_of(engine, given),
        output=engine.output,
        tally=tally,
    )


@asynccontextmanager
async def _delivering(
    engine: Engine,
    database: Database,
    executors: Pool,
    capacity: Capacity,
    settings: WorkerSettings,
    stopping: Stopping,
) -> AsyncIterator[None]:
    """Have messages delivered as long as this lasts; then give what is under way the time that is left."""
    dispatcher = engine.dispatcher(executors, capacity)
    stopping.at_once(dispatcher.pause)
    try:
        await dispatcher.start()
        for deployment_id in await engine.environments.last_activated(settings.warm_deployments):
            executors.warm(deployment_id)
        yield
    finally:
        # What is under way on a database that is another worker's now is under way there, too, or soon will be.
        stopping.set()
        grace = 0.0 if database.is_lost else stopping.left()
        with anyio.CancelScope(shield=True):
            await dispatcher.stop(grace=grace)
            # Executors with nothing more to do end in a moment, also when the deliveries took all the time.
            patience = 0.0 if database.is_lost else max(_LAST_GRACE, stopping.left())
            await executors.close(grace=min(_EXECUTORS_GRACE, settings.shutdown_grace, patience))


def executor_options(settings: WorkerSettings) -> ExecutorOptions:
    """Return how the settings want executors to be run.

    Raises:
        NodeNotFoundError: If there is no Node.js to run them with.
        OSError: If the app's env file cannot be read.
        EnvFileError: If it cannot be understood.
    """
    env = {} if settings.env_file is None else read_env_file(settings.env_file)
    return ExecutorOptions(
        nodes=find_nodes(settings.node),
        env=env,
        public_url=settings.external_url,
        processes_per_deployment=settings.processes_per_deployment,
        hang_timeout=settings.hang_timeout,
        idle_timeout=settings.idle_timeout,
        encrypts=settings.master_key_bytes() is not None,
        memory_limit_mb=settings.memory_limit_mb,
    )


def _max_waiting() -> int:
    """Return how many callers may wait at once: each holds a connection, and they must not take them all."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_WAITING if files == resource.RLIM_INFINITY else min(MAX_WAITING, files // 2)


def _make_private(directory: Path) -> None:
    """Make the data directory; payloads and keys in it are nobody else's."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def _variables_of(engine: Engine, given: dict[str, Mapping[str, str]]) -> Callable[[str], Awaitable[Mapping[str, str]]]:
    async def variables(deployment_id: str) -> Mapping[str, str]:
        try:
            given[deployment_id] = await engine.environment.values(deployment_id)
            return given[deployment_id]
        except EngineError as error:
            raise ExecutorUnavailableError(f"{error.message} {error.recovery}") from error

    return variables


async def _provide_keys(engine: Engine, settings: WorkerSettings) -> None:
    seeds = [
        SeedApiKey(
            key_id=key.key_id,
            project_id=key.project_id,
            environment=key.environment,
            scopes=tuple(key.scopes),
            secret=key.secret.get_secret_value(),
        )
        for key in settings.seed_api_keys
    ]
    if settings.compute_api_key is not None:
        secret = settings.compute_api_key.get_secret_value()
        if all(seed.secret != secret for seed in seeds) and not await _is_made_here(engine, secret):
            seeds.append(SeedApiKey(COMPUTE_KEY_ID, "default", "default", (ComputeScope.ADMIN,), secret))
    await engine.keys.seed(seeds)
    if await engine.keys.count() == 0:
        await _make_first_key(engine, settings.api_key_path)


async def _is_made_here(engine: Engine, secret: str) -> bool:
    """Tell whether a secret is that of a key the worker made, which the app or the CLI uses in the same environment."""
    try:
        key = await engine.keys.verify(secret)
    except EngineError:
        return True
    return key is not None and key.from_settings is None


async def _make_first_key(engine: Engine, path: Path) -> None:
    # The file comes first: a key that is stored and written down nowhere would lock everybody out for good.
    secret = new_secret()
    await anyio.to_thread.run_sync(_write_secret, path, secret)
    first = NewKey("default", "default", (ComputeScope.ADMIN,), name="Made by the worker, as there was no other")
    await engine.keys.create(first, secret=secret, key_id=FIRST_KEY_ID)
    # A person at a terminal sees the key itself, this once; what is not a terminal may be a log, where no key belongs.
    see = f"It is: {secret}" if sys.stderr.isatty() else f"To see it: cat {shlex.quote(str(path))}"
    print(f"Made an API key with the scope admin and wrote it to {path}\n{see}", file=sys.stderr)  # noqa: T201


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
