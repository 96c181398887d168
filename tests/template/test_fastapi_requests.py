"""FastAPI apps: requests as data, and their addresses."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from tests.template.fastapi_app import scope, settings, studio_app


class TestTheConverter:
    async def test_makes_data_of_a_request(self) -> None:
        headers = [(b"host", b"shop.example:81"), (b"x-a", b"1"), (b"x-a", b"2"), (b"transfer-encoding", b"chunked")]
        made = await studio_app.to_web_request(scope(headers=headers, pieces=[b"\x00", b"", b"\xff" * 70_000]))
        assert (made.method, made.url) == ("POST", "http://shop.example:81/a%20b?q=%2F")
        assert made.headers == (("host", "shop.example:81"), ("x-a", "1"), ("x-a", "2"), ("content-length", "70001"))
        assert made.body == b"\x00" + b"\xff" * 70_000

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_takes_no_body_with_a_method_that_has_none(self, method: str) -> None:
        made = await studio_app.to_web_request(scope(method, headers=[(b"content-length", b"3")], pieces=[b"abc"]))
        assert (made.body, made.headers) == (b"", ())

    async def test_stops_reading_at_the_limit(self) -> None:
        chunked = [(b"transfer-encoding", b"chunked")]
        with pytest.raises(Exception, match="413") as caught:
            await studio_app.to_web_request(scope(headers=chunked, pieces=[b"x" * 60] * 3), largest_body=100)
        assert caught.value.status_code == 413  # type: ignore[attr-defined]

    async def test_is_told_when_the_caller_leaves(self) -> None:
        left = scope(headers=[(b"transfer-encoding", b"chunked")])
        left._receive = leave
        with pytest.raises(ClientDisconnect):
            await studio_app.to_web_request(left)

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ([], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"evil/../x")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"user@evil")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"[::2]:9")], "http://[::2]:9/a%20b?q=%2F"),
            ([(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"a, b")], "https://b/a%20b?q=%2F"),
            ([(b"x-forwarded-proto", b"javascript"), (b"x-forwarded-host", b"a b")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"x-forwarded-host", b"a"), (b"x-forwarded-host", b"b")], "http://b/a%20b?q=%2F"),
        ],
    )
    async def test_tells_the_address_as_the_caller_wrote_it(self, headers: Any, expected: str) -> None:
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        assert studio_app.public_url(scope(headers=headers), trusted) == expected

    @pytest.mark.parametrize("client", [("11.1.2.3", 5), ("testclient", 1), None])
    async def test_believes_no_stranger(self, client: Any) -> None:
        headers = [(b"host", b"a"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil")]
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        assert studio_app.public_url(scope(headers=headers, client=client), trusted) == "http://a/a%20b?q=%2F"

    async def test_knows_an_address_of_ipv4_in_the_clothes_of_ipv6(self) -> None:
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        found = scope(headers=[(b"host", b"a"), (b"x-forwarded-proto", b"https")], client=("::ffff:10.9.9.9", 5))
        assert studio_app.public_url(found, trusted).startswith("https://a/")


async def leave() -> Any:
    return {"type": "http.disconnect"}
