"""One executor, as the worker sees it: a process, a connection, and what is in flight on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.execution.answers import MAX_REASON, last_calls_of, onward_of, outcome_of, response_of
from workflow_studio.worker.execution.calls import WorldCalls
from workflow_studio.worker.execution.connection import Connection, FrameError, FrameTooLargeError
from workflow_studio.worker.execution.output import forward, printable
from workflow_studio.worker.execution.printed import Printed
from workflow_studio.worker.execution.process import close_pipes, kill_group, spawn
from workflow_studio.worker.ports import (
    Delivery,
    ExecutorUnavailableError,
    Failed,
    NoAnswerError,
    Outcome,
    WebRequest,
    WebResponse,
)

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.worker.execution.node import NodeRuntime
    from workflow_studio.worker.execution.options import ExecutorOptions
    from workflow_studio.worker.execution.tally import Cause
    from workflow_studio.worker.ports import OutputSink, WorldHandler

_TICK: Final = 1.0
"""Seconds between looks at an executor; its heartbeats come as often."""
_EOF_GRACE: Final = 2.0
_LAST_WORDS: Final = 0.1
_MAX_REQUESTS: Final = 256
"""Webhook calls at once. Anyone with a token can make them, and a workflow may never answer."""


def _future() -> asyncio.Future[Any]:
    """Return a future whose exception may go unseen: those who asked may have gone."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


class ExecutorLostError(ExecutorUnavailableError):
    """The executor ended, or was given up, before it answered."""


class Executor:
    """A Node.js process that runs one deployment.

    Attributes:
        id: ``exec-<8 hex digits of the deployment>-<pid>``.
        deployment_id: What it runs.
        pid: Its process id.
        started_at: When it was started, in seconds since the epoch.
        rss: Its resident memory at the last heartbeat, in bytes.
        completed: Deliveries it has answered.
        cause: Why it ended; that it crashed, unless there is another reason.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        connection: Connection,
        deployment_id: str,
        world: WorldHandler,
        options: ExecutorOptions,
        output: OutputSink | None = None,
    ) -> None:
        self.deployment_id = deployment_id
        self.pid = process.pid
        self.id = f"exec-{deployment_id.removeprefix('dep_')[:8]}-{process.pid}"
        self.started_at = time.time()
        self.rss = 0
        self.completed = 0
        self.cause: Cause = "crashed"
        self._process = process
        self._connection = connection
        self._options = options
        self._printed = Printed(output, self._tell)
        self._calls = WorldCalls(self.id, world, self._printed, self._tell, self._has_delivery)
        self._hello = _future()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._requests = 0
        self._open_requests = 0
        self._reported_in_flight = 0
        self._silent_ticks = 0
        self._idle_ticks = 0
        self._draining = False
        self._lost: str | None = None
        self._ended = asyncio.create_task(self._run())

    @classmethod
    async def start(
        cls,
        deployment_id: str,
        artifact: Path,
        node: NodeRuntime,
        options: ExecutorOptions,
        world: WorldHandler,
        output: OutputSink | None = None,
    ) -> Executor:
        """Start an executor and wait until its artifact is loaded.

        Raises:
            ExecutorUnavailableError: If it cannot be started, the artifact cannot be loaded, or that takes too long.
        """
        try:
            connection, theirs = await Connection.pair()
            try:
                process = await spawn(node, options, artifact, deployment_id, theirs)
            except BaseException:
                await connection.close()
                raise
            finally:
                theirs.close()
        except OSError as error:
            raise ExecutorUnavailableError(f"Node.js could not be started: {error}") from error
        executor = cls(process, connection, deployment_id, world, options, output)
        try:
            async with asyncio.timeout(options.start_timeout):
                await asyncio.shield(executor._hello)
        except BaseException as error:
            executor.lose("it did not start")
            await executor.wait()
            if isinstance(error, TimeoutError):
                message = f"Loading the artifact of {deployment_id} took more than {options.start_timeout:g} s."
                raise ExecutorUnavailableError(message) from error
            raise
        return executor

    @property
    def is_usable(self) -> bool:
        """Whether it takes deliveries."""
        return self._lost is None and not self._draining

    @property
    def is_drained(self) -> bool:
        """Whether it was asked to end, rather than lost."""
        return self._draining

    @property
    def in_flight(self) -> int:
        """Deliveries and webhook calls that it has not answered."""
        return len(self._answers)

    @property
    def is_idle(self) -> bool:
        """Whether there has been nothing to do for the idle timeout, not even in the background."""
        # The ticks count what was; a delivery may have come since the last one.
        return not self._answers and self._idle_ticks * _TICK >= self._options.idle_timeout

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run a delivery to its end. Never raises but on cancellation."""
        frame = {
            "t": "deliver",
            "delivery": delivery.id,
            "kind": delivery.kind,
            "queueName": delivery.queue_name,
            "messageId": delivery.message_id,
            "attempt": delivery.attempt,
            "body": delivery.body,
            "headers": dict(delivery.headers),
        }
        if delivery.first is not None:
            frame["first"] = {
                "eventType": delivery.first.event_type,
                "correlationId": delivery.first.correlation_id,
                "answer": delivery.first.answer,
                "knownSlot": delivery.first.known_slot,
            }
        self._printed.begin(delivery)
        outcome: Outcome
        try:
            outcome, last_calls, onward = await self._ask(f"delivery {delivery.id}", frame)
        except FrameTooLargeError as error:
            return Failed(f"The message cannot be delivered: {error}")
        except ExecutorLostError as error:
            return Failed(str(error), executor_lost=True)
        finally:
            # Whoever sees the outcome sees all that was printed on the way to it.
            await self._printed.settled(delivery.id)
            self._printed.end(delivery.id)
        self.completed += 1
        if last_calls:
            outcome = await self._calls.store(delivery.id, outcome, last_calls, onward)
        return outcome

    async def request(self, request: WebRequest) -> WebResponse:
        """Have the webhook handler answer a request.

        Raises:
            ExecutorUnavailableError: If the executor ended first, or cannot be handed the request.
            NoAnswerError: If the handler takes too long; it is given up.
        """
        if self._open_requests >= _MAX_REQUESTS:
            raise ExecutorUnavailableError(f"{_MAX_REQUESTS} webhook calls wait for an answer already.")
        self._requests += 1
        name = str(self._requests)
        frame = {
            "t": "request",
            "request": name,
            "method": request.method,
            "url": request.url,
            "headers": [list(pair) for pair in request.headers],
            "body": request.body,
        }
        self._open_requests += 1
        try:
            async with asyncio.timeout(self._options.request_timeout):
                response: WebResponse = await self._ask(f"request {name}", frame)
        except FrameTooLargeError as error:
            raise ExecutorUnavailableError(f"The webhook call cannot be handed over: {error}") from error
        except TimeoutError as error:
            await self._send({"t": "abandon", "request": name})
            limit = self._options.request_timeout
            raise NoAnswerError(f"The webhook handler did not answer within {limit:g} s.") from error
        finally:
            self._open_requests -= 1
        return response

    async def _ask(self, name: str, frame: dict[str, Any]) -> Any:
        if self._lost is not None:
            raise ExecutorLostError(f"The executor {self.id} was lost: {self._lost}.")
        answer = _future()
        self._answers[name] = answer
        try:
            await self._send(frame)
            return await answer
        finally:
            self._answers.pop(name, None)

    async def _send(self, frame: dict[str, Any]) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionError as error:
            raise ExecutorLostError(f"The executor {self.id} was lost: its connection is closed.") from error

    async def _tell(self, frame: dict[str, Any]) -> None:
        with contextlib.suppress(ExecutorLostError):
            await self._send(frame)

    async def drain(self, grace: float, cause: Cause) -> None:
        """Let it finish what it has, then end; kill it if it takes more than ``grace`` seconds."""
        if self._lost is None and not self._draining:
            self.cause = cause
        self._draining = True
        try:
            async with asyncio.timeout(grace):
                await self._send({"t": "drain"})
                await self.wait()
        except (TimeoutError, ExecutorLostError):
            self.lose(f"it did not finish within {grace:g} s")
            await self.wait()

    async def wait(self) -> str:
        """Wait until the process has ended and all that belongs to it is cleared away; return why it ended."""
        await asyncio.shield(self._ended)
        return self._lost or ""

    def lose(self, reason: str) -> None:
        """Give it up: kill it, fail all that is in flight, and refuse whatever it may still call."""
        if self._lost is not None:
            return
        self._lost = reason
        kill_group(self.pid)
        self._calls.give_up_polls()
        for answer in [self._hello, *self._answers.values()]:
            if not answer.done():
                answer.set_exception(ExecutorLostError(f"The executor {self.id} was lost: {reason}."))

    def _give_up(self, cause: Cause, reason: str) -> None:
        if self._lost is None:
            self.cause = cause
        self.lose(reason)

    async def _run(self) -> None:
        """Tend the process until it has ended."""
        app_logger = logging.getLogger(f"workflow_studio.executor.{self.deployment_id}")
        streams = [(self._process.stdout, logging.INFO), (self._process.stderr, logging.WARNING)]
        output = [
            asyncio.create_task(forward(stream, app_logger, level)) for stream, level in streams if stream is not None
        ]
        reading = asyncio.create_task(self._read())
        watching = asyncio.create_task(self._watch())
        code = await self._exit_code(reading)
        kill_group(self.pid)
        # What it sent before it ended still counts.
        await asyncio.wait([reading], timeout=_EOF_GRACE)
        self.lose(f"it ended with exit code {code}" if code >= 0 else f"it was killed by signal {-code}")
        watching.cancel()
        reading.cancel()
        await self._connection.close()
        await asyncio.wait(output, timeout=_EOF_GRACE)
        for task in output:
            task.cancel()
        await asyncio.gather(reading, watching, *output, self._calls.ended(), return_exceptions=True)
        await self._printed.close()
        close_pipes(self._process)

    async def _exit_code(self, reading: asyncio.Task[None]) -> int:
        """Wait until the process has ended; it is killed if its connection ends first."""
        ending = asyncio.create_task(self._process.wait())
        while (code := self._process.returncode) is None:
            # Python 3.11 waits for the output to be closed, too, and what the process started may hold that for ever.
            await asyncio.wait([ending, reading], timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and self._process.returncode is None:
                await asyncio.wait([ending], timeout=_LAST_WORDS)
                if self._process.returncode is None:
                    self.lose("it closed its connection")
        ending.cancel()
        return code

    async def _read(self) -> None:
        try:
            while (frame := await self._connection.receive()) is not None and self._lost is None:
                self._silent_ticks = 0
                self._receive(frame)
        except FrameError as error:
            self.lose(f"it sent {error}")
        except Exception as error:  # noqa: BLE001
            # The app's code runs in that process and may have written anything to the connection.
            self.lose(f"it sent a frame that makes no sense ({error!r})")

    def _receive(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "call":
                self._calls.begin(frame)
            case "delivered":
                told = outcome_of(frame), last_calls_of(frame), onward_of(frame)
                self._answer(f"delivery {frame['delivery']}", told)
            case "response":
                self._answer(f"request {frame['request']}", response_of(frame))
            case "output":
                self._printed.receive(frame)
            case "heartbeat":
                self.rss = int(frame["rss"])
                self._reported_in_flight = int(frame["inFlight"])
            case "hello":
                if not self._hello.done():
                    self._hello.set_result(None)
            case "failed":
                detail = printable(str(frame.get("stack") or frame["message"])[:MAX_REASON])
                if not self._hello.done():
                    self._hello.set_exception(
                        ExecutorUnavailableError(f"The artifact of {self.deployment_id} cannot be loaded: {detail}")
                    )
            case other:
                raise ValueError(f"unknown frame {other!r}")

    def _has_delivery(self, delivery_id: str) -> bool:
        return f"delivery {delivery_id}" in self._answers

    def _answer(self, name: str, value: object) -> None:
        answer = self._answers.get(name)
        if answer is not None and not answer.done():
            answer.set_result(value)

    async def _watch(self) -> None:
        # Silence is counted in ticks, not by the clock: when the worker itself was stopped, the executor's heartbeats
        # wait in the socket, and the clock would say that it hangs.
        limit = self._options.memory_limit_mb * 1024 * 1024
        while True:
            await asyncio.sleep(_TICK)
            self._silent_ticks += 1
            if self._silent_ticks * _TICK > self._options.hang_timeout:
                self._give_up("hung", f"it gave no sign of life for {self._options.hang_timeout:g} s")
            elif self.rss > limit:
                used = self.rss // 1024 // 1024
                self._give_up("memory", f"it used {used} MiB of memory; the limit is {self._options.memory_limit_mb}")
            busy = self._answers or self._reported_in_flight
            self._idle_ticks = 0 if busy else self._idle_ticks + 1
