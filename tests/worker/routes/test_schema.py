"""Whatever fits the published schema, and much that does not, gets an answer of a documented kind."""

import threading
import time

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.worker.artifacts.archives import artifact
from tests.worker.routes.conftest import ADMIN, FakePool, make_settings
from workflow_studio.client import ComputeClient
from workflow_studio.worker.app import create_app
from workflow_studio.worker.settings import WorkerSettings

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

schema = schemathesis.openapi.from_dict(create_app(WorkerSettings()).openapi())
json_lane = schema.exclude(tag="world").exclude(tag="webhooks").exclude(method="POST", path="/v1/deployments")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    worker_settings = make_settings(tmp_path_factory.mktemp("schema"), rate_limit_per_minute=1_000_000)
    app = create_app(worker_settings, pool=FakePool())
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="error", loop="asyncio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def deployed(server, tmp_path_factory):
    archive = tmp_path_factory.mktemp("artifact") / "artifact.tgz"
    archive.write_bytes(artifact())
    with ComputeClient(server, ADMIN) as client:
        client.activate_deployment(client.create_deployment(archive).deployment_id)
    return server


# Not by schemathesis's own decorator: its tests share one node id, and of those pytest-xdist runs only one.
OPERATIONS = [found.ok() for found in json_lane.get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_a_documented_one(operation, deployed):
    @settings(
        max_examples=12,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case):
        response = case.call(base_url=deployed, headers={"Authorization": f"Bearer {ADMIN}"})
        case.validate_response(response, checks=CHECKS)

    check()


def test_the_schema_says_which_addresses_need_a_key():
    document = create_app(WorkerSettings()).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            public = path == "/v1/health" or "webhook" in path
            assert operation["security"] == ([] if public else [{"key": []}]), path
