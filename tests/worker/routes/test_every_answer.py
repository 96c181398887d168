"""Whatever fits the published document, and much that does not, gets an answer that the document announces.

``HYPOTHESIS_PROFILE=long pytest -n0 tests/worker/routes/test_every_answer.py`` sends thousands of requests.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.serialization import Binary

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.routes.conftest import ADMIN, WORKFLOW, FakePool, secret_of
from tests.worker.routes.populated import populated
from workflow_studio.compute.payload import dumps_arguments
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.compute.wire import CBOR_MEDIA_TYPE, encode
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.transitions import EVENT_TYPES
from workflow_studio.worker.settings import WorkerSettings

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
CASES = 300 if LONG else 12
SCENARIOS = 150 if LONG else 8

DOCUMENT = create_app(WorkerSettings(), pool=FakePool()).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# Not by schemathesis's own decorator: its tests share one node id, and of those pytest-xdist runs only one.
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]

NAMES = {
    "run_id": "run_id",
    "runId": "run_id",
    "deployment_id": "deployment_id",
    "deploymentId": "deployment_id",
    "key_id": "key_id",
    "message_id": "message_id",
    "step_id": "step_id",
    "stepId": "step_id",
    "hook_id": "hook_id",
    "hookId": "hook_id",
    "correlation_id": "correlation_id",
    "correlationId": "correlation_id",
    "eventId": "event_id",
    "name": "name",
    "token": "token",
}
"""Which of the names that the worker knows fits a parameter."""

SCOPES = [ComputeScope.ADMIN] * len(ComputeScope) + list(ComputeScope)
SEEN = Counter()


@schemathesis.serializer(CBOR_MEDIA_TYPE)
def as_cbor(_context, value):
    return encode(plain(value))


@schemathesis.serializer("application/gzip")
def as_it_is(_context, value):
    value = plain(value)
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def first_line(_context, response):
    """Read one line: the document describes each of them. Empty ones only say that the answer goes on."""
    return json.loads(next(filter(None, response.content.splitlines())))


def plain(value):
    """Return what schemathesis made of a schema as a program would have it: bytes are bytes, text is Unicode."""
    if isinstance(value, Binary):
        return value.data
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {plain(name): plain(content) for name, content in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@schemathesis.check
def code_is_documented(_context, response, case):
    """The document names the code of every refusal."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    documented = case.operation.definition.raw["responses"][str(response.status_code)]
    code = response.json()["code"]
    if code not in documented["content"]["application/json"]["examples"]:
        raise Failure(
            operation=case.operation.label,
            title="Undocumented code",
            message=f"{response.status_code} came with the code {code}: {response.text}",
        )


CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    code_is_documented,
)


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with populated(tmp_path_factory.mktemp("answers")) as worker:
        yield worker
    if report := os.environ.get("ANSWERS_REPORT"):  # how deep the requests got, for who works on this test
        seen = {label: {} for label, _ in sorted(SEEN)}
        for (label, status), times in sorted(SEEN.items()):
            seen[label][status] = times
        Path(report).write_text(json.dumps(seen, indent=1), encoding="utf-8")


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


class Bearer(requests.auth.AuthBase):
    """Sends a key, also where schemathesis would leave it out on purpose."""

    def __init__(self, secret):
        self.secret = secret

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.secret}"
        return request


def make_sense(value, worker, dice):
    """Put names that the worker knows in the place of most of those that nobody knows."""
    if isinstance(value, list):
        return [make_sense(item, worker, dice) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: sensible(name, content, worker, dice) for name, content in value.items()}


def sensible(name, content, worker, dice):
    known = worker.known.get(NAMES.get(name))
    if name == "waitMs" and not isinstance(content, str | list | dict | None):
        return min(content, 20)
    if isinstance(content, str) and known and dice.random() < 0.8:
        return dice.choice(known)
    if name == "workflowName" and isinstance(content, str) and dice.random() < 0.8:
        return WORKFLOW
    if name == "queueName" and dice.random() < 0.8:
        return dice.choice([f"__wkf_workflow_{WORKFLOW}", "__wkf_step_step//./w//s"])
    if name == "correlationIds" and isinstance(content, list) and dice.random() < 0.8:
        return dice.sample(worker.known["correlation_id"], 2)
    return make_sense(content, worker, dice)


def never_follow(case):
    """Have an answer end: one that goes on waits for what nobody will write."""
    if case.operation.label in {"GET /v1/runs/{run_id}/streams/{name}", "GET /v1/activity"}:
        case.query["follow"] = "false"
    if isinstance(case.body, dict) and case.body.get("follow") is True:
        case.body["follow"] = False


def prepare(case, worker, dice):
    case.headers.pop("Authorization", None)  # the tests send keys of their own
    case.path_parameters = make_sense(case.path_parameters, worker, dice)
    case.query = make_sense(case.query, worker, dice)
    never_follow(case)
    if case.operation.label == "GET /v1/runs/{run_id}/streams/{name}" and dice.random() < 0.7:
        case.path_parameters["run_id"], case.path_parameters["name"] = dice.choice(worker.streams[-4:])
    if isinstance(case.body, dict):
        case.body = make_sense(case.body, worker, dice)
        if isinstance(case.body.get("runId"), str) and case.path in {"/v1/runs", "/v1/runs/{run_id}/rerun"}:
            case.body["runId"] = dice.choice([new_id("wrun", dice.randrange(2**40)), case.body["runId"]])
    if case.path == "/v1/runs/resume" and isinstance(case.body, dict) and dice.random() < 0.7:
        known = dict(worker.hooks[-1])
        del known[dice.choice(["hookId", "token"])]
        case.body = {"payload": case.body.get("payload")} | known
    if case.path == "/v1/world/events/create" and isinstance(case.body, dict) and dice.random() < 0.7:
        case.body["event"] = event = an_event(worker, dice)
        is_new = event["eventType"] == "run_created"
        made = new_id("wrun", time.time_ns() // 1_000_000)
        case.body["runId"] = made if is_new else dice.choice(worker.known["run_id"])
    if case.path == "/v1/deployments" and case.method == "POST" and dice.random() < 0.5:
        case.body = artifact(FILES | {"step.js": dice.randbytes(4)})


def an_event(worker, dice):
    """Return an event that the log may take."""
    kind = dice.choice(sorted(EVENT_TYPES))
    data = {
        "run_created": {"deploymentId": worker.deployment_id, "workflowName": WORKFLOW, "input": dumps_arguments([1])},
        "step_created": {"stepName": "step//./w//s", "input": dumps_arguments([1])},
        "hook_created": {"token": dice.choice(["a-token", str(dice.random())])},
        "wait_created": {"resumeAt": dice.randrange(2**40)},
        "step_retrying": {"retryAfter": dice.randrange(2**41)},
    }
    event = {"eventType": kind, "specVersion": 3, "eventData": data.get(kind, {})}
    if not kind.startswith("run_"):
        made = f"{kind[:4]}_{dice.randrange(2**40)}"
        event["correlationId"] = dice.choice([*worker.known["correlation_id"], made])
    return event


def has_scope(operation, scopes):
    needed = operation.definition.raw.get("x-required-scope")
    return needed is None or ComputeScope(needed).granted_by(scopes)


def check_scope(operation, scope, response):
    """A key without the scope gets nothing but a refusal that says so, or that the request cannot be read at all."""
    if operation.definition.raw["security"] and not has_scope(operation, [scope]):
        body = response.json()
        nowhere = body["code"] == "not_found" and body["message"] == "There is nothing at this address."
        unread = {"missing_scope", "invalid_environment", "invalid_request", "unauthorized"}
        assert body["code"] in unread or nowhere, (scope, response.text)


@pytest.mark.timeout(3600 if LONG else 240)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_a_documented_one(operation, worker, session):
    modes = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.sampled_from(modes).flatmap(operation.as_strategy)
    sent = 0

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # what failed has changed the worker, so there is no way to shrink
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, dice=st.randoms(), scope=st.sampled_from(SCOPES))
    def check(case, dice, scope):
        nonlocal sent
        sent += 1
        if sent % 15 == 1 and (operation.method.upper() != "GET" or "hook" in operation.path):
            worker.replenish()
        prepare(case, worker, dice)
        secret = ADMIN if scope is ComputeScope.ADMIN else secret_of(scope)
        session.auth = Bearer(secret)
        response = case.call(base_url=worker.url, session=session, timeout=60)
        SEEN[operation.label, response.status_code] += 1
        case.validate_response(response, checks=list(CHECKS))
        check_scope(operation, scope, response)

    check()


@pytest.mark.timeout(3600 if LONG else 240)
def test_what_an_answer_links_to_is_there(worker):
    class Scenario(SCHEMA.as_state_machine()):
        def get_call_kwargs(self, _case):
            return {"headers": {"Authorization": f"Bearer {ADMIN}"}, "timeout": 60, "base_url": worker.url}

        def before_call(self, case):
            if isinstance(case.body, dict) and "workflowName" in case.body:
                case.body = {"workflowName": WORKFLOW, "input": case.body.get("input")}
            if case.path == "/v1/deployments" and case.method == "POST":
                case.body = artifact()
            for name, value in case.query.items():
                case.query[name] = sensible(name, value, worker, None) if name == "waitMs" else value
            never_follow(case)

        def validate_response(self, response, case, **_):
            SEEN[case.operation.label, response.status_code] += 1
            case.validate_response(response, checks=list(CHECKS))

    worker.replenish()
    Scenario.run(
        settings=settings(
            max_examples=SCENARIOS,
            stateful_step_count=8,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
