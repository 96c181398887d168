"""Options that many commands have: which worker, with which key; and questions to a person."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator  # noqa: TC003 - Typer resolves the annotations of completions
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from workflow_studio.scaffolder.cli import DirectoryOption, JsonFlag
from workflow_studio.scaffolder.connection import connect
from workflow_studio.scaffolder.errors import StudioError, UsageError
from workflow_studio.scaffolder.injection import Shared, inject
from workflow_studio.scaffolder.output import get_output

T = TypeVar("T")

UrlOption = Annotated[
    str | None, typer.Option("--url", help="The worker's URL; WORKFLOW_COMPUTE_BASE_URL, else http://localhost:8787.")
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="A worker of your config.toml, by its name there; WORKFLOW_STUDIO_PROFILE."),
]
KeyStdinOption = Annotated[
    bool,
    typer.Option("--api-key-stdin", help="Read the worker's key from standard input; else WORKFLOW_COMPUTE_API_KEY."),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="NAME",
        help="The environment of the worker; WORKFLOW_COMPUTE_ENVIRONMENT, else production.",
        show_default=False,
    ),
]
KeyOption = Annotated[str | None, typer.Option("--api-key", hidden=True)]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_DEPRECATED_KEY: Final = (
    "--api-key shows the key to every user of this machine and leaves it in the shell's history. "
    "Use WORKFLOW_COMPUTE_API_KEY or --api-key-stdin."
)
_CONNECTION: Final = (
    Shared("directory", DirectoryOption, Path()),
    Shared("url", UrlOption),
    Shared("profile", ProfileOption),
    Shared("api_key_stdin", KeyStdinOption, default=False),
    Shared("api_key", KeyOption),
    Shared("json", JsonFlag, default=False),
)
_ENVIRONMENT: Final = Shared("environment", EnvironmentOption)


def with_connection(
    *, first: Callable[[Path], None] | None = None, in_environment: bool = False
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command the options that name a worker, in place of its parameter ``connection``.

    The command is called with a :class:`Connection`; it may have a parameter ``directory`` too. The option ``--json``
    is added as well: :func:`workflow_studio.scaffolder.cli.main` has read it.

    Args:
        first: What to check of the app's folder before a key is looked for.
        in_environment: Whether the command is about an environment of the worker, which an option can name.
    """

    def make(
        *,
        directory: Path,
        url: str | None,
        profile: str | None,
        api_key_stdin: bool,
        api_key: str | None,
        json: bool,  # noqa: ARG001 - read before the command runs
        environment: str | None = None,
    ) -> dict[str, Any]:
        if first is not None:
            first(directory)
        key = handed_key(api_key, from_stdin=api_key_stdin)
        connection = connect(
            directory, url=url, profile=profile, api_key=key, worker_environment=environment, ask=key_prompt()
        )
        return {"directory": directory, "connection": connection}

    shared = (_ENVIRONMENT, *_CONNECTION) if in_environment else _CONNECTION
    return lambda command: inject(command, ("directory", "connection"), shared, make)


def handed_key(option: str | None, *, from_stdin: bool) -> str | None:
    """Return the key that the command line hands over, if it does.

    Raises:
        UsageError: If standard input is to have it and has none.
    """
    if option:
        get_output().warn(_DEPRECATED_KEY)
        return option
    if not from_stdin:
        return None
    if key := sys.stdin.readline().strip():
        return key
    raise UsageError(
        "--api-key-stdin found nothing on standard input.",
        code="api_key_missing",
        hint="Send the key there: my-secrets show worker | studio … --api-key-stdin",
    )


def can_ask() -> bool:
    """Whether a person sits at this terminal."""
    return not get_output().json_mode and sys.stdin.isatty() and sys.stderr.isatty()


def key_prompt() -> Callable[[str], str] | None:
    """Return what asks a person for a key, or None if nobody can be asked."""

    def ask(url: str) -> str:
        answer: str = typer.prompt(f"API key for {url}", hide_input=True, err=True, default="", show_default=False)
        return answer

    return ask if can_ask() else None


def confirm(question: str, *, yes: bool) -> None:
    """Have a person agree.

    Args:
        question: Such as "Delete dep_…?".
        yes: They did already, with ``--yes``.

    Raises:
        UsageError: If nobody can be asked.
        StudioError: If they do not agree.
    """
    if yes:
        return
    if not can_ask():
        raise UsageError(
            f"{question} There is no terminal to ask at.",
            code="confirmation_needed",
            hint="Add --yes if that is what you want.",
        )
    if not typer.confirm(question, err=True):
        raise StudioError("Nothing was done.", code="declined")


# Completion ---------------------------------------------------------------------------------------------------------


def complete_runs(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Offer the newest runs."""
    for run in ask_worker(context, lambda client: client.list_runs(limit=50).data):
        if run.run_id.startswith(incomplete):
            yield run.run_id, f"{run.workflow_name.rsplit('//', 1)[-1]} {run.status}"


def complete_deployments(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Offer the newest deployments."""
    for deployment in ask_worker(context, lambda client: client.list_deployments(limit=50).data):
        if deployment.deployment_id.startswith(incomplete):
            yield deployment.deployment_id, deployment.status


def complete_environments(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Offer the environments in which a deployment is active."""
    for environment in ask_worker(context, lambda client: client.list_environments(limit=50).data):
        if environment.name.startswith(incomplete):
            yield environment.name, environment.deployment_id


def ask_worker(context: typer.Context, question: Callable[[Any], Any]) -> Any:
    """Ask the worker that the line typed so far names; a worker that does not answer offers nothing."""
    given = context.params
    try:
        connection = connect(given.get("directory") or Path(), url=given.get("url"), profile=given.get("profile"))
        with connection.client(timeout=2, retries=0) as client:
            return question(client)
    except StudioError:
        return ()


def an_id(given: Any) -> Any:
    """Refuse what can be no id, and would lead to another address of the worker or to none.

    Args:
        given: A text, or several.

    Raises:
        typer.BadParameter: If one of them is empty, or has a slash or a space.
    """
    for text in [given] if isinstance(given, str) else given or ():
        if text in {"", ".", ".."} or re.search(r"[/\s]", text):
            raise typer.BadParameter(f"{text!r} is no id.")
    return given


RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The run's id.", autocompletion=complete_runs, show_default=False, callback=an_id
    ),
]
RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...", help="Ids of runs.", autocompletion=complete_runs, show_default=False, callback=an_id
    ),
]
DeploymentArgument = Annotated[
    str,
    typer.Argument(
        metavar="DEPLOYMENT",
        help="The deployment's id.",
        autocompletion=complete_deployments,
        show_default=False,
        callback=an_id,
    ),
]
