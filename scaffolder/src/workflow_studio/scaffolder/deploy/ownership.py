"""Who executes an app's workflows: the checks of ``studio compute validate-ownership``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import httpx

from workflow_studio.client import ComputeClient, ComputeClientError, ScopeError, UnauthorizedError
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.scaffolder.checks import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflow_studio.client import ActiveDeployment

DIAGNOSTICS_PATH: Final = "/api/workflow-studio/diagnostics/remote-ownership"
TOKEN_VARIABLE: Final = "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN"  # noqa: S105 - the name of a variable, not a token
_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")
_TIMEOUT: Final = 20.0
_LONGEST_ANSWER: Final = 1_000_000


def check_worker(client: ComputeClient, url: str) -> Iterator[Check]:
    """Check that the worker is up and has code for new runs."""
    try:
        health = client.health()
    except ComputeClientError as error:
        yield Check("worker_health", Verdict.FAIL, error.message, f"Start the worker, or correct the URL {url}.")
        yield Check("active_deployment", Verdict.FAIL, "The worker cannot be asked.")
        return
    yield Check("worker_health", Verdict.PASS, f"The worker at {url} is up (version {health.version}).")
    yield _active_deployment(client)


def _active_deployment(client: ComputeClient) -> Check:
    name = "active_deployment"
    try:
        return Check(name, Verdict.PASS, new_runs_use(client.get_active_deployment()))
    except ScopeError as error:
        hint = f"Use a key with the scope {error.required}."
    except UnauthorizedError:
        hint = "Give a key of this worker: WORKFLOW_COMPUTE_API_KEY or --api-key-stdin."
    except ComputeClientError as error:
        hint = how_to_deploy(client) if error.code == "no_active_deployment" else error.recovery or ""
        return Check(name, Verdict.FAIL, error.message, hint or None)
    return Check(name, Verdict.FAIL, "The key may not ask the worker for its active deployment.", hint)


def new_runs_use(active: ActiveDeployment) -> str:
    """Return which deployment new runs use, and in which environment unless it is the default one."""
    where = "" if active.environment == DEFAULT_ENVIRONMENT else f" in {active.environment}"
    return f"New runs{where} use {active.deployment_id}."


def how_to_deploy(client: ComputeClient) -> str:
    """Return what to do where no deployment is active in the client's environment."""
    option = "" if client.environment == DEFAULT_ENVIRONMENT else f" --environment {client.environment}"
    return f"Deploy the app: studio deploy{option}"


class DiagnosticsError(Exception):
    """The app's diagnostics could not be read. The message says why; ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_diagnostics(
    app_url: str, token: str | None, *, transport: httpx.BaseTransport | None = None
) -> dict[str, Any]:
    """Return what the app says of itself.

    Args:
        app_url: The app's base URL.
        token: The diagnostics token, where the app asks for one.
        transport: Replaces the network, for tests.

    Raises:
        DiagnosticsError: If the app does not answer, refuses, or answers something else.
    """
    headers = {"accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    url = app_url.rstrip("/") + DIAGNOSTICS_PATH
    try:
        with httpx.Client(timeout=_TIMEOUT, transport=transport) as http:
            response = http.get(url, headers=headers, params={"verify": "1"})
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
        reason = _ERRNO.sub("", str(error)).rstrip(".") or type(error).__name__
        raise DiagnosticsError(
            f"{url} cannot be reached: {reason}.", "Check --app-url, and that the app runs."
        ) from error
    return _report(response, url, with_token=bool(token))


def _report(response: httpx.Response, url: str, *, with_token: bool) -> dict[str, Any]:
    if response.status_code == 401:
        what = "refuses the token" if with_token else "asks for a token"
        raise DiagnosticsError(f"{url} {what}.", f"Give the app's own with {TOKEN_VARIABLE}.")
    if response.status_code == 403:
        raise DiagnosticsError(f"{url} is closed.", f"Set {TOKEN_VARIABLE} in the app's environment, and here.")
    if response.status_code == 404:
        raise DiagnosticsError(f"{url} does not exist.", "Run `studio scaffold` in the app, and deploy the app.")
    try:
        report = response.json() if len(response.content) <= _LONGEST_ANSWER else None
    except ValueError:
        report = None
    if response.status_code == 500 and isinstance(report, dict) and report.get("code") == "invalid_config":
        raise DiagnosticsError(str(report.get("message")), "Correct the app's workflow.config file.")
    if response.status_code != 200 or not isinstance(report, dict) or "status" not in report:
        raise DiagnosticsError(
            f"{url} answered {response.status_code}, not with diagnostics.", "Check --app-url and the app's route."
        )
    return report


def check_app(
    report: dict[str, Any], *, worker_url: str, target: str, environment: str = DEFAULT_ENVIRONMENT
) -> Iterator[Check]:
    """Check what the app says of itself.

    Args:
        report: The diagnostics.
        worker_url: The worker this command talks to.
        target: What ``WORKFLOW_TARGET_WORLD`` must be in the app.
        environment: The environment of the worker that this command is about.
    """
    found = report.get("targetWorld")
    if found == target:
        yield Check("target_world", Verdict.PASS, f"WORKFLOW_TARGET_WORLD is {target}.")
    else:
        hint = f"Set WORKFLOW_TARGET_WORLD={target} in the app's environment and start it anew."
        yield Check("target_world", Verdict.FAIL, f"WORKFLOW_TARGET_WORLD is {found or 'not set'} in the app.", hint)
    yield _ownership_status(report)
    yield _same_worker(report, worker_url, environment)
    yield _apps_key(report)
    yield _instance(report)


def _ownership_status(report: dict[str, Any]) -> Check:
    problems = " ".join(str(problem) for problem in report.get("problems") or ())
    if report["status"] == "pass":
        return Check("ownership_status", Verdict.PASS, "The app leaves execution to the worker.")
    verdict = Verdict.FAIL if report["status"] == "fail" else Verdict.WARN
    return Check("ownership_status", verdict, problems or f"The app says {report['status']!r}.")


def _same_worker(report: dict[str, Any], worker_url: str, environment: str) -> Check:
    worker = report.get("worker") or {}
    theirs = str(worker.get("baseUrl") or "").rstrip("/")
    named = str(worker.get("environment") or DEFAULT_ENVIRONMENT)
    if theirs == worker_url.rstrip("/") and named == environment:
        return Check("same_worker", Verdict.PASS, f"The app uses {theirs} too.")
    if theirs == worker_url.rstrip("/"):
        return Check(
            "same_worker",
            Verdict.WARN,
            f"The app's runs belong to the environment {named} of {theirs}, this command to {environment}.",
            "Set WORKFLOW_COMPUTE_ENVIRONMENT in the app, or give --environment.",
        )
    return Check(
        "same_worker",
        Verdict.WARN,
        f"The app uses {theirs or 'no worker'}, this command {worker_url}.",
        "Fine if both lead to the same worker; else correct WORKFLOW_COMPUTE_BASE_URL in the app, or --url.",
    )


def _apps_key(report: dict[str, Any]) -> Check:
    """Check that the app's key works, which only the app can tell."""
    name = "app_key"
    access = (report.get("worker") or {}).get("access")
    if not isinstance(access, dict):
        return Check(
            name,
            Verdict.WARN,
            f"Whether the app's key works could not be checked: the app's {_package(report)} package is older.",
            f"Bring it up to date: studio scaffold --force {_package(report)}",
        )
    state = access.get("status")
    message = str(access.get("message") or f"The worker said {state!r} to the app.")
    if state == "ok":
        return Check(name, Verdict.PASS, "The worker takes the app's key.")
    if state == "refused":
        # An app in Python has no World: it starts runs and reads them.
        scopes = "scopes trigger:write and runs:read" if _is_python(report) else "scope world:proxy"
        return Check(name, Verdict.FAIL, message, f"Give the app a key of this worker with the {scopes}.")
    return Check(name, Verdict.WARN, message, "Check that the app can reach the worker.")


def _is_python(report: dict[str, Any]) -> bool:
    return report.get("language") == "python"


def _package(report: dict[str, Any]) -> str:
    return "workflow_studio_app" if _is_python(report) else "workflow-studio"


def _instance(report: dict[str, Any]) -> Check:
    instance = report.get("instance") or {}
    shown = ", ".join(f"{name} {instance[name]}" for name in ("id", "host", "pid", "startedAt") if name in instance)
    return Check("instance", Verdict.PASS, f"Answered by {shown or 'an instance without a name'}; others may differ.")
