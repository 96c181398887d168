"""``studio compute validate-ownership``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import os
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.checks import Check, Verdict, exit_code, show_checks
from workflow_studio.scaffolder.connection import Connection
from workflow_studio.scaffolder.deploy.actions import environment_of
from workflow_studio.scaffolder.deploy.ownership import (
    TOKEN_VARIABLE,
    DiagnosticsError,
    check_app,
    check_worker,
    read_diagnostics,
)
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.options import with_connection
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.worker.config_file import DEFAULT_TARGET, target_world


@with_connection(in_environment=True)
def validate_ownership(
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Ask the app too; needs --app-url.")] = False,
    app_url: Annotated[
        str | None, typer.Option("--app-url", help="The app's base URL; WORKFLOW_APP_URL.", envvar="WORKFLOW_APP_URL")
    ] = None,
    diagnostics_token: Annotated[
        str | None, typer.Option("--diagnostics-token", help=f"The app's token; {TOKEN_VARIABLE} is safer.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The app's workflow.config.ts, for its remoteWorldTarget.")
    ] = None,
    connection: Connection,
) -> int:
    """Check that the worker, and not the app, executes workflows.

    Always: the worker is up and has an active deployment. With --strict, also what the app's diagnostics say: they can
    be read, WORKFLOW_TARGET_WORLD is right, ownership is not "fail", and the app's key works.

    Exit codes: 0 all is well, 1 a check failed, 2 there are warnings only.
    """
    output = get_output()
    if strict and not app_url:
        raise UsageError("--strict asks the app, and needs its address.", hint="Add --app-url https://app.example.com")
    if app_url and not app_url.startswith(("http://", "https://")):
        raise UsageError(
            f"{app_url} is not the URL of an app.", code="invalid_url", hint="It looks like http://localhost:3000."
        )
    target = DEFAULT_TARGET if config is None else target_world(config, find_node())
    with connection.client() as client:
        checks = list(check_worker(client, connection.url))
    if app_url:
        token = diagnostics_token or os.environ.get(TOKEN_VARIABLE)
        checks += _ask_app(app_url, token, connection, target=target, strict=strict)
    show_checks(output, checks)
    code = exit_code(checks)
    output.document({"ok": code != 1, "strict": strict, "checks": [check.to_json() for check in checks]})
    return code


def _ask_app(app_url: str, token: str | None, connection: Connection, *, target: str, strict: bool) -> list[Check]:
    try:
        report = read_diagnostics(app_url, token)
    except DiagnosticsError as error:
        # Without --strict an app that cannot be asked is worth a warning only.
        verdict = Verdict.FAIL if strict else Verdict.WARN
        return [Check("app_diagnostics", verdict, str(error), error.hint)]
    reached = Check("app_diagnostics", Verdict.PASS, f"The app at {app_url} answers.")
    environment = environment_of(connection)
    return [reached, *check_app(report, worker_url=connection.url, target=target, environment=environment)]
