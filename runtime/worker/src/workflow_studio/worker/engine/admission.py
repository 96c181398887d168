"""Which deployment a new run is for, and whether it can be: the same rules for every way to start one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.manifest import Manifest
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.deployments import check_id, not_found
from workflow_studio.worker.engine.environments import ACTIVE_IN, active_id_for_world, require_active_id
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.transitions import SPEC_VERSION
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workflow_studio.worker.engine.transitions import EventInput
    from workflow_studio.worker.store import Transaction

LATEST: Final = "latest"
"""The name of an environment's active deployment, wherever a run is started.

Source: ``@workflow/core`` 4.8.9 ``start.js``.
"""

_DEPLOYMENT: Final = "deploymentId"
_MAX_KNOWN: Final = 64
_T: Final = tables.deployments
# A deployment must not be deleted while a run is being started on it.
_IS_HERE: Final = Statement(
    select(_T.c.id).where(_T.c.id == bindparam("deployment")).with_for_update(read=True, key_share=True)
)
_MANIFEST: Final = select(_T.c.manifest).where(_T.c.id == bindparam("deployment"))


class Admission:
    """Decides on which deployment a run is started, and whether it can be.

    The manifests of deployments never change, so they are remembered.
    """

    def __init__(self) -> None:
        self._manifests: dict[str, Manifest] = {}
        self._last: dict[str, str] = {}

    def resolve(self, connection: Connection, deployment_id: str | None, environment: str) -> str:
        """Return the id of the deployment that is meant; None and ``latest`` mean the environment's active one.

        Raises:
            EngineError: ``no_active_deployment``.
        """
        if deployment_id is not None and deployment_id != LATEST:
            return deployment_id
        return require_active_id(connection, environment)

    def addressed(self, connection: Connection, event: EventInput, environment: str) -> EventInput:
        """Return an event that may create a run with the deployment's id in place of ``latest``.

        Raises:
            WorldError: With status 409, if no deployment is active.
        """
        if event.data.get(_DEPLOYMENT) != LATEST:
            return event
        active = active_id_for_world(connection, environment)
        if len(self._last) >= _MAX_KNOWN:
            self._last.clear()
        self._last[environment] = active
        return replace(event, data={**event.data, _DEPLOYMENT: active})

    def ask_ahead(self, transaction: Transaction, environment: str) -> None:
        """Ask ahead what the start of a run on the active deployment will want to know.

        Which one that is changes seldom, so the last one is asked for.
        """
        transaction.ask_ahead(ACTIVE_IN, {"environment": environment})
        last = self._last.get(environment)
        if last is not None:
            transaction.ask_ahead(_IS_HERE, {"deployment": last})

    def admit(self, connection: Connection, deployment_id: str, workflow_name: str) -> Manifest:
        """Return the manifest of a deployment on which a run of this workflow can be started.

        Args:
            connection: Inside the transaction that starts it: the deployment is kept until that ends.
            deployment_id: The deployment.
            workflow_name: The workflow's id.

        Raises:
            EngineError: ``invalid_deployment_id``, ``deployment_not_found``, ``unknown_workflow`` or
                ``unsupported_artifact``.
        """
        check_id(deployment_id)
        if _IS_HERE.first(connection, {"deployment": deployment_id}) is None:
            raise not_found(deployment_id)
        manifest = self._manifest(connection, deployment_id)
        if workflow_name not in manifest.workflows:
            raise _unknown_workflow(manifest, workflow_name)
        if manifest.sdk.spec_version > SPEC_VERSION:
            raise _unsupported(manifest)
        return manifest

    def admit_for_world(self, connection: Connection, deployment_id: str, workflow_name: str) -> None:
        """Do what :meth:`admit` does, refusing in the World's words: the SDK's ``start`` rejects with them.

        Raises:
            WorldError: With the same code and status.
        """
        try:
            self.admit(connection, deployment_id, workflow_name)
        except EngineError as error:
            raise for_world(error) from error

    def _manifest(self, connection: Connection, deployment_id: str) -> Manifest:
        known = self._manifests.get(deployment_id)
        if known is None:
            text: Any = connection.execute(_MANIFEST, {"deployment": deployment_id}).scalar_one()
            known = Manifest.model_validate_json(text)
            if len(self._manifests) >= _MAX_KNOWN:
                self._manifests.clear()
            self._manifests[deployment_id] = known
        return known


def for_world(error: EngineError) -> WorldError:
    """Return a refusal as the World's callers understand it."""
    recovery = f" {error.recovery}" if error.recovery else ""
    return WorldError(f"{error.message}{recovery}", status=error.status, code=error.code)


def _unknown_workflow(manifest: Manifest, workflow_name: str) -> EngineError:
    known = manifest.workflows
    return EngineError(
        ErrorCode.UNKNOWN_WORKFLOW,
        f"The deployment {manifest.deployment_id} has no workflow {workflow_name}.",
        status=404,
        recovery=f"It has: {', '.join(known[:10]) or 'none'}{' and more' if len(known) > 10 else ''}. "
        "Deploy the code that has it, or name a deployment that does.",
    )


def _unsupported(manifest: Manifest) -> EngineError:
    return EngineError(
        ErrorCode.UNSUPPORTED_ARTIFACT,
        f"The deployment {manifest.deployment_id} speaks World protocol {manifest.sdk.spec_version}; this worker "
        f"speaks {SPEC_VERSION}.",
        status=409,
        recovery="Deploy bundles of Workflow SDK 4, or use a newer worker.",
    )
