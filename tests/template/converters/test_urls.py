"""The whole URL of a request of Node.js: behind proxies, without a host, and with lines that want to be more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.converters.wire import connected

if TYPE_CHECKING:
    from tests.template.converters.servers import Server
    from tests.template.support import App

pytestmark = pytest.mark.node

URL = "./node_modules/workflow-studio/lib/request-url.cjs"
TRUSTED = [
    ("", "http://app:3000/trusted/x"),
    ("X-Forwarded-Proto: https", "https://app:3000/trusted/x"),
    ("X-Forwarded-Proto: https\nX-Forwarded-Host: shop.example", "https://shop.example/trusted/x"),
    ("X-Forwarded-Proto: HTTPS\nX-Forwarded-Host: [2001:db8::1]:8443", "https://[2001:db8::1]:8443/trusted/x"),
    ("X-Forwarded-Host: shop.example\nX-Forwarded-Port: 8080", "http://shop.example:8080/trusted/x"),
    (
        "X-Forwarded-Proto: https\nX-Forwarded-Host: shop.example\nX-Forwarded-Port: 443",
        "https://shop.example/trusted/x",
    ),
    ("X-Forwarded-Host: shop.example:1\nX-Forwarded-Port: 2", "http://shop.example:1/trusted/x"),
    # What comes last was said by the proxy in front of this app.
    (
        "X-Forwarded-Proto: http, https\nX-Forwarded-Host: evil.example, shop.example",
        "https://shop.example/trusted/x",
    ),
    ("X-Forwarded-Host: evil.example\nX-Forwarded-Host: shop.example", "http://shop.example/trusted/x"),
    ('Forwarded: for=1.2.3.4;proto=https;host="shop.example:8443"', "https://shop.example:8443/trusted/x"),
    ("Forwarded: host=evil.example, Host=shop.example ; Proto=https", "https://shop.example/trusted/x"),
    ("Forwarded: host=other.example\nX-Forwarded-Host: shop.example", "http://shop.example/trusted/x"),
    # What is no scheme, host or port counts as not said.
    ("X-Forwarded-Proto: javascript\nX-Forwarded-Host: a/b?c", "http://app:3000/trusted/x"),
    ("X-Forwarded-Host: user@shop.example\nX-Forwarded-Port: 99999", "http://app:3000/trusted/x"),
    ("X-Forwarded-Port: 80/../evil", "http://app:3000/trusted/x"),
    ("X-Forwarded-Host: ,\nForwarded: proto", "http://app:3000/trusted/x"),
]
TARGETS = [
    ("//evil.example/path", "http://app:3000//evil.example/path"),
    ("/\\evil.example/path", "http://app:3000//evil.example/path"),
    ("/a//b?c=//d", "http://app:3000/a//b?c=//d"),
    ("/a#b?c", "http://app:3000/a%23b?c"),
    ("/a?b=c#d", "http://app:3000/a?b=c%23d"),
    ("/a?b?c", "http://app:3000/a?b?c"),
    ("/%2e%2e%2fa?%00", "http://app:3000/%2e%2e%2fa?%00"),
    ("/@evil.example", "http://app:3000/@evil.example"),
    ("/:80@evil.example", "http://app:3000/:80@evil.example"),
    ("http://other.example:99/a?b", "http://other.example:99/a?b"),
    ("https://other.example", "http://other.example/"),
    ("http://other.example@evil.example/a", "http://app:3000/a"),
    ("http://[::1]:80/a", "http://[::1]/a"),
]


@pytest.mark.parametrize(("headers", "url"), TRUSTED)
def test_a_proxy_that_is_trusted_tells_the_address(node_server: Server, headers: str, url: str) -> None:
    with connected(node_server.port) as connection:
        assert connection.ask(f"GET /trusted/x HTTP/1.1\nHost: app:3000\n{headers}").json["url"] == url


@pytest.mark.parametrize("headers", [headers for headers, _ in TRUSTED])
def test_nobody_is_trusted_unless_that_is_said(node_server: Server, headers: str) -> None:
    with connected(node_server.port) as connection:
        assert connection.ask(f"GET /x HTTP/1.1\nHost: app:3000\n{headers}").json["url"] == "http://app:3000/x"


@pytest.mark.parametrize(("target", "url"), TARGETS)
def test_a_target_is_a_path_whatever_it_looks_like(node_server: Server, target: str, url: str) -> None:
    with connected(node_server.port) as connection:
        assert connection.ask(f"GET {target} HTTP/1.1\nHost: app:3000").json["url"] == url


def test_a_request_without_a_host_has_the_address_that_it_came_to(node_server: Server) -> None:
    with connected(node_server.port) as connection:
        assert connection.ask("GET /x HTTP/1.0").json["url"] == f"http://127.0.0.1:{node_server.port}/x"


def test_two_hosts_are_refused(node_server: Server) -> None:
    with connected(node_server.port) as connection:
        answer = connection.ask("GET /x HTTP/1.1\nHost: a\nHost: b")
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


def url(app: App, options: str = "{}", origin: str = "undefined", env: dict[str, str] | None = None, **req: Any) -> str:
    made: str = app.value(
        f"const {{ requestUrl }} = require('{URL}');"
        f"return requestUrl({{headers: {{}}, ...{json.dumps(req)}}}, {options}, {origin})",
        **(env or {}),
    )
    return made


@pytest.mark.parametrize(
    ("peer", "trust", "believed"),
    [
        ("10.1.2.3", "'10.0.0.0/8'", True),
        ("11.1.2.3", "'10.0.0.0/8'", False),
        ("::ffff:10.1.2.3", "['192.168.1.1', '10.0.0.0/8']", True),
        ("2001:db8::5", "'2001:db8::/32'", True),
        ("fe80::1%eth0", "'fe80::/10'", True),
        ("10.1.2.3", "(address) => address === '10.1.2.3'", True),
        ("10.1.2.3", "false", False),
        ("10.1.2.3", "[]", False),
        (None, "'10.0.0.0/8'", False),
        (None, "true", True),
    ],
)
def test_proxies_are_trusted_by_address(app: App, peer: str | None, trust: str, believed: bool) -> None:
    made = url(
        app,
        f"{{trustProxy: {trust}}}",
        socket={"remoteAddress": peer} if peer else {},
        headers={"host": "app", "x-forwarded-host": "shop.example"},
    )
    assert made == ("http://shop.example/" if believed else "http://app/")


def test_the_environment_names_the_proxies(app: App) -> None:
    request = {"socket": {"remoteAddress": "::1"}, "headers": {"host": "app", "x-forwarded-proto": "https"}}
    for value, made in (("::1", "https://app/"), (" 10.0.0.0/8 , ::1,", "https://app/"), ("", "http://app/")):
        assert url(app, env={"WORKFLOW_STUDIO_TRUSTED_PROXIES": value}, **request) == made


@pytest.mark.parametrize("value", ["10.0.0.0/33", "example.com", "10.0.0.0/8/8", "10.0.0.0/", "::/129", "10.0.0.0/-1"])
def test_a_wrong_network_is_named(app: App, value: str) -> None:
    error = app.error(
        f"require('{URL}').requestUrl({{headers: {{}}, socket: {{remoteAddress: '::1'}}}})",
        WORKFLOW_STUDIO_TRUSTED_PROXIES=value,
    )
    assert error["code"] == "invalid_config"
    assert value in error["message"]


@pytest.mark.parametrize(
    ("request_", "made"),
    [
        ({"socket": {"encrypted": True}, "headers": {"host": "app"}}, "https://app/"),
        ({"url": "/rest", "originalUrl": "/mount/rest?q", "headers": {"host": "app"}}, "http://app/mount/rest?q"),
        ({"headers": {":authority": "h2.example", "host": "app"}}, "http://h2.example/"),
        ({"url": "*", "headers": {"host": "app"}}, "http://app/"),
        ({"url": "", "headers": {"host": "app"}}, "http://app/"),
        ({"socket": {"localAddress": "::1", "localPort": 80}}, "http://[::1]/"),
        ({"socket": {"localAddress": "::ffff:127.0.0.1", "localPort": 8080}}, "http://127.0.0.1:8080/"),
        ({"socket": {}}, "http://localhost/"),
        ({"headers": {"host": "1.2.3.4.5"}}, "http://localhost/"),
        ({"headers": {"host": ""}}, "http://localhost/"),
    ],
)
def test_what_a_connection_says_by_itself(app: App, request_: dict[str, Any], made: str) -> None:
    assert url(app, **request_) == made


def test_the_framework_s_own_view_of_its_proxies_counts(app: App) -> None:
    origin = "{protocol: 'https', host: 'shop.example'}"
    assert url(app, origin=origin, headers={"host": "app"}) == "https://shop.example/"
    assert url(app, origin="{protocol: 'x', host: 'a/b'}", headers={"host": "app"}) == "http://app/"


def test_express_says_whom_it_trusts(app: App) -> None:
    for trusted in ("true", "false"):
        made = app.value(
            f"return require('{URL}').requestUrl({{headers: {{host: 'app', 'x-forwarded-proto': 'https'}},"
            f" app: {{get: (name) => name === 'trust proxy fn' ? () => {trusted} : undefined}}}})"
        )
        assert made == ("https://app/" if trusted == "true" else "http://app/")
