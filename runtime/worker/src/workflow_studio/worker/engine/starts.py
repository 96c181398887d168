"""Starting runs for callers that speak JSON: new ones, and ones with the input of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, RUN_ID
from workflow_studio.worker.engine import log, present, references, trace_context
from workflow_studio.worker.engine.admission import LATEST
from workflow_studio.worker.engine.clock import check_run_age, new_id
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.queue import flow_queue
from workflow_studio.worker.engine.run_views import run_not_found
from workflow_studio.worker.engine.transitions import EventInput
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from workflow_studio.worker.engine.admission import Admission
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.ports import Caller
    from workflow_studio.worker.store import Transaction

_R = tables.runs


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to be started.

    Attributes:
        deployment_id: The deployment; None and ``latest`` mean the one that is active in the run's environment.
        run_id: The run's id; a new one if None.
        caller: Whose request it is.
        priority: Of its messages, where there are not places for all.
        concurrency_key: The key of a limit that it shares with other runs.
    """

    deployment_id: str | None = None
    run_id: str | None = None
    caller: Caller | None = None
    priority: int | None = None
    concurrency_key: str | None = None

    @property
    def environment(self) -> str | None:
        """The environment that the request names."""
        return None if self.caller is None else self.caller.environment


class Starts:
    """Creates runs and publishes their first messages, in one transaction each.

    A run that exists already is returned as it is: a repeat of a request starts nothing twice.
    """

    def __init__(self, queue: Queue, clock: Clock, keyring: Keyring, admission: Admission) -> None:
        self._queue = queue
        self._clock = clock
        self._keyring = keyring
        self._admission = admission

    def start(
        self, transaction: Transaction, wanted: Wanted, workflow_name: str, arguments: bytes, spec_version: int
    ) -> dict[str, Any]:
        """Start a run and return it without payloads.

        Args:
            transaction: To do it in.
            wanted: Where and for whom.
            workflow_name: The workflow's id.
            arguments: As the SDK encodes them, in clear.
            spec_version: The World protocol that the run's code speaks.

        Raises:
            EngineError: As :meth:`.Runs.start` does.
            WorldError: If the rules of the log refuse it.
        """
        run_id = wanted.run_id or new_id("wrun", self._clock())
        found = run_row(transaction, run_id)
        if found is not None:
            _check_same(found, workflow_name, wanted.deployment_id)
            return present.run(found, with_payloads=False)
        data = {"workflowName": workflow_name, "input": self._keyring.seal(run_id, arguments)}
        event = EventInput(run_id, "run_created", data=data, spec_version=spec_version)
        return self._create(transaction, event, wanted, wanted.environment or DEFAULT_ENVIRONMENT)

    def rerun(
        self, transaction: Transaction, wanted: Wanted, original_id: str, input_elsewhere: bytes | None = None
    ) -> dict[str, Any]:
        """Start a run with the input of another one and return it without payloads.

        It belongs to the environment of the other one, unless the request names another.

        Args:
            transaction: To do it in.
            wanted: Where and for whom; without a deployment, on that of the other run.
            original_id: The other run.
            input_elsewhere: Its input, if that is an object.

        Raises:
            EngineError: As :meth:`.Runs.rerun` does.
            WorldError: If the rules of the log refuse it.
        """
        original = transaction.execute(select(_R).where(_R.c.run_id == original_id)).mappings().first()
        if original is None:
            raise run_not_found(original_id)
        deployment_id = wanted.deployment_id or original["deployment_id"]
        run_id = wanted.run_id or new_id("wrun", self._clock())
        found = run_row(transaction, run_id)
        if found is not None:
            _check_same(found, original["workflow_name"], deployment_id)
            if found["rerun_of"] != original_id:
                raise _conflict(found, f"is no rerun of {original_id}")
            return present.run(found, with_payloads=False)
        data = {"workflowName": original["workflow_name"]}
        if original["input"] is not None:
            payload = references.decode(original["input"])
            if references.referred(payload) is not None and self._keyring.encrypts:
                payload = input_elsewhere  # another run has another key
            data["input"] = self._handed_on(original_id, run_id, payload)
        event = EventInput(run_id, "run_created", data=data, spec_version=original["spec_version"])
        wanted = Wanted(deployment_id, run_id, wanted.caller, original["priority"], original["concurrency_key"])
        environment = wanted.environment or original["environment"]
        return self._create(transaction, event, wanted, environment, rerun_of=original_id)

    def _handed_on(self, run_id: str, new_run_id: str, payload: Any) -> Any:
        """Return the input of a run as another one stores it."""
        if not isinstance(payload, bytes):
            return payload
        opened = self._keyring.unseal(run_id, payload)
        if opened is None:
            raise EngineError(
                ErrorCode.INPUT_UNREADABLE,
                f"The input of the run {run_id} is encrypted under another master key.",
                status=409,
                recovery="Start the worker with the master key that the run was started under.",
            )
        return self._keyring.seal(new_run_id, opened)

    def _create(
        self,
        transaction: Transaction,
        event: EventInput,
        wanted: Wanted,
        environment: str,
        rerun_of: str | None = None,
    ) -> dict[str, Any]:
        now = self._clock()
        _check_run_id(event.run_id, now)
        name = event.data["workflowName"]
        deployment_id = self._admission.resolve(transaction.connection, wanted.deployment_id, environment)
        manifest = self._admission.admit(transaction.connection, deployment_id, name)
        context = {
            "traceCarrier": trace_context.current(),
            "workflowCoreVersion": manifest.sdk.core,
            "features": {"encryption": self._keyring.encrypts},
        }
        data = {"deploymentId": deployment_id, **event.data, "executionContext": context}
        event = EventInput(event.run_id, event.event_type, data=data, spec_version=event.spec_version)
        by = log.Author(caller=wanted.caller, environment=environment)
        origin = {"rerun_of": rerun_of, "priority": wanted.priority, "concurrency_key": wanted.concurrency_key}
        appended = log.append(transaction, event, now=now, by=by, origin=origin)
        self._queue.wake(transaction, event.run_id, run_at=now, queue_name=flow_queue(name))
        return present.run(appended.entities["run"], with_payloads=False)


def run_row(transaction: Transaction, run_id: str) -> Any:
    """Return the row of a run, which nobody else changes until the transaction ends, or None."""
    return transaction.execute(select(_R).where(_R.c.run_id == run_id).with_for_update()).mappings().first()


def _check_same(found: Any, workflow_name: str, deployment_id: str | None) -> None:
    """Refuse a run that is not what was asked for, though it has the id; the active deployment may have changed."""
    if found["workflow_name"] != workflow_name:
        raise _conflict(found, f"is of the workflow {found['workflow_name']}")
    if deployment_id is not None and deployment_id not in {LATEST, found["deployment_id"]}:
        raise _conflict(found, f"is of the deployment {found['deployment_id']}")


def _conflict(found: Any, reason: str) -> EngineError:
    return EngineError(
        ErrorCode.RUN_CONFLICT,
        f"The run {found['run_id']} exists, and {reason}.",
        status=409,
        recovery="Leave the run id out, or send wrun_ and a new ULID.",
    )


def _check_run_id(run_id: str, now: int) -> None:
    if not RUN_ID.fullmatch(run_id):
        raise EngineError(
            ErrorCode.INVALID_REQUEST,
            f"{run_id!r} is not a run id.",
            status=400,
            recovery="Leave the run id out, or send wrun_ and a new ULID.",
        )
    check_run_age(run_id, now)
