"""The example app of the demo: made from the template, then driven like any other app."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from workflow_studio.scaffolder.processes import ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping

WORLD: Final = "workflow-studio/world-remote"
ROUTE: Final = "/api/orders"
"""The template's example route: it starts the example workflow and answers with the run's id."""

ORDER: Final[Mapping[str, Any]] = {"customer": "ada", "items": ["tea", "bread", "marmalade"]}


class DemoError(ProcessError):
    """A stage of the demo failed."""

    code = "demo_failed"


# Variables of the shell that would lead the app or its build elsewhere.
_FOREIGN: Final = ("WORKFLOW_", "STUDIO_", "VERCEL", "NITRO_", "NEXT_", "npm_")


@dataclass(frozen=True, slots=True)
class Framework:
    """How the example app of a framework is started.

    Attributes:
        name: The template's name for it.
        title: Its own name.
        start: Arguments for the app's ``start`` script.
        variables: More variables it needs to listen on ``port`` of this machine only.
        node: Major version of Node.js it needs.
        python: The module that starts an app in Python, and its arguments; such an app has no build.
    """

    name: str
    title: str
    start: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=lambda: {"HOST": "127.0.0.1"})
    node: int = 20
    python: tuple[str, ...] = ()

    def require_packages(self) -> None:
        """Make sure that an app in Python can be started by this Python.

        Raises:
            DemoError: A package that it imports is missing.
        """
        # What FastAPI apps need comes with the worker.
        for name in {"flask", "django"} & {self.name} if self.python else ():
            if importlib.util.find_spec(name) is None:
                raise DemoError(
                    f"The demo of {self.title} needs the package {name}.",
                    code="python_package_missing",
                    hint=f"Install it beside Studio: pip install {name}",
                )


FRAMEWORKS: Final = {
    framework.name: framework
    for framework in (
        Framework("nitro", "Nitro"),
        Framework("nextjs", "Next.js", start=("--", "-H", "127.0.0.1")),
        Framework("sveltekit", "SvelteKit", variables={"HOST": "127.0.0.1", "ORIGIN": "http://127.0.0.1:{port}"}),
        Framework("nuxt", "Nuxt", node=22),
        Framework("astro", "Astro", node=22),
        Framework("vite", "Vite"),
        Framework("express", "Express"),
        Framework("hono", "Hono"),
        Framework("fastify", "Fastify"),
        Framework("nestjs", "NestJS"),
        Framework("tanstack-start", "TanStack Start", node=22),
        Framework("react-router", "React Router", node=22),
        Framework("fastapi", "FastAPI", python=("uvicorn", "app.main:app", "--port", "{port}")),
        Framework("flask", "Flask", python=("flask", "--app", "app.main", "run", "--port", "{port}")),
        Framework("django", "Django", python=("uvicorn", "config.asgi:application", "--port", "{port}")),
    )
}


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would lead the app, its build or the worker elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1", "CI": "1"}


def remote_environment(framework: Framework, *, port: int, worker_url: str, api_key: str) -> dict[str, str]:
    """Return the variables that make the built app serve on a port and run its workflows on a worker."""
    return {
        "PORT": str(port),
        "NODE_ENV": "production",
        "WORKFLOW_TARGET_WORLD": WORLD,
        "WORKFLOW_COMPUTE_BASE_URL": worker_url,
        "WORKFLOW_COMPUTE_API_KEY": api_key,
        **{name: value.format(port=port) for name, value in framework.variables.items()},
    }


def answers(url: str) -> bool:
    """Tell whether something serves HTTP there; a server error counts, a refused connection does not."""
    try:
        httpx.get(url, timeout=5)
    except httpx.TransportError:
        return False
    return True


def place_order(app_url: str) -> str:
    """Call the app's ordinary route and return the id of the run it started.

    Raises:
        DemoError: If the app does not answer as it should.
    """
    try:
        response = httpx.post(f"{app_url}{ROUTE}", json=dict(ORDER), timeout=60)
    except httpx.TransportError as error:
        raise DemoError(f"The app did not answer at {app_url}{ROUTE}: {error}") from error
    try:
        run_id = response.json()["runId"]
    except (ValueError, KeyError, TypeError):
        run_id = None
    if not response.is_success or not isinstance(run_id, str):
        raise DemoError(f"POST {ROUTE} answered {response.status_code}: {response.text[:500]}")
    return run_id
