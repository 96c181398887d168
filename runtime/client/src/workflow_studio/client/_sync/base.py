# Made from _async/base.py by tests.support.blocking_client; change that.

"""The client's connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, TypeVar

import httpx
from tenacity import Retrying

from workflow_studio.client._core import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Options, Prepared
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, EnvironmentName

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

    from workflow_studio.client._calls.base import Call, Entries

T = TypeVar("T")


class Base:
    """Sends calls."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
        environment: str | None = None,
    ) -> None:
        self._options = Options(base_url, api_key, timeout, retries, environment)
        self._http = httpx.Client(timeout=timeout, transport=transport, trust_env=self._options.may_use_proxy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.base_url!r})"

    @property
    def environment(self) -> EnvironmentName:
        """The environment that calls are about."""
        return EnvironmentName(self._options.environment or DEFAULT_ENVIRONMENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, call: Call[T]) -> T:
        prepared = Prepared(call, self._options)
        return self._attempt(prepared, lambda: self._http.build_request(**prepared.arguments()))

    def _attempt(self, prepared: Prepared[T], build: Callable[[], httpx.Request]) -> T:
        def once() -> T:
            try:
                response = self._http.send(build())
            except httpx.TransportError as error:
                raise prepared.unreachable(error) from error
            return prepared.answer(response)

        return Retrying(**prepared.retrying(time.sleep))(once)

    def _lines(self, prepared: Prepared[None]) -> Generator[str]:
        """Return the lines of an answer as they come.

        Raises:
            ComputeClientError: If there is none, or it is cut off.
        """
        try:
            response = self._http.send(self._http.build_request(**prepared.arguments()), stream=True)
            try:
                if not response.is_success:
                    response.read()
                prepared.answer(response)
                yield from response.iter_lines()
            finally:
                response.close()
        except httpx.TransportError as error:
            raise prepared.unreachable(error) from error

    def _entries(self, ask: Callable[[str | None], Call[Entries[T]]], cursor: str | None) -> Iterator[T]:
        while True:
            page = self._send(ask(cursor))
            yield from page.data
            if not page.has_more or page.cursor is None:
                return
            cursor = page.cursor
