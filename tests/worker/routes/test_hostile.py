"""Clients that mean harm: they are refused, at a bounded price, and whoever means well is served all the same."""

import json
import re
import uuid

import httpx
import pytest

from tests.support.worker_process import ADMIN as KEY
from tests.support.worker_process import received, worker_process
from tests.worker.routes.conftest import ADMIN
from workflow_studio.worker.bodies import MAX_JSON_DEPTH, MAX_JSON_VALUES

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}
RUN = b'{"workflowName": "w", "input": %s}'


async def trigger(worker, content, headers=JSON):
    return await worker.post("/v1/runs", content=content, headers={**headers, "idempotency-key": "k"})


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer " + b"x" * 60_000,
        b"Bearer " + b" " * 60_000,
        b"Bearer\t" + ADMIN.encode(),
        b"bearer" + ADMIN.encode(),
        b"Bearer " + ADMIN.encode() + b" extra",
        b"Bearer " + ADMIN.encode() + b"\xff",
        b"Bearer " + ADMIN.upper().encode(),
        b"Bearer 0",
        b"Bearer ' OR 1=1 --",
        b"\xff\xfe\x00",
        b"Negotiate " + b"A" * 10_000,
    ],
    ids=range(11),
)
async def test_an_odd_authorization_header_opens_nothing(worker, authorization):
    response = await worker.get("/v1/runs", key=None, headers={"authorization": authorization})
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert ADMIN not in response.text


async def test_two_authorization_headers_are_none(worker):
    good = ("authorization", f"Bearer {ADMIN}")
    for other in (good, ("authorization", "Bearer wrong")):
        for headers in ([good, other], [other, good]):
            assert (await worker.http.get("/v1/runs", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        "[" * 200_000,
        "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "[" + "[]," * MAX_JSON_VALUES + "[]]",
        "{" + ",".join(f'"{number}":0' for number in range(MAX_JSON_VALUES)) + "}",
        "1" * 5_000,
        "1e400",
        "-1E+999999999",
        "0." + "1" * 5_000,
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        ".5",
        "0x10",
        "nul",
        '"\\',
        '"' + '\\"' * 100_000,
    ],
    ids=range(19),
)
async def test_a_body_made_to_hurt_its_parser_is_refused(worker, value):
    response = await trigger(worker, RUN % value.encode())
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), response.text
    assert len(response.text) < 1000


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00}\x00", RUN % b'"\xff"', RUN % b'"\xed\xa0\x80"', b"\x00", b""])
async def test_a_body_that_is_not_utf_8_is_refused(worker, content):
    response = await trigger(worker, content)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x+json"},
        {"content-type": "APPLICATION/JSON; x"},
    ],
)
async def test_no_content_type_leads_around_the_check(worker, headers):
    response = await trigger(worker, RUN % (b"[" * 100_000), headers)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_large_texts_and_deep_values_within_reason_are_taken(worker):
    await worker.deploy()
    reasonable = [
        '"' + "a,[{" * 500_000 + '"',
        "[" * 90 + "]" * 90,
        "[" + "0," * 100_000 + "0]",
        json.dumps('💩\u2028\\"' * 1000),
        "1.5e300",
        '{"\\ud800": "\\udfff"}',  # half a character each: JavaScript has such texts
    ]
    for value in reasonable:
        body = b'{"workflowName": "workflow//./w//f", "input": [%s]}' % value.encode()
        headers = {**JSON, "idempotency-key": str(uuid.uuid4())}
        response = await worker.post("/v1/runs", content=body, headers=headers)
        assert response.status_code == 201, (value[:50], response.text[:300])
        assert (await worker.get(f"/v1/runs/{response.json()['runId']}")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=" + "9" * 5_000,
        "limit=1e9",
        "limit=-1",
        "limit=%00",
        "limit=1&limit=2000",
        "cursor=" + "x" * 5_000,
        "cursor=%ff%fe",
        "status=" + "%F0%9F%92%A9" * 500,
        "resolveData[]=all",
        "&".join(f"a{number}=b" for number in range(5_000)),
        "&" * 10_000,
        "=" * 10_000,
        "workflowName=%00",
        "sortOrder=" + "asc" * 1000,
    ],
    ids=range(14),
)
async def test_an_absurd_query_is_no_matter(worker, query):
    for path in ("/v1/runs", "/v1/deployments", "/v1/keys", "/v1/audit", "/v1/queue/dead", "/v1/events"):
        response = await worker.get(f"{path}?{query}")
        assert response.status_code in {200, 400}, (path, response.text)
        assert len(response.text) < 5_000


# Over real connections


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    settings = {"MAX_BODY_BYTES": str(8 * MIB), "BODY_TIMEOUT": "2", "RATE_LIMIT_PER_MINUTE": "100000"}
    with worker_process(tmp_path_factory.mktemp("worker"), FAILED_LOGINS_PER_MINUTE="100000", **settings) as running:
        yield running


@pytest.fixture
def unharmed(process):
    """See that the worker answers as ever afterwards, has not grown much, and has nothing to say about it."""
    before = process.peak_memory()
    yield process
    assert httpx.get(f"{process.url}/v1/runs", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    assert process.peak_memory() - before < 64 * MIB
    assert "Traceback" not in process.log.read_text()
    assert KEY not in process.log.read_text()


def request(verb="POST", path="/v1/runs", *headers, key=KEY):
    lines = [f"{verb} {path} HTTP/1.1", "host: x", *headers]
    if key:
        lines.append(f"authorization: Bearer {key}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def status_of(answer):
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    return int(found[1]) if found else None


@pytest.mark.node
@pytest.mark.parametrize(
    "name",
    ["a\rx-injected: 1", "a\n\tx-injected: 1", "a%0d%0ax-injected:1", "a\x0bb", "\x00", "a" * 500, "<script>", "\x85"],
)
def test_nothing_is_injected_through_the_correlation_id(unharmed, name):
    head = request("GET", "/v1/runs", f"x-workflow-correlation-id: {name}", "connection: close")
    answer = unharmed.send(head)
    assert status_of(answer) in {200, 400}
    headers = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"injected" not in headers
    if status_of(answer) == 200:
        uuid.UUID(re.search(rb"x-workflow-correlation-id: (\S+)", headers)[1].decode())


@pytest.mark.node
@pytest.mark.parametrize(
    "head",
    [
        request("POST", "/v1/runs", "content-length: 5", "content-length: 6"),
        request("POST", "/v1/runs", "content-length: -1"),
        request("POST", "/v1/runs", "content-length: 99999999999999999999999"),
        request("POST", "/v1/runs", "content-length: 5", "transfer-encoding: chunked"),
        request("POST", "/v1/runs", "transfer-encoding: chunked, identity"),
        request("GET", "/v1/runs\xff"),
        request("G" * 10_000, "/v1/runs"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        request("POST", "/v1/world/batch", "content-length: 5", "content-length: 6"),
        request("POST", "/v1/world/batch", "content-length: -1"),
        request("POST", "/v1/world/batch", "content-length: +5"),
        request("POST", "/v1/world/batch", "content-length: 99999999999999999999999"),
        request("POST", "/v1/world/batch", "content-length: 5", "transfer-encoding: chunked"),
        b"GET /v1/runs HTTP/9.9\r\n\r\n",
        b"GET http://169.254.169.254/latest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ],
    ids=range(15),
)
def test_a_head_that_two_servers_might_read_differently_is_refused(unharmed, head):
    status = status_of(unharmed.send(head, b"12345"))
    assert status in {None, 400, 401, 404, 413}


@pytest.mark.node
@pytest.mark.parametrize(
    "flood",
    [
        b"GET /" + b"x" * 200 * MIB,
        b"GET / HTTP/1.1\r\nx: " + b"x" * 200 * MIB,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (8 * MIB),
        b"GET / HTTP/1.1\r\n" + b"x" * 50 * MIB,
    ],
    ids=["line", "value", "many", "name"],
)
def test_a_head_without_end_is_cut_off(unharmed, flood):
    assert status_of(unharmed.send(flood)) in {None, 400, 431}


@pytest.mark.node
def test_a_long_head_in_one_piece_is_refused_with_its_reason(unharmed):
    answer = unharmed.send(
        request("GET", "/v1/runs", *[f"x-{n}: {'y' * 1000}" for n in range(80)], "connection: close")
    )
    assert status_of(answer) in {None, 431}


@pytest.mark.node
def test_chunks_without_end_are_cut_off_at_the_limit(unharmed):
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    for headers in (["content-type: application/json"], ["content-type: application/octet-stream"], []):
        answer = unharmed.send(request("POST", "/v1/runs", "transfer-encoding: chunked", *headers), *[chunk] * 100)
        assert status_of(answer) in {413, None}


@pytest.mark.node
def test_a_body_that_is_refused_at_once_is_not_read(unharmed):
    for key, status in ((None, 401), (KEY, 413)):
        head = request("POST", "/v1/runs", f"content-length: {1024 * MIB}", key=key)
        with unharmed.connect() as connection:
            connection.sendall(head)
            answer = received(connection)
        assert status_of(answer) == status
        assert b"connection: close" in answer.lower()


@pytest.mark.node
def test_whoever_sends_slowly_is_not_waited_for(unharmed):
    head = request("POST", "/v1/runs", "content-length: 10", "content-type: application/json")
    with unharmed.connect() as connection:
        connection.sendall(head + b"{")
        answer = received(connection)
    assert status_of(answer) == 408
    assert b"request_timeout" in answer
    for beginning in (b"", b"GET /v1/health HT", head[:-2]):
        with unharmed.connect() as connection:
            connection.sendall(beginning)
            assert received(connection) == b""


@pytest.mark.node
def test_a_connection_that_is_kept_may_not_send_its_next_head_slowly(unharmed):
    with unharmed.connect() as connection:
        connection.sendall(request("GET", "/v1/health"))
        answer = connection.recv(65536)
        assert status_of(answer) == 200
        connection.sendall(b"GET /v1/health HT")
        assert b"HTTP/1.1" not in received(connection)


@pytest.mark.node
def test_a_body_of_nothing_but_values_costs_little(unharmed):
    body = b'{"workflowName": "w", "input": [' + b"[]," * (2 * MIB) + b"[]]}"
    head = request(
        "POST", "/v1/runs", f"content-length: {len(body)}", "content-type: application/json", "connection: close"
    )
    assert status_of(unharmed.send(head, body)) == 400


@pytest.mark.node
@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.1", 200), ("10.0.0.1", 403), ("*", 200)])
def test_only_a_trusted_proxy_says_who_came_and_how(tmp_path, trusted, status):
    with worker_process(tmp_path, REQUIRE_HTTPS="true", TRUSTED_PROXIES=trusted) as process:
        headers = {"authorization": f"Bearer {KEY}", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
        assert httpx.post(f"{process.url}/v1/runs/x/cancel", headers=headers).status_code == {200: 404}.get(status, 403)
        response = httpx.get(f"{process.url}/v1/audit", headers=headers)
        assert response.status_code == status
        if status == 200:
            assert response.json()["data"][0]["address"] == "203.0.113.9"
        plain = httpx.get(f"{process.url}/v1/audit", headers={"authorization": f"Bearer {KEY}"})
        assert (plain.status_code, plain.json()["code"]) == (403, "https_required")
