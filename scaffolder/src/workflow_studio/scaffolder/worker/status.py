"""``studio worker status``: the workers of a service."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.operate.show import document, when
from workflow_studio.scaffolder.options import with_connection
from workflow_studio.scaffolder.output import get_output

if TYPE_CHECKING:
    from workflow_studio.compute.api import ServiceWorker


@with_connection()
def status(*, connection: Connection) -> None:
    """List the workers of the service, with what they have in flight."""
    output = get_output()
    with connection.client() as client:
        workers = client.list_workers().data
    output.table(
        ("worker", "host", "process", "version", "registered", "heard of", "in flight", ""),
        [
            (
                entry.worker_id,
                entry.host,
                str(entry.pid),
                entry.version,
                when(entry.started_at),
                when(entry.heartbeat_at),
                str(entry.in_flight),
                _roles(entry),
            )
            for entry in workers
        ],
    )
    output.document({"workers": [document(entry) for entry in workers]})


def _roles(worker: "ServiceWorker") -> str:
    roles = {"leads": worker.leads, "answers": worker.is_this}
    return ", ".join(role for role, has in roles.items() if has)
