"""Streams that are read while they are written, over connections that break."""

from __future__ import annotations

import json

import httpx
import pytest

from workflow_studio.client import AsyncComputeClient, ComputeClient, ComputeClientError, TransportError

RUN = {"runId": "wrun_1", "status": "running", "workflowName": "w", "deploymentId": "dep_1"}
ENDED = RUN | {"status": "completed"}


def chunk(index):
    return {"index": index, "value": f"chunk {index}"}


def end(index, *, done=True):
    return {"done": done, "nextIndex": index}


class Lines(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer of lines, perhaps cut by an error, or with text that is not a whole line."""

    def __init__(self, *lines):
        self.lines = lines
        self.closed = False

    def __iter__(self):
        for line in self.lines:
            if isinstance(line, Exception):
                raise line
            yield (line if isinstance(line, str) else json.dumps(line) + "\n").encode()

    async def __aiter__(self):
        for line in self:
            yield line

    def close(self):
        self.closed = True

    async def aclose(self):
        self.closed = True


def answer(*lines):
    return httpx.Response(200, stream=Lines(*lines), headers={"content-type": "application/x-ndjson"})


pytestmark = pytest.mark.usefixtures("naps")


@pytest.fixture(params=["sync", "async"])
def read(request):
    """Read a stream over answers; return the indexes that were read and those that were asked for."""

    async def reading(*answers, take=None, **options):
        rest, sent = list(answers), []

        def worker(asked):
            if asked.url.path == "/v1/runs/wrun_1/streams/a/b":
                assert asked.url.raw_path.startswith(b"/v1/runs/wrun_1/streams/a%2Fb?")
                sent.append(int(asked.url.params["startIndex"]))
            given = rest.pop(0)
            if isinstance(given, Exception):
                raise given
            return httpx.Response(200, json=given) if isinstance(given, dict) else given

        transport = httpx.MockTransport(worker)
        found = []
        if request.param == "sync":
            with ComputeClient("http://w.test", "k", transport=transport) as client:
                for line in client.read_run_stream("wrun_1", "a/b", **options):
                    found.append(line.index)
                    if len(found) == take:
                        break
        else:
            async with AsyncComputeClient("http://w.test", "k", transport=transport) as client:
                lines = client.read_run_stream("wrun_1", "a/b", **options)
                async for line in lines:
                    found.append(line.index)
                    if len(found) == take:
                        break
                await lines.aclose()
        assert not rest
        return found, sent

    return reading


async def test_a_stream_is_read_to_its_end(read, naps):
    assert await read(answer(chunk(0), "\n", chunk(1), "\n", end(2))) == ([0, 1], [0])
    assert naps == []


@pytest.mark.parametrize("cut", [httpx.ReadError("cut"), httpx.ReadTimeout("silent"), '{"index": 2, "val', None])
async def test_the_reading_goes_on_where_it_was_cut(read, cut):
    first = answer(chunk(0), chunk(1), *([] if cut is None else [cut]))
    assert await read(first, answer(chunk(2), end(3))) == ([0, 1, 2], [0, 2])


async def test_an_index_from_the_end_is_one_from_the_beginning_once_it_is_known(read):
    cut = httpx.ReadError("cut")
    answers = (answer(cut), answer(chunk(7), cut), answer(chunk(8), end(9)))
    assert await read(*answers, start_index=-2) == ([7, 8], [-2, -2, 8])


async def test_a_worker_that_restarts_is_asked_again(read):
    bye, away = answer(chunk(0), end(1, done=False)), httpx.ConnectError("refused")
    assert await read(bye, RUN, away, answer(chunk(1), end(2))) == ([0, 1], [0, 1, 1])


async def test_a_stream_that_is_never_closed_ends_with_its_run(read):
    unclosed = answer(chunk(0), end(1, done=False))
    rest = answer(chunk(1), end(2, done=False))
    assert await read(unclosed, ENDED, rest) == ([0, 1], [0, 1])


async def test_without_following_what_is_there_is_all(read):
    assert await read(answer(chunk(0), end(1, done=False)), follow=False) == ([0], [0])


async def test_a_connection_that_fails_again_and_again_is_given_up(read):
    with pytest.raises(TransportError, match="could not be reached"):
        await read(answer(chunk(0)), *[httpx.ConnectError("refused")] * 2)


async def test_quiet_connections_may_be_cut_for_ever(read):
    cuts = [answer("\n", httpx.ReadError("cut")) for _ in range(9)]
    assert await read(*cuts, answer(end(0))) == ([], [0] * 10)


@pytest.mark.parametrize("status", [404, 200])
async def test_a_refusal_is_an_error_at_once(read, status):
    refused = httpx.Response(status, json={"code": "not_found", "message": "No such stream."})
    with pytest.raises(ComputeClientError) as caught:
        await read(refused)
    assert caught.value.status == status


async def test_whoever_has_read_enough_leaves(read):
    lines = Lines(chunk(0), chunk(1), chunk(2))
    given = httpx.Response(200, stream=lines, headers={"content-type": "application/x-ndjson"})
    assert await read(given, take=2) == ([0, 1], [0])
    assert lines.closed


async def test_a_reader_may_be_told_of_pauses():
    def serve(_):
        return answer("\n", chunk(0), "\n", "\n", end(1))

    with ComputeClient("http://worker.example", transport=httpx.MockTransport(serve), retries=0) as client:
        read = [line and line.index for line in client.read_run_stream("wrun_1", "s", with_pauses=True)]
        assert [line.index for line in client.read_run_stream("wrun_1", "s")] == [0]
    assert read == [None, 0, None, None]
    async with AsyncComputeClient("http://worker.example", transport=httpx.MockTransport(serve), retries=0) as client:
        assert [line and line.index async for line in client.read_run_stream("wrun_1", "s", with_pauses=True)] == read
