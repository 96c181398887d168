"""The World calls that an executor makes, and what becomes of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.execution.answers import refusal_of
from workflow_studio.worker.execution.connection import FrameTooLargeError
from workflow_studio.worker.ports import CallContext, Failed, Handled, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.execution.printed import Printed
    from workflow_studio.worker.ports import WorldHandler

logger = logging.getLogger("workflow_studio.worker.execution")

_POLLS: Final = frozenset({"runs.get", "streams.read"})
"""Methods that may wait, and have no effect when they are given up."""
_WRITES_EVENTS: Final = frozenset({"events.create", "batch"})


class WorldCalls:
    """Makes the calls of one executor.

    Args:
        executor_id: Whose calls they are.
        world: Answers them.
        printed: What the executor's deliveries print: whoever sees an event sees all that was printed before it.
        tell: Sends the executor an answer.
        is_current: Tells of a delivery whether the executor has it.
    """

    def __init__(
        self,
        executor_id: str,
        world: WorldHandler,
        printed: Printed,
        tell: Callable[[dict[str, Any]], Awaitable[None]],
        is_current: Callable[[str], bool],
    ) -> None:
        self._executor_id = executor_id
        self._world = world
        self._printed = printed
        self._tell = tell
        self._is_current = is_current
        self._tasks: set[asyncio.Task[None]] = set()
        self._polls: set[asyncio.Task[None]] = set()

    def begin(self, frame: dict[str, Any]) -> None:
        """Make the call of a ``call`` frame.

        Raises:
            ValueError: If it makes no sense. So may others be raised: the executor can send anything.
        """
        call_id, method = int(frame["id"]), str(frame["method"])
        task = asyncio.create_task(self._make(call_id, method, frame))
        for holder in (self._tasks, self._polls) if method in _POLLS else (self._tasks,):
            holder.add(task)
            task.add_done_callback(holder.discard)

    def give_up_polls(self) -> None:
        """Give up the calls that may be given up."""
        for poll in self._polls:
            poll.cancel()

    async def ended(self) -> None:
        """Wait until all calls are answered or given up."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def store(
        self, delivery_id: str, outcome: Outcome, calls: list[Any], onward: dict[str, Any] | None
    ) -> Outcome:
        """Store what a delivery left to be stored with its outcome; return what that makes of the outcome."""
        params: dict[str, Any] = {"calls": calls, "endsDelivery": outcome == Handled()}
        if onward is not None:
            params["onward"] = onward
        try:
            answer = await self._world.call("batch", params, CallContext(self._executor_id, delivery_id))
        except WorldError as error:
            return Failed(f"{error.name}: {error}")
        except Exception:
            logger.exception("The last calls of delivery %s of %s failed.", delivery_id, self._executor_id)
            return Failed("The worker failed; its log has the reason.")
        return refusal_of(calls, answer["results"]) or outcome

    async def _make(self, call_id: int, method: str, frame: dict[str, Any]) -> None:
        try:
            answer = await self._answer_to(method, frame)
        except WorldError as error:
            answer = {"t": "refusal", "error": error.to_wire()}
        except Exception:
            logger.exception("The World call %s of %s failed.", method, self._executor_id)
            failure = WorldError("The worker failed; its log has the reason.", status=500)
            answer = {"t": "refusal", "error": failure.to_wire()}
        try:
            await self._tell({**answer, "id": call_id})
        except FrameTooLargeError as problem:
            failure = WorldError(f"The answer to {method} is too large: {problem}", status=413)
            await self._tell({"t": "refusal", "error": failure.to_wire(), "id": call_id})

    async def _answer_to(self, method: str, frame: dict[str, Any]) -> dict[str, Any]:
        params, delivery_id = frame["params"], frame.get("delivery")
        if not isinstance(params, dict) or not isinstance(delivery_id, str | None):
            raise WorldError("The call has no proper parameters.")
        if delivery_id is not None and not self._is_current(delivery_id):
            # It is over, or it is another executor's: what is said in its name would count as said by that replay.
            delivery_id = None
        if method in _WRITES_EVENTS:
            await self._printed.settled(delivery_id)
        value = await self._world.call(method, params, CallContext(self._executor_id, delivery_id))
        return {"t": "result", "value": value}
