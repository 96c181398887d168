import pytest
from sqlalchemy import update

from tests.worker.routes.conftest import ADMIN
from workflow_studio.client import AsyncComputeClient, ComputeClientError
from workflow_studio.worker.store import tables


@pytest.fixture
async def dead(worker):
    """A message that the dispatcher never gets to see alive."""
    publish = {"queueName": "__wkf_step_s", "body": b"", "runId": "r", "stepId": "step_1", "delaySeconds": 3600}
    message_id = (await worker.world("queue.publish", publish))["messageId"]
    die = update(tables.messages).values(status="dead", attempt=50, failures=50, last_error="no such module")
    await worker.services.engine.queue._database.write(lambda transaction: transaction.execute(die))
    return message_id


async def test_an_operator_lists_and_retries_dead_letters(worker, dead):
    listed = (await worker.get("/v1/queue/dead")).json()
    (message,) = listed["data"]
    created_at = message.pop("createdAt")
    assert created_at.endswith("Z")
    assert message == {
        "messageId": dead,
        "queueName": "__wkf_step_s",
        "runId": "r",
        "stepId": "step_1",
        "attempt": 50,
        "failures": 50,
        "lastError": "no such module",
    }
    assert listed["hasMore"] is False
    retried = await worker.post(f"/v1/queue/dead/{dead}/retry")
    assert (retried.status_code, retried.json()["messageId"]) == (200, dead)
    assert (await worker.get("/v1/queue/dead")).json()["data"] == []
    again = await worker.post(f"/v1/queue/dead/{dead}/retry")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


async def test_the_client_lists_and_retries_dead_letters(worker, dead):
    async with AsyncComputeClient("http://worker.test", ADMIN, transport=worker.transport, retries=0) as client:
        assert [message.message_id for message in (await client.list_dead_messages(limit=1)).data] == [dead]
        assert (await client.retry_dead_message(dead)).failures == 50
        with pytest.raises(ComputeClientError) as caught:
            await client.retry_dead_message(dead)
        assert caught.value.recovery


async def test_a_cursor_that_is_none_is_refused(worker):
    response = await worker.get("/v1/queue/dead", params={"cursor": "x"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
