"""The worker that the commands in a folder talk to."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx

from workflow_studio.client import ComputeClient, ComputeClientError, ScopeError, UnauthorizedError
from workflow_studio.scaffolder.checks import Check, Verdict
from workflow_studio.scaffolder.connection import LOOPBACK, find_key, find_target
from workflow_studio.scaffolder.deploy.ownership import how_to_deploy, new_runs_use
from workflow_studio.scaffolder.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from workflow_studio.scaffolder.connection import Target

_TIMEOUT: Final = 5.0
_SKEW: Final = timedelta(seconds=30)
_WARNING_DAYS: Final = timedelta(days=14)


def check_worker(
    directory: Path,
    *,
    url: str | None,
    profile: str | None,
    api_key: str | None,
    environment: Mapping[str, str],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Check]:
    """Check the worker: its address, version and clock, the key, and the deployment that new runs use.

    Args:
        directory: The app's folder.
        url: What ``--url`` gave.
        profile: What ``--profile`` gave.
        api_key: The key that was handed to the command.
        environment: The process's own.
        now: The time on this machine.
    """
    try:
        target = find_target(directory, url=url, profile=profile, environment=environment)
        found = (api_key, "the command") if api_key else find_key(directory, target, environment)
    except StudioError as error:
        yield Check("worker", Verdict.FAIL, error.message, error.hint)
        return
    yield _address(target)
    health = _ask_health(target)
    if isinstance(health, Check):
        yield health
        return
    yield _version(health.json())
    yield _clock(health, now())
    if found is None:
        hint = f"Give it with {target.key_variable} or --api-key-stdin."
        yield Check("key", Verdict.FAIL, f"There is no API key for the worker at {target.url}.", hint)
        return
    with ComputeClient(target.url, found[0], timeout=_TIMEOUT, retries=0, environment=target.environment) as client:
        yield from _key(client, target, found[1], now())


def _address(target: Target) -> Check:
    parts = urlsplit(target.url)
    message = f"{target.url} (from {target.source})."
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return Check("address", Verdict.WARN, f"{message} Keys go there over plain HTTP.", "Use its https:// address.")
    return Check("address", Verdict.PASS, message)


def _ask_health(target: Target) -> httpx.Response | Check:
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=urlsplit(target.url).hostname not in LOOPBACK) as http:
            answer = http.get(f"{target.url}/v1/health")
        healthy = answer.is_success and answer.json().get("healthy") is True
    except httpx.TransportError as error:
        reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        hint = "Start one: studio worker start. Or name another with --url or --profile."
        return Check("reachable", Verdict.FAIL, f"No worker answers at {target.url}: {reason}.", hint)
    except (ValueError, AttributeError):
        healthy = False
    if healthy:
        return answer
    message = f"What answers at {target.url} ({answer.status_code}) is no worker."
    return Check("reachable", Verdict.FAIL, message, "Check the address, and that no proxy answers in its place.")


def _version(health: dict[str, Any]) -> Check:
    own, theirs = version("workflow-studio"), str(health.get("version") or "unknown")
    if own == theirs:
        return Check("worker_version", Verdict.PASS, f"The worker is up, version {theirs}, like this command.")
    message = f"The worker is version {theirs}, this command {own}."
    return Check("worker_version", Verdict.WARN, message, "Bring the older one up to date.")


def _clock(health: httpx.Response, now: datetime) -> Check:
    try:
        theirs = parsedate_to_datetime(health.headers["date"])
    except (KeyError, ValueError):
        return Check("clock", Verdict.WARN, "The worker does not say what time it is.", "A proxy may take it out.")
    skew = theirs - now
    if abs(skew) <= _SKEW:
        return Check("clock", Verdict.PASS, "The clocks agree.")
    ahead = "ahead of" if skew > timedelta() else "behind"
    message = f"The worker's clock is {abs(skew) / timedelta(seconds=1):.0f} s {ahead} this machine's."
    return Check("clock", Verdict.WARN, message, "Have both set by NTP: sleeps and expiry go by the worker's clock.")


def _key(client: ComputeClient, target: Target, source: str, now: datetime) -> Iterator[Check]:
    try:
        key = client.get_current_key()
    except UnauthorizedError as error:
        yield Check(
            "key",
            Verdict.FAIL,
            f"The worker does not take the key from {source}: {error.message}",
            f"Set {target.key_variable} to a key of this worker.",
        )
        return
    except (ComputeClientError, UnicodeEncodeError) as error:
        yield Check("key", Verdict.FAIL, f"The key from {source} could not be checked: {error}")
        return
    shown = f"{key.key_id}, from {source}: {', '.join(key.scopes)}."
    if key.expires_at is not None and key.expires_at - now < _WARNING_DAYS:
        message = f"{shown} It expires {key.expires_at:%Y-%m-%d %H:%M} UTC."
        yield Check("key", Verdict.WARN, message, f"Make a new one: studio keys rotate {key.key_id}")
    else:
        yield Check("key", Verdict.PASS, shown)
    yield _deployment(client)


def _deployment(client: ComputeClient) -> Check:
    name = "active_deployment"
    try:
        return Check(name, Verdict.PASS, new_runs_use(client.get_active_deployment()))
    except ScopeError as error:
        return Check(name, Verdict.WARN, "The key may not ask for it.", f"Use one with the scope {error.required}.")
    except ComputeClientError as error:
        hint = how_to_deploy(client) if error.code == "no_active_deployment" else error.recovery
        return Check(name, Verdict.FAIL, error.message, hint)
