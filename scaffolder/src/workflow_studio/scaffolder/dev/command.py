"""``studio dev``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import asyncio
import getpass
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from workflow_studio.compute.ids import parse_environment_name
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.scaffolder.build.artifact import make_state_dir
from workflow_studio.scaffolder.build.packages import read_package_json
from workflow_studio.scaffolder.build.sdk import read_sdk
from workflow_studio.scaffolder.cli import DirectoryOption, add
from workflow_studio.scaffolder.connection import ENVIRONMENT_VARIABLE, KEY_VARIABLE, URL_VARIABLE, Connection, connect
from workflow_studio.scaffolder.deploy.actions import check_access
from workflow_studio.scaffolder.dev.announcement import DEV_DIR, KEY_NAME, announced
from workflow_studio.scaffolder.dev.app_server import dev_command
from workflow_studio.scaffolder.dev.build_loop import BuildLoop
from workflow_studio.scaffolder.dev.display import Display, SessionFacts, display_for
from workflow_studio.scaffolder.dev.hot_deploy import HotDeployer
from workflow_studio.scaffolder.dev.local_worker import LocalWorker
from workflow_studio.scaffolder.dev.lock import SessionLock
from workflow_studio.scaffolder.dev.session import AppServer, Session
from workflow_studio.scaffolder.dev.variables import env_files, read_variables, write_variables
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.node import NodeRuntime, find_node
from workflow_studio.scaffolder.options import KeyOption, KeyStdinOption, handed_key, key_prompt
from workflow_studio.scaffolder.output import Output, get_output
from workflow_studio.scaffolder.processes import free_port
from workflow_studio.scaffolder.scaffold._answers import read_recorded
from workflow_studio.scaffolder.worker.config_file import app_settings
from workflow_studio.scaffolder.worker.launch import worker_command

APP_VARIABLES: Final = "app.env"
"""File with what an app needs that is started by somebody else."""

_USUAL_PORT: Final = 8787
_MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class App:
    """What the command finds in the folder.

    Attributes:
        directory: The folder.
        framework: The framework's name.
        node: The Node.js that builds and runs it.
    """

    directory: Path
    framework: str
    node: NodeRuntime


def register(app: typer.Typer) -> None:
    """Add ``studio dev``."""
    add(
        app,
        "dev",
        dev,
        examples=(
            "studio dev",
            "studio dev --command 'node --watch server.js'",
            "studio dev --remote https://worker.example.com    a worker that several people share",
        ),
    )


def dev(  # noqa: PLR0913 - one parameter per option of the command line
    *,
    directory: DirectoryOption = Path(),
    command: Annotated[
        str | None, typer.Option("--command", help="What starts the app's server; the script `dev` by default.")
    ] = None,
    no_app: Annotated[bool, typer.Option("--no-app", help="Do not start the app's server.")] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The worker's port; 8787 if that is free.")
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", exists=True, dir_okay=False, help="More variables for the workflows' code."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the runs of earlier sessions.")] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Use the worker there instead of one of this session.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The same, by the worker's name in your config.toml.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Your environment on that worker; dev-<your name> by default.")
    ] = None,
    api_key_stdin: KeyStdinOption = False,
    api_key: KeyOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON objects, one a line.")] = False,  # noqa: ARG001 - read before the command runs
) -> int:
    """Run this app with a worker, and deploy at every change.

    Starts the app's own server for development and a worker on this machine, builds and deploys the workflows at every
    change of them, and shows what happens in runs. Ctrl-C ends all of it. With --json every line is a JSON object.
    """
    output = get_output()
    output.in_lines()
    display = display_for(output)
    shared = bool(remote or profile)
    if shared:
        _refuse({"--port": port, "--env-file": env_file, "--fresh": fresh or None}, "is for the session's own worker")
    else:
        _refuse({"--environment": environment}, "is for a worker that is shared; name it with --remote")
    app = _find_app(directory.resolve())
    server = None if no_app else dev_command(app.directory, app.node, command)
    state = make_state_dir(app.directory) / DEV_DIR
    state.mkdir(exist_ok=True)
    with SessionLock(state / "lock") as lock:
        if shared:
            worker, environment = None, _environment(environment)
            key = handed_key(api_key, from_stdin=api_key_stdin)
            connection = connect(directory, url=remote, profile=profile, api_key=key, ask=key_prompt())
            with connection.client() as client:
                check_access(client, ComputeScope.DEPLOY_WRITE)
        else:
            worker = _local_worker(app, state, port, fresh=fresh, env_file=env_file, display=display)
            worker.held, connection = lock.descriptor, worker.connection
        variables = _variables(app, connection, environment)
        session = Session(
            app_dir=app.directory,
            connection=connection,
            environment=environment,
            display=display,
            builds=lambda: BuildLoop(app.directory, app.node),
            deployer=partial(HotDeployer, is_here=worker is not None),
            worker=worker,
            app=AppServer(server[0], _environment_of_app(app, variables, output)) if server else None,
            held=lock.descriptor,
        )
        if server is None:
            write_variables(state / APP_VARIABLES, variables)
        return _run(session, app, server[1] if server else None, state)


def _run(session: Session, app: App, command: str | None, state: Path) -> int:
    """Run a session, and say what it is, and what stays of it."""
    session.display.session(
        SessionFacts(
            app=app.directory,
            command=command,
            worker=session.connection.url,
            environment=session.environment,
            variables=None if command else state / APP_VARIABLES,
        )
    )
    if session.worker is not None:
        with announced(app.directory, session.connection.url):
            return asyncio.run(session.run())
    _tell_what_stays_here(app, session.display)
    status = asyncio.run(session.run())
    name = session.environment
    session.display.note(f"The environment {name} stays as it is; studio environments delete {name} ends it.")
    return status


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} {why}.")


def _find_app(directory: Path) -> App:
    """Return what is in a folder.

    Raises:
        StudioError: If it is no app, or something is missing in it.
    """
    read_package_json(directory / "package.json")
    recorded, _ = read_recorded(directory)
    if recorded is None:
        raise UsageError(
            f"Workflow Studio is not in the app in {directory} yet.",
            code="not_scaffolded",
            hint="Put it in first: studio scaffold",
        )
    read_sdk(directory)
    return App(directory, str(recorded.answers.get("framework", "")), find_node())


def _variables(app: App, connection: Connection, environment: str | None) -> dict[str, str]:
    """Return the variables that send the app's runs to the session's worker.

    Raises:
        StudioError: If the app's configuration sends them elsewhere all the same.
    """
    # Empty, not absent: an env file of the app may have another.
    named = {URL_VARIABLE: connection.url, KEY_VARIABLE: connection.api_key, ENVIRONMENT_VARIABLE: environment or ""}
    settings = app_settings(app.directory, app.node, os.environ | named)
    if settings.mode != "remote":
        field = "mode"
    elif not settings.is_meant:
        field = "remoteWorkerUrl"
    elif environment is not None and settings.environment is None:
        raise UsageError(
            "The package workflow-studio in this app is too old to know environments.",
            code="app_outdated",
            hint="Bring it forward: studio update",
        )
    elif settings.environment != environment:
        field = "environment"
    else:
        return {"WORKFLOW_TARGET_WORLD": settings.target, **named, settings.key_variable: connection.api_key}
    raise UsageError(
        f"{settings.file} sets execution.{field}, which wins over what this session tells the app.",
        code="config_wins",
        hint=f"Leave execution.{field} out of it, and set it where the app runs in production.",
    )


def _local_worker(
    app: App, state: Path, port: int | None, *, fresh: bool, env_file: Path | None, display: Display
) -> LocalWorker:
    worker_command()  # says at once if there is none
    # The SDK looks for workflows in every folder but some, and this is one of them.
    data_dir = state / ".cache" / "worker"
    data_dir.parent.mkdir(exist_ok=True)
    if fresh:
        shutil.rmtree(data_dir, ignore_errors=True)
    chosen = port or free_port(_USUAL_PORT)
    connection = Connection(f"http://localhost:{chosen}", _key(state / KEY_NAME))
    files = env_files(app.directory, app.framework, env_file.resolve() if env_file else None)
    return LocalWorker(connection, chosen, data_dir, app.directory, app.node, files, display)


def _tell_what_stays_here(app: App, display: Display) -> None:
    """Say which variables of the app's functions a worker that several people share is not given."""
    found = read_variables(env_files(app.directory, app.framework, None))
    names = sorted(name for name in found if name != "NODE_ENV")
    if names:
        shown = ", ".join(names[:_MOST_NAMES]) + (
            f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else ""
        )
        display.note(
            f"What the app's .env files set is not sent to that worker ({shown}). Where steps need it, set it on the "
            "deployment: studio deployments env set"
        )


def _key(path: Path) -> str:
    """Return the key of the sessions in this folder; it stays, so that other commands go on working."""
    if not path.is_file():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii")


def _environment(given: str | None) -> str:
    """Return the name of this developer's environment.

    Raises:
        UsageError: If the name cannot be one.
    """
    if given is None:
        # Not what the shell or a profile names: that may be everybody's.
        given = f"dev-{_user()}"[:63]
    try:
        return parse_environment_name(given)
    except ValueError as error:
        raise UsageError(
            str(error), code="invalid_environment", hint="Name yours, such as --environment dev-ada"
        ) from error


def _user() -> str:
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):
        name = "me"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _environment_of_app(app: App, variables: dict[str, str], output: Output) -> dict[str, str]:
    environment = app.node.environment() | variables
    programs = app.directory / "node_modules/.bin"  # as package managers have it for scripts
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    if not output.json_mode and output.stdout.is_terminal and not output.stdout.no_color:
        environment.setdefault("FORCE_COLOR", "1")  # its output is a pipe, behind which there is a terminal
    return environment
