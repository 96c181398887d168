"""The queue, as an operator sees it: what is not delivered any more, and having it delivered again."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter, Query

from workflow_studio.compute.api import DeadMessage, Page
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/queue", tags=["queue"])

_ID = r"^msg_[0-9A-Z]{26}$"


@router.get(
    "/dead",
    dependencies=[needs(ComputeScope.RUNS_READ)],
    response_model=Page[DeadMessage],
    response_model_exclude_unset=True,
)
async def list_dead_messages(
    worker: Worker,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(pattern=_ID)] = None,
) -> Page[DeadMessage]:
    """List messages that failed too often and are not delivered any more, newest first."""
    found, following = await worker.engine.dead_letters.list(limit, cursor)
    return Page(
        data=tuple(presenting.dead_message(entry) for entry in found), cursor=following, has_more=following is not None
    )


@router.post(
    "/dead/{message_id}/retry",
    dependencies=[needs(ComputeScope.RUNS_WRITE)],
    response_model=DeadMessage,
    response_model_exclude_unset=True,
)
async def retry_dead_message(message_id: str, worker: Worker) -> DeadMessage:
    """Have a dead message delivered again, with all its chances anew. Answers with the message as it was."""
    return presenting.dead_message(await worker.engine.dead_letters.retry(message_id))
