"""The client for asyncio."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import httpx
from pydantic import BaseModel
from tenacity import AsyncRetrying

from workflow_studio.client import _calls as calls
from workflow_studio.client._core import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Options, Prepared, is_passing
from workflow_studio.client._errors import ComputeClientError
from workflow_studio.client._upload import Progress, async_chunks_of
from workflow_studio.client._waiting import BREATH, Polls
from workflow_studio.compute.api import ResumeRequest, TriggerRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from workflow_studio.compute.api import (
        ActiveDeployment,
        ApiKey,
        AuditEntry,
        CreatedApiKey,
        DeadMessage,
        Deployment,
        Event,
        Executor,
        Health,
        Hook,
        OutputLevel,
        OutputLine,
        OutputPage,
        Page,
        RerunResponse,
        ResolveData,
        ResumeResponse,
        Run,
        SortOrder,
        Step,
        TriggerResponse,
        Variables,
        WakeResponse,
    )

T = TypeVar("T", bound=BaseModel)


class AsyncComputeClient:
    """Calls a worker from a coroutine; the asynchronous twin of :class:`ComputeClient`.

    Every method may raise :class:`ComputeClientError` or one of its subclasses. Calls that may be repeated without
    harm are, when the worker is out of reach, fails (5xx) or asks to slow down (429).

    Args:
        base_url: The worker's URL.
        api_key: The key to send, if any.
        timeout: Seconds to connect, and to wait for each part of an answer.
        retries: How often a failed call is repeated.
        transport: Replaces the network, for tests and for talking to an app in the same process.

    Raises:
        ValueError: If ``base_url`` is not an HTTP URL.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._options = Options(base_url, api_key, timeout, retries)
        self._http = httpx.AsyncClient(timeout=timeout, transport=transport, trust_env=self._options.may_use_proxy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, call: calls.Call[T]) -> T:
        prepared = Prepared(call, self._options)
        return await self._attempt(prepared, call.answer, lambda: self._http.build_request(**prepared.arguments()))

    async def _attempt(self, prepared: Prepared, kind: type[T], build: Callable[[], httpx.Request]) -> T:
        async def once() -> T:
            try:
                response = await self._http.send(build())
            except httpx.TransportError as error:
                raise prepared.unreachable(error) from error
            return prepared.answer(response, kind)

        return await AsyncRetrying(**prepared.retrying(asyncio.sleep))(once)

    async def health(self) -> Health:
        """Ask whether the worker is up; needs no key."""
        return await self._send(calls.health())

    async def trigger(
        self,
        workflow_name: str,
        arguments: Sequence[Any] = (),
        *,
        idempotency_key: str | None = None,
        run_id: str | None = None,
        deployment_id: str | None = None,
        spec_version: int | None = None,
    ) -> TriggerResponse:
        """Start a run.

        Args:
            workflow_name: The workflow's id.
            arguments: Its arguments, JSON values.
            idempotency_key: Calls with the same key start one run; made up if absent, so that retries do.
            run_id: The run's id; made up by the worker if absent.
            deployment_id: The deployment to run; the active one if absent.
            spec_version: The World protocol of the run.

        Raises:
            ValueError: If an argument of this method is of the wrong kind.
        """
        given = {
            "workflow_name": workflow_name,
            "input": list(arguments),
            "run_id": run_id,
            "deployment_id": deployment_id,
            "spec_version": spec_version,
        }
        request = TriggerRequest.model_validate({name: value for name, value in given.items() if value is not None})
        return await self._send(calls.trigger(request, idempotency_key or str(uuid.uuid4())))

    async def get_run(self, run_id: str, *, resolve_data: ResolveData = "all") -> Run:
        """Return a run, with its arguments and result unless ``resolve_data`` is ``none``."""
        return await self._send(calls.get_run(run_id, resolve_data))

    async def wait_for_run(self, run_id: str, *, within: float | None = None, resolve_data: ResolveData = "all") -> Run:
        """Return a run once it has ended, or as it is after ``within`` seconds.

        The worker tells at once when the run ends; a worker that restarts meanwhile is asked again.

        Args:
            run_id: The run.
            within: Seconds to wait; for ever if absent. Look at ``finished`` of what comes back.
            resolve_data: ``none`` leaves out its arguments and result.

        Raises:
            ValueError: If ``within`` is negative.
        """
        polls = Polls(within)
        while True:
            try:
                run = await self._send(calls.await_run(run_id, resolve_data, polls.wait_ms()))
            except ComputeClientError as error:
                if not is_passing(error):
                    raise
                polls.failed()
                run = await self.get_run(run_id, resolve_data=resolve_data)
            if run.finished or polls.is_over:
                return run
            await asyncio.sleep(polls.pause())

    async def list_runs(  # noqa: PLR0913 - one argument per filter
        self,
        *,
        workflow_name: str | None = None,
        status: str | Sequence[str] | None = None,
        deployment_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort_order: SortOrder | None = None,
        resolve_data: ResolveData | None = None,
    ) -> Page[Run]:
        """Return some runs, newest first.

        Args:
            workflow_name: Those of this workflow.
            status: Those that stand here, or at one of these.
            deployment_id: Those of this deployment.
            created_after: Those created then or later.
            created_before: Those created earlier.
            limit: How many at most.
            cursor: Where the page begins: the cursor of the one before.
            sort_order: By the time of their creation.
            resolve_data: Whether arguments and results are wanted.

        Raises:
            ValueError: If a moment has no time zone.
        """
        wanted = calls.RunFilter(workflow_name, status, deployment_id, created_after, created_before)
        return await self._send(calls.list_runs(wanted, calls.Listing(limit, cursor, sort_order, resolve_data)))

    async def rerun_run(
        self, run_id: str, *, deployment_id: str | None = None, idempotency_key: str | None = None
    ) -> RerunResponse:
        """Start a run with the input of another one.

        Args:
            run_id: The run whose input is used.
            deployment_id: The deployment; that of the run if absent, and ``latest`` is the active one.
            idempotency_key: Calls with the same key start one run; made up if absent, so that retries do.
        """
        return await self._send(calls.rerun(run_id, deployment_id, idempotency_key or str(uuid.uuid4())))

    async def cancel_run(self, run_id: str) -> Run:
        """Cancel a run: it takes no further step."""
        return await self._send(calls.cancel_run(run_id))

    async def wake_run(self, run_id: str) -> WakeResponse:
        """End a run's sleeps now."""
        return await self._send(calls.wake_run(run_id))

    async def resume_run(
        self, run_id: str, payload: Any = None, *, token: str | None = None, hook_id: str | None = None
    ) -> ResumeResponse:
        """Hand a payload to a hook of a run, named by either its token or its id."""
        request = ResumeRequest(run_id=run_id, token=token, hook_id=hook_id, payload=payload)
        return await self._send(calls.resume_run(request))

    async def list_run_steps(
        self,
        run_id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort_order: SortOrder | None = None,
        resolve_data: ResolveData | None = None,
    ) -> Page[Step]:
        """Return a run's steps."""
        return await self._send(calls.list_run_steps(run_id, calls.Listing(limit, cursor, sort_order, resolve_data)))

    async def list_run_hooks(
        self,
        run_id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort_order: SortOrder | None = None,
        resolve_data: ResolveData | None = None,
    ) -> Page[Hook]:
        """Return a run's live hooks."""
        return await self._send(calls.list_run_hooks(run_id, calls.Listing(limit, cursor, sort_order, resolve_data)))

    async def list_run_timeline(
        self,
        run_id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort_order: SortOrder | None = None,
        resolve_data: ResolveData | None = None,
    ) -> Page[Event]:
        """Return a run's events, oldest first."""
        return await self._send(calls.list_run_timeline(run_id, calls.Listing(limit, cursor, sort_order, resolve_data)))

    async def list_events_by_correlation_id(
        self,
        correlation_id: str,
        *,
        run_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort_order: SortOrder | None = None,
        resolve_data: ResolveData | None = None,
    ) -> Page[Event]:
        """Return the events of one step, hook or wait."""
        part = calls.Listing(limit, cursor, sort_order, resolve_data)
        return await self._send(calls.list_events_by_correlation_id(correlation_id, run_id, part))

    async def list_run_output(
        self,
        run_id: str,
        *,
        step_id: str | None = None,
        level: OutputLevel | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        wait_ms: int = 0,
    ) -> OutputPage:
        """Return what a run has printed, oldest first.

        Args:
            run_id: The run.
            step_id: Only what this step printed.
            level: Only lines of this level and more urgent ones.
            limit: How many at most.
            cursor: The ``cursor`` of another page: only what comes after it, now or later.
            wait_ms: How many milliseconds to wait for a line or the run's end; at most 25,000 of them count.
        """
        part = calls.OutputPart(step_id, level, limit, cursor)
        if wait_ms:
            return await self._send(calls.await_run_output(run_id, part, wait_ms))
        return await self._send(calls.list_run_output(run_id, part))

    async def follow_run_output(
        self,
        run_id: str,
        *,
        step_id: str | None = None,
        level: OutputLevel | None = None,
        cursor: str | None = None,
    ) -> AsyncIterator[OutputLine]:
        """Yield what a run has printed and what it prints, as it does so, until the run has ended.

        A worker that restarts meanwhile is asked again.

        Args:
            run_id: The run.
            step_id: Only what this step prints.
            level: Only lines of this level and more urgent ones.
            cursor: Where to begin: the ``cursor`` of a page of :meth:`list_run_output`, or a line's ``position``.
        """
        polls = Polls(None)
        while True:
            part = calls.OutputPart(step_id, level, cursor=cursor)
            try:
                page = await self._send(calls.await_run_output(run_id, part, polls.wait_ms()))
            except ComputeClientError as error:
                if not is_passing(error):
                    raise
                polls.failed()
                page = await self._send(calls.list_run_output(run_id, part))
            for line in page.data:
                yield line
            cursor = page.cursor or cursor
            if page.finished and not page.has_more:
                return
            if not page.has_more:
                await asyncio.sleep(BREATH if page.data else polls.pause())

    async def get_run_step(self, step_id: str, *, run_id: str | None = None, resolve_data: ResolveData = "all") -> Step:
        """Return a step; step ids are unique within a run, so name the run where there may be doubt."""
        return await self._send(calls.get_run_step(step_id, run_id, resolve_data))

    async def get_run_hook(self, hook_id: str, *, resolve_data: ResolveData = "all") -> Hook:
        """Return a hook."""
        return await self._send(calls.get_run_hook(hook_id, resolve_data))

    async def create_deployment(self, artifact: Path | str, *, on_progress: Progress | None = None) -> Deployment:
        """Upload an artifact; the deployment it makes is not used before it is activated.

        Args:
            artifact: The archive that ``studio build`` wrote.
            on_progress: Called with the bytes sent so far and the size of the archive; starts over with a retry.

        Raises:
            OSError: If the file cannot be read.
        """
        path = Path(artifact)
        size = (await anyio.Path(path).stat()).st_size
        call = calls.create_deployment()
        prepared = Prepared(call, self._options)

        def build() -> httpx.Request:
            content = async_chunks_of(path, size, on_progress)
            return self._http.build_request(**prepared.upload_arguments(size), content=content)

        return await self._attempt(prepared, call.answer, build)

    async def list_deployments(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Deployment]:
        """Return the deployments, newest first."""
        return await self._send(calls.list_deployments(limit, cursor))

    async def get_deployment(self, deployment_id: str) -> Deployment:
        """Return a deployment."""
        return await self._send(calls.get_deployment(deployment_id))

    async def get_active_deployment(self) -> ActiveDeployment:
        """Return the deployment that new runs use; refused with ``no_active_deployment`` if there is none."""
        return await self._send(calls.get_active_deployment())

    async def activate_deployment(self, deployment_id: str) -> Deployment:
        """Have new runs use a deployment. Runs that exist stay on theirs."""
        return await self._send(calls.activate_deployment(deployment_id))

    async def rollback_deployment(self, deployment_id: str | None = None) -> Deployment:
        """Have new runs use an earlier deployment again; the one active before the one that is, if none is named."""
        return await self._send(calls.rollback_deployment(deployment_id))

    async def delete_deployment(self, deployment_id: str) -> None:
        """Delete a deployment with its artifact and its variables; refused while it is active or runs of it go on."""
        await self._send(calls.delete_deployment(deployment_id))

    async def list_variables(self, deployment_id: str) -> Variables:
        """Return the names of a deployment's variables; values cannot be read back."""
        return await self._send(calls.list_variables(deployment_id))

    async def set_variables(self, deployment_id: str, values: Mapping[str, str | None]) -> Variables:
        """Set variables of a deployment; None unsets one, and those that are not named stay."""
        return await self._send(calls.set_variables(deployment_id, values))

    async def create_key(
        self,
        scopes: Sequence[str],
        *,
        name: str | None = None,
        project_id: str | None = None,
        environment: str | None = None,
        expires_in_days: int | None = None,
    ) -> CreatedApiKey:
        """Make a key. The answer is the only one that ever has its secret.

        Raises:
            ValueError: If a scope is unknown, or another argument is of the wrong kind.
        """
        given = {"scopes": tuple(scopes), "name": name, "project_id": project_id, "environment": environment}
        call = calls.create_key(given | {"expires_in_days": expires_in_days}, str(uuid.uuid4()))
        return await self._send(call)

    async def list_keys(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[ApiKey]:
        """Return the keys, newest first, without their secrets."""
        return await self._send(calls.list_keys(state, limit, cursor))

    async def get_key(self, key_id: str) -> ApiKey:
        """Return a key, without its secret."""
        return await self._send(calls.get_key(key_id))

    async def get_current_key(self) -> ApiKey:
        """Return the key that this client sends, as the worker knows it."""
        return await self._send(calls.get_key(None))

    async def rotate_key(
        self, key_id: str, *, overlap_seconds: int | None = None, expires_in_days: int | None = None
    ) -> CreatedApiKey:
        """Make a key that takes the place of another, which goes on for a while.

        Args:
            key_id: The key to replace.
            overlap_seconds: How much longer that one goes on; a day if absent.
            expires_in_days: How long the new key lives; as long as the old one was made for if absent.

        Raises:
            ValueError: If an argument is of the wrong kind.
        """
        given = {"overlap_seconds": overlap_seconds, "expires_in_days": expires_in_days}
        return await self._send(calls.rotate_key(key_id, given, str(uuid.uuid4())))

    async def revoke_key(self, key_id: str, *, force: bool = False) -> ApiKey:
        """End a key at once and for ever; the last working admin key only with ``force``."""
        return await self._send(calls.revoke_key(key_id, force))

    async def list_audit(
        self,
        *,
        actor: str | None = None,
        target: str | None = None,
        action: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Return entries of the audit log, newest first.

        Raises:
            ValueError: If a moment has no time zone.
        """
        filters = {"actor": actor, "target": target, "action": action, "after": after, "before": before}
        return await self._send(calls.list_audit(filters, calls.Listing(limit, cursor)))

    async def list_executors(self) -> Page[Executor]:
        """Return the worker's Node.js processes."""
        return await self._send(calls.list_executors())

    async def list_dead_messages(self, *, limit: int | None = None, cursor: str | None = None) -> Page[DeadMessage]:
        """Return the messages that failed too often and are not delivered any more, newest first."""
        return await self._send(calls.list_dead_messages(limit, cursor))

    async def retry_dead_message(self, message_id: str) -> DeadMessage:
        """Have a dead message delivered again, with all its chances anew."""
        return await self._send(calls.retry_dead_message(message_id))
