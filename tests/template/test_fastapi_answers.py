"""FastAPI apps: what they answer, and starting runs."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from pydantic import SecretStr

from tests.template.fastapi_app import Connected, main, scope, settings, studio_app
from tests.template.python_answers import Answers
from tests.template.python_support import DIAGNOSTICS, RUN_ID, STARTED, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal


class Blocking:
    """A client for asyncio as one that blocks."""

    def __init__(self, portal: BlockingPortal, http: httpx.AsyncClient) -> None:
        self._portal = portal
        self._http = http

    def get(self, *given: Any, **options: Any) -> httpx.Response:
        return self._portal.call(partial(self._http.get, *given, **options))

    def post(self, *given: Any, **options: Any) -> httpx.Response:
        return self._portal.call(partial(self._http.post, *given, **options))


class TestAnswers(Answers):
    webhook = "/.well-known/workflow/v1/webhook/{token:path}"
    pause = ""

    @contextmanager
    def connected(self, **given: Any) -> Iterator[Any]:
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(Connected(**given)) as app:
            yield SimpleNamespace(worker=app.worker, http=Blocking(portal, app.http))


class TestTriggers:
    @pytest.mark.parametrize(
        ("given", "sent"), [(None, []), ([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}]), ("x", ["x"]), (0, [0])]
    )
    async def test_give_the_workflow_its_arguments(self, given: Any, sent: Any) -> None:
        async with Connected() as connected:
            connected.worker.answer = lambda _: httpx.Response(201, json=STARTED)
            found = await studio_app.proxy_trigger_from_fastapi(
                scope(app=connected.app), workflow_name="workflow//./a//b", input=given
            )
        assert found.run_id == RUN_ID
        assert json.loads(connected.worker.requests[0].content).get("input", []) == sent

    async def test_of_two_users_with_one_idempotency_key_are_two(self) -> None:
        sent = []
        async with Connected() as connected:
            connected.worker.answer = lambda _: httpx.Response(201, json=STARTED)
            for user in ("ada", "bob", "ada", None):
                await studio_app.proxy_trigger_from_fastapi(
                    scope(app=connected.app, headers=[(b"idempotency-key", b"1")]),
                    workflow_name="workflow//./a//b",
                    idempotency_scope=user,
                )
                sent.append(connected.worker.requests[-1].headers["idempotency-key"])
        assert sent[0] == sent[2] != sent[1]
        assert sent[3] == "1"


async def test_diagnostics_ask_for_the_token_where_the_given_one_is_no_ascii() -> None:
    async with Connected(studio_diagnostics_token=SecretStr(TOKEN)) as connected:
        answer = await connected.http.get(DIAGNOSTICS, headers={"authorization": "Bearer \xe9".encode("latin-1")})
    assert answer.status_code == 401


async def test_an_app_that_was_never_started_says_what_is_missing() -> None:
    app = main.create_app(settings())
    with pytest.raises(RuntimeError, match="lifespan"):
        studio_app.get_studio(scope(app=app))
