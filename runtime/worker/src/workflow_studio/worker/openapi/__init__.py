"""The OpenAPI document: what FastAPI finds in the routes, and what it cannot find there.

That is: the scope of each operation, the refusals with their codes, the headers of every answer, examples, links from
answer to operation, and what the fields of a schema mean, which is in the docstrings of the types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fastapi.routing import APIRoute

from workflow_studio.compute.api import ActivityEntry, ActivityLine
from workflow_studio.compute.codes import ErrorBody
from workflow_studio.compute.wire import CBOR_MEDIA_TYPE
from workflow_studio.worker.auth import Needs
from workflow_studio.worker.engine.params import PARAMETERS
from workflow_studio.worker.openapi import examples, headers, links, meanings
from workflow_studio.worker.openapi.refusals import MESSAGES, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi.dependencies.models import Dependant
    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode
    from starlette.routing import BaseRoute

    from workflow_studio.compute.codes import ErrorCode

_TAGS: Final = {
    "health": "Whether the worker is up, and takes requests.",
    "deployments": "Uploaded artifacts, which of them new runs use, and the variables of their code.",
    "environments": "Environments: each has an active deployment of its own.",
    "runs": "Runs: started, looked at, cancelled, woken, resumed, repeated.",
    "streams": "What runs stream.",
    "output": "What runs print.",
    "activity": "What happens in runs, while it happens.",
    "timeline": "Steps, hooks and events.",
    "diagnostics": "What the worker is doing.",
    "queue": "Messages that are not delivered any more.",
    "limits": "How many steps all workers work on at the same time.",
    "keys": "API keys.",
    "audit": "Who changed what, or was refused to.",
    "world": "The world lane, for the Workflow SDK's runtime inside an app; its bodies are CBOR.",
    "ingress": "Webhook calls of other services, for a Compute that takes them.",
    "webhooks": "Webhooks of workflows; their tokens are their keys.",
}
_REQUIRED_REPEAT: Final = frozenset({"trigger", "rerun_run"})
_WRITES_OF_WORLD: Final = frozenset({"events.create", "queue.publish"})
_IN_ENVIRONMENT: Final = frozenset(
    {
        "create_deployment",
        "get_active_deployment",
        "activate_deployment",
        "rollback",
        "rollback_to_deployment",
        "trigger",
        "rerun_run",
        "deployments.current",
        "events.create",
        "queue.publish",
        "batch",
    }
)
"""Operations that are about an environment."""

_WITH_BODY: Final = frozenset({"post", "put", "patch"})
_BYTES: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_ANY_BODY: Final[dict[str, Any]] = {
    "description": "Whatever the other service sends.",
    "content": {"application/octet-stream": _BYTES, "*/*": {"schema": {}}},
}
"""Generators of clients know what to make of bytes; any other type is taken as well."""

_REASONS: Final = {
    "400": "The request is wrong.",
    "401": "There is no key, or not one of this worker.",
    "403": "The key may not do this, or not this way.",
    "404": "There is nothing by this name.",
    "408": "The body did not arrive in time.",
    "409": "Things are in a state that does not allow it.",
    "410": "The run has ended.",
    "413": "The body is too long.",
    "415": "The body is of another type.",
    "425": "The step is not to be tried again yet.",
    "429": "Too many requests.",
    "431": "The head of the request is too long.",
    "500": "Something went wrong in the worker.",
    "502": "A custom Compute failed.",
    "503": "The worker cannot answer now.",
    "504": "The call was handed over, but nothing answered it in time.",
}
_ATTRIBUTES: Final = re.compile(r"\n\s*Attributes:\n")
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def complete(document: dict[str, Any], routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return FastAPI's document with all that belongs in it.

    Args:
        document: What FastAPI made; it is changed.
        routes: The app's routes.

    Raises:
        KeyError: If there is an operation of which :mod:`.refusals` does not know what it refuses.
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ErrorBody"] = ErrorBody.model_json_schema()
    for line in (ActivityEntry, ActivityLine):  # FastAPI does not know what is in an answer of lines
        schemas |= _schemas_of(line, mode="serialization")
    bodies = dict(_world_bodies(schemas))
    for name, schema in schemas.items():
        if name.startswith("Page_"):
            schema["description"] = "A part of a list."
        _explain(schema)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key of this worker."}
    }
    components["parameters"] = headers.PARAMETERS
    components["headers"] = headers.HEADERS
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    scopes = dict(_scopes(routes))
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            name = operation["operationId"]
            if name in bodies and "requestBody" in operation:
                operation["requestBody"]["content"][CBOR_MEDIA_TYPE] = bodies[name]
            _complete(operation, verb, path, scopes[name])
    return document


def _world_bodies(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Describe the bodies of the world lane: CBOR has the values of JSON, and bytes."""
    for method, model in PARAMETERS.items():
        schemas |= _schemas_of(model)
        yield method, {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _schemas_of(model: type[BaseModel], mode: JsonSchemaMode = "validation") -> dict[str, Any]:
    """Return the schema of a model and of those that it is made of, by name."""
    schema = model.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}")
    others: dict[str, Any] = schema.pop("$defs", {})
    return {**others, model.__name__: schema}


def _complete(operation: dict[str, Any], verb: str, path: str, scope: str | None) -> None:
    name, tag = operation["operationId"], operation["tags"][0]
    is_public = tag in {"health", "webhooks"}
    if tag == "ingress" or (tag == "webhooks" and verb in _WITH_BODY):
        operation["requestBody"] = _ANY_BODY
    if name == "create_deployment":
        operation["requestBody"]["content"]["application/octet-stream"] = _BYTES
    if tag == "world":
        operation["summary"] = f"Call {name}"
    operation["security"] = [] if is_public else [{"key": [] if scope is None else [scope]}]
    needed = "any key" if scope is None else f"a key with the scope `{scope}`"
    if not is_public:
        operation["description"] = f"{operation.get('description', '').rstrip()}\n\nNeeds {needed}.".lstrip()
        if scope is not None:
            operation["x-required-scope"] = scope
    _complete_parameters(operation)
    refused = refusals(
        name, tag=tag, has_body="requestBody" in operation, has_scope=scope is not None, has_path="{" in path
    )
    answers = {status: answer for status, answer in operation["responses"].items() if status[1:] != "XX"}
    answers |= {str(status): _refusal(str(status), codes) for status, codes in refused.items()}
    if tag == "webhooks":
        answers.pop("200", None)
        answers["default"] = {"description": "Whatever the workflow's code answers."}
    if tag == "ingress":
        answers["default"] = {
            "description": "Whatever a custom Compute refuses the call with.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
        }
    operation["responses"] = dict(sorted(answers.items()))
    for status, answer in operation["responses"].items():
        answer["headers"] = headers.of(status, counted=tag != "health", tag=tag)
        linked = links.of(name, status)
        if linked is not None:
            answer["links"] = linked
        if status.startswith("2"):
            _illustrate(answer)
        if verb == "head":
            answer.pop("content", None)
    if "requestBody" in operation:
        _without_null(operation["requestBody"])
        _illustrate(operation["requestBody"])


def _complete_parameters(operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    name = operation["operationId"]
    if name in _WRITES_OF_WORLD:
        parameters.append({"name": "Idempotency-Key", "in": "header", "description": "A repeat changes nothing more."})
    for parameter in parameters:
        if parameter["in"] == "path":
            parameter["description"], parameter["example"] = meanings.PATH_PARAMETERS[parameter["name"]]
            parameter["schema"]["minLength"] = 1
        elif parameter["name"].lower() == "idempotency-key":
            parameter["name"] = "Idempotency-Key"
            parameter["required"] = name in _REQUIRED_REPEAT
            parameter["schema"] = headers.IDEMPOTENCY_SCHEMA
            parameter["example"] = headers.IDEMPOTENCY_EXAMPLE
        parameter.setdefault("description", meanings.FIELDS.get(parameter["name"]))
    if name in _IN_ENVIRONMENT:
        parameters.append({"$ref": "#/components/parameters/Environment"})
    parameters.append({"$ref": "#/components/parameters/CorrelationId"})


def _refusal(status: str, codes: tuple[ErrorCode, ...]) -> dict[str, Any]:
    shown = {code.value: {"value": _body(code)} for code in codes}
    named = ", ".join(f"`{code}`" for code in codes)
    return {
        "description": f"{_REASONS[status]} Codes: {named}.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "examples": shown}},
    }


def _body(code: ErrorCode) -> dict[str, Any]:
    message, recovery = MESSAGES[code]
    required = "runs:write" if code == "missing_scope" else None
    return ErrorBody(code=code, message=message, recovery=recovery, required=required).model_dump(exclude_none=True)


def _without_null(body: dict[str, Any]) -> None:
    """Show an optional body as its type alone: that it may be left out is said beside it, and null is of no use."""
    for content in body["content"].values():
        choices = content.get("schema", {}).get("anyOf", ())
        kinds = [choice for choice in choices if choice != {"type": "null"}]
        if len(kinds) == 1:
            content["schema"] = kinds[0]


def _illustrate(place: dict[str, Any]) -> None:
    for kind, content in place.get("content", {}).items():
        if kind == "application/x-ndjson":
            content.setdefault("example", examples.STREAM_LINES)
        if kind == CBOR_MEDIA_TYPE:
            continue
        shown = examples.example(content.get("schema", {}).get("$ref", "").rpartition("/")[2])
        if shown is not None:
            content["example"] = shown


def _explain(schema: dict[str, Any]) -> None:
    """Say at each field what it means: the types say so in their docstrings, under ``Attributes``."""
    head, *rest = _ATTRIBUTES.split(schema.get("description", ""))
    schema["description"] = _plain(head.strip())
    said = {name: re.sub(r"\s+", " ", text) for part in rest for name, text in _ATTRIBUTE.findall(part)}
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        own = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        meaning = said.get(own, meanings.FIELDS.get(name))
        if meaning is not None:
            field.setdefault("description", _plain(meaning))


def _plain(text: str) -> str:
    """Return reStructuredText as the Markdown that OpenAPI has."""
    return re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text).replace("``", "`")


def _scopes(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str | None]]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route.operation_id or route.name, next(_needed(route.dependant), None)
        elif hasattr(route, "original_router"):
            yield from _scopes(route.original_router.routes)


def _needed(dependant: Dependant) -> Iterator[str]:
    if isinstance(dependant.call, Needs):
        yield dependant.call.scope.value
    for inner in dependant.dependencies:
        yield from _needed(inner)
