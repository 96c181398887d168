"""Streams that the app follows, against a real HTTP server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.support import Answer, FakeWorker, cbor, refusal
from workflow_studio.compute.wire import CBOR_SEQUENCE_MEDIA_TYPE, encode, sequence_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App, Request

pytestmark = pytest.mark.node

WORLD = "const world = require('workflow-studio/world-remote').createWorld();"
READ_ALL = """
const received = [];
for await (const chunk of await world.readFromStream('s', START)) received.push(Buffer.from(chunk).toString());
return received;
"""


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


def environment(worker: FakeWorker) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": worker.url,
        "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
    }


def page(next_index: int, *chunks: bytes, done: bool = False) -> dict[str, Any]:
    return {"chunks": list(chunks), "nextIndex": next_index, "done": done}


def pages(*parts: dict[str, Any], lost: int = 0) -> Answer:
    """Return an answer that lasts, cut by so many bytes before its end."""
    body = b"".join(sequence_item(encode(part)) for part in parts)
    return Answer(200, body, CBOR_SEQUENCE_MEDIA_TYPE, lost=lost)


def read_all(app: App, worker: FakeWorker, start: int = 0, then: str = "") -> Any:
    code = (WORLD + READ_ALL).replace("START", json.dumps(start)).replace("return", f"{then} return")
    return app.value(code, **environment(worker))


def asked(worker: FakeWorker) -> list[tuple[int, bool]]:
    """Return from where on the stream was read, and whether it was followed."""
    return [(request.params["startIndex"], request.params.get("follow", False)) for request in worker.requests]


def test_a_stream_is_read_with_one_request_and_its_end_is_known(app: App, worker: FakeWorker) -> None:
    worker.answers(pages(page(2, b"a", b"b"), page(2), page(3, b"c"), page(3, done=True)))
    then = "received.push(await world.getStreamInfo('s', 'r'));"
    assert read_all(app, worker, then=then) == ["a", "b", "c", {"tailIndex": 2, "done": True}]
    assert asked(worker) == [(0, True)]


@pytest.mark.parametrize(("lost", "goes_on_at"), [(0, 4), (1, 3), (30, 3)])
def test_an_answer_that_ends_before_the_stream_is_gone_on_with(
    app: App, worker: FakeWorker, lost: int, goes_on_at: int
) -> None:
    first = pages(page(2, b"0", b"1"), page(3, b"2"), page(4, b"3"), lost=lost)

    def answer(request: Request) -> Answer:
        start = request.params["startIndex"]
        rest = [b"%d" % index for index in range(start, 6)]
        return pages(page(6, *rest), page(6, done=True)) if start else first

    worker.answer = answer
    assert read_all(app, worker) == list("012345")
    assert asked(worker) == [(0, True), (goes_on_at, True)]


def test_a_worker_that_only_knows_polls_is_polled(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor(page(1, b"a")), cbor(page(1, b"a")), cbor(page(2, b"b")), cbor(page(2, done=True)))
    assert read_all(app, worker) == ["a", "b"]
    assert asked(worker) == [(0, True), (0, False), (1, False), (2, False)]


def test_a_refusal_is_told_in_the_workers_words(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(403, "missing_scope"))
    error = app.error((WORLD + READ_ALL).replace("START", "0"), **environment(worker))
    assert "refused with missing_scope" in error["message"]
    assert asked(worker) == [(0, True), (0, False)]


def test_a_negative_start_is_settled_before_the_stream_is_followed(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor(page(8, b"h")), pages(page(9, b"i"), page(9, done=True)))
    assert read_all(app, worker, start=-1) == ["h", "i"]
    assert asked(worker) == [(-1, False), (8, True)]
