"""The client's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

import anyio
import httpx
from tenacity import AsyncRetrying

from workflow_studio.client._core import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Options, Prepared
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, EnvironmentName

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from workflow_studio.client._calls.base import Call, Entries

T = TypeVar("T")


class AsyncBase:
    """Sends calls."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        environment: str | None = None,
    ) -> None:
        self._options = Options(base_url, api_key, timeout, retries, environment)
        self._http = httpx.AsyncClient(timeout=timeout, transport=transport, trust_env=self._options.may_use_proxy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.base_url!r})"

    @property
    def environment(self) -> EnvironmentName:
        """The environment that calls are about."""
        return EnvironmentName(self._options.environment or DEFAULT_ENVIRONMENT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, call: Call[T]) -> T:
        prepared = Prepared(call, self._options)
        return await self._attempt(prepared, lambda: self._http.build_request(**prepared.arguments()))

    async def _attempt(self, prepared: Prepared[T], build: Callable[[], httpx.Request]) -> T:
        async def once() -> T:
            try:
                response = await self._http.send(build())
            except httpx.TransportError as error:
                raise prepared.unreachable(error) from error
            return prepared.answer(response)

        return await AsyncRetrying(**prepared.retrying(anyio.sleep))(once)

    async def _lines(self, prepared: Prepared[None]) -> AsyncGenerator[str]:
        """Return the lines of an answer as they come.

        Raises:
            ComputeClientError: If there is none, or it is cut off.
        """
        try:
            response = await self._http.send(self._http.build_request(**prepared.arguments()), stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                prepared.answer(response)
                async for line in response.aiter_lines():
                    yield line
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise prepared.unreachable(error) from error

    async def _entries(self, ask: Callable[[str | None], Call[Entries[T]]], cursor: str | None) -> AsyncIterator[T]:
        while True:
            page = await self._send(ask(cursor))
            for entry in page.data:
                yield entry
            if not page.has_more or page.cursor is None:
                return
            cursor = page.cursor
