"""The OpenAPI document is complete, and what it says about the routes is true."""

import re
from http import HTTPStatus

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.worker.routes.conftest import FakePool
from tests.worker.routes.test_every_route import APP, routes_of, scopes_of
from workflow_studio.compute.codes import ErrorBody, ErrorCode
from workflow_studio.worker.app import create_app
from workflow_studio.worker.openapi.refusals import MESSAGES
from workflow_studio.worker.settings import WorkerSettings

DOCUMENT = create_app(WorkerSettings(), pool=FakePool()).openapi()
OPERATIONS = {
    operation["operationId"]: (verb, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for verb, operation in operations.items()
}
EVERY = pytest.mark.parametrize("name", OPERATIONS)
UNCOUNTED = {"health", "readiness"}
WITHOUT_KEY = UNCOUNTED | {name for name in OPERATIONS if name.startswith("webhook_")}


def resolved(value):
    while "$ref" in value:
        found = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def errors_of(schema, instance):
    validator = OAS31Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(instance)]


def test_it_is_an_openapi_document():
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_route_is_in_it_and_nothing_else():
    routes = {(verb.lower(), route.path.replace(":path", "")) for route in routes_of(APP) for verb in route.methods}
    assert {(verb, path) for verb, path, _ in OPERATIONS.values()} == routes


@EVERY
def test_an_operation_says_what_it_does_and_belongs_to_a_group_that_is_described(name):
    _, _, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    groups = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert [groups[tag] for tag in operation["tags"]]


@EVERY
def test_an_operation_names_the_scope_that_its_route_asks_for(name):
    _, _, operation = OPERATIONS[name]
    (route,) = [route for route in routes_of(APP) if (route.operation_id or route.name) == name]
    scopes = sorted(set(scopes_of(route.dependant)))
    if name in WITHOUT_KEY:
        assert (scopes, operation["security"], "x-required-scope" in operation) == ([], [], False)
        return
    assert operation["security"] == [{"key": scopes}]
    assert [operation["x-required-scope"]] == scopes if scopes else "x-required-scope" not in operation
    assert f"scope `{scopes[0]}`" in operation["description"] if scopes else "any key" in operation["description"]


@EVERY
def test_what_an_operation_takes_is_described_and_illustrated(name):
    _, path, operation = OPERATIONS[name]
    parameters = [resolved(parameter) for parameter in operation["parameters"]]
    assert [parameter["name"] for parameter in parameters if not parameter.get("description")] == []
    in_path = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "path"}
    assert sorted(in_path) == sorted(re.findall(r"{(\w+)(?::path)?}", path))
    assert all(parameter["example"] for parameter in in_path.values())
    assert "x-workflow-correlation-id" in {parameter["name"] for parameter in parameters}
    for parameter in parameters:
        if "example" in parameter:
            assert errors_of(parameter["schema"], parameter["example"]) == [], parameter["name"]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            assert errors_of(content["schema"], content["example"]) == []


@EVERY
def test_what_an_operation_answers_is_described_and_illustrated(name):
    verb, _, operation = OPERATIONS[name]
    for status, answer in operation["responses"].items():
        assert answer["description"]
        headers = set(answer["headers"])
        counted = set() if name in UNCOUNTED else {"RateLimit", "RateLimit-Policy"}
        assert headers >= {"x-workflow-correlation-id"} | counted
        assert ("Retry-After" in headers) == (status in {"425", "429", "503"})
        assert ("WWW-Authenticate" in headers) == (status == "401")
        assert all(resolved(header)["description"] for header in answer["headers"].values())
        content = answer.get("content", {}).get("application/json", {})
        if status.startswith("2") and content:
            assert errors_of(content["schema"], content["example"]) == []
        if status[0] in "45" and verb != "head":
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            for code, shown in content["examples"].items():
                assert code in set(ErrorCode)
                assert f"`{code}`" in answer["description"]
                assert ErrorBody.model_validate(shown["value"]).code == code


@EVERY
def test_an_operation_lists_what_the_gate_can_refuse(name):
    _, _, operation = OPERATIONS[name]
    expected = {"431", "500", "503"}
    if name not in UNCOUNTED:
        expected |= {"403", "429"}
    if name not in WITHOUT_KEY:
        expected |= {"400", "401"}
    if "requestBody" in operation:
        expected |= {"408", "413"}
    assert expected <= set(operation["responses"])
    assert all(HTTPStatus(int(status)) for status in operation["responses"] if status != "default")


def test_starting_a_run_demands_an_idempotency_key_and_making_a_key_takes_one():
    demanded = {
        name: parameter["required"]
        for name, (_, _, operation) in OPERATIONS.items()
        for parameter in operation["parameters"]
        if parameter.get("name") == "Idempotency-Key"
    }
    assert demanded == {
        "trigger": True,
        "rerun_run": True,
        "create_api_key": False,
        "rotate_api_key": False,
        "queue.publish": False,
        "events.create": False,
    }


def test_every_code_has_an_example_and_stands_with_some_operation():
    shown = {
        code
        for _, _, operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/json", {}).get("examples", ())
    }
    assert set(MESSAGES) == set(ErrorCode)
    # It is on an executor's way to run a deployment that variables turn out to be unreadable.
    assert set(ErrorCode) - shown == {ErrorCode.VARIABLES_UNREADABLE}


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_a_type_and_its_fields_say_what_they_mean(name):
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["description"]
    assert [field for field, its in schema.get("properties", {}).items() if not its.get("description")] == []
    described = [schema["description"], *(its["description"] for its in schema.get("properties", {}).values())]
    assert [text for text in described if "``" in text or ":class:" in text or "Attributes:" in text] == []


def test_links_lead_to_operations_that_take_what_they_hand_over():
    links = [
        (target, link)
        for _, _, operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for target, link in answer.get("links", {}).items()
    ]
    assert links
    for target, link in links:
        _, path, _ = OPERATIONS[target]
        assert link["operationId"] == target
        assert [f"{{{parameter}}}" for parameter in link["parameters"] if f"{{{parameter}}}" in path]
