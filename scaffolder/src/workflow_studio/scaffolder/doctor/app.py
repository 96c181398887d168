"""The app in a folder: whether it is wired to Workflow Studio."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.build.packages import find_package
from workflow_studio.scaffolder.build.sdk import read_sdk
from workflow_studio.scaffolder.checks import Check, Verdict
from workflow_studio.scaffolder.connection import app_variables
from workflow_studio.scaffolder.errors import StudioError
from workflow_studio.scaffolder.scaffold._scaffold import Request, plan_existing
from workflow_studio.scaffolder.worker.config_file import DEFAULT_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workflow_studio.scaffolder.scaffold._scaffold import Scaffold


def check_app(directory: Path) -> Iterator[Check]:
    """Check the app's integration, packages and variables; a folder without an app is said to be none."""
    if not (directory / "package.json").is_file():
        yield Check("app", Verdict.PASS, f"{directory.resolve()} holds no app; only machine and worker are checked.")
        return
    try:
        scaffold = plan_existing(directory.resolve(), Request())
    except StudioError as error:
        yield Check("scaffold", Verdict.FAIL, error.message, error.hint)
        is_python = False
    else:
        yield _scaffold(scaffold)
        is_python = scaffold.framework.language == "Python"
    yield _sdk(directory.resolve())
    if not is_python:  # an app in Python has no World that it could run workflows in itself
        yield _package(directory.resolve())
        yield _target(directory)


def _scaffold(scaffold: Scaffold) -> Check:
    name = "scaffold"
    plan = scaffold.plan
    if plan.manual:
        message = f"{len(plan.manual)} edit(s) are left for you to do by hand."
        return Check(name, Verdict.FAIL, message, "See them: studio scaffold --dry-run")
    if plan.pending:
        message = f"{len(plan.pending)} file(s) are missing or not wired."
        return Check(name, Verdict.WARN, message, "See them: studio scaffold --status. Do it: studio scaffold")
    return Check(name, Verdict.PASS, f"The {scaffold.detected.framework} app is wired.")


def _sdk(directory: Path) -> Check:
    try:
        return Check("sdk", Verdict.PASS, f"workflow {read_sdk(directory).versions.workflow} is installed.")
    except StudioError as error:
        return Check("sdk", Verdict.FAIL, error.message, error.hint or "Install the app's packages: npm install")


def _package(directory: Path) -> Check:
    if find_package("workflow-studio", directory) is not None:
        return Check("integration", Verdict.PASS, "The package workflow-studio is installed in the app.")
    hint = "Run `studio scaffold`, then install the app's packages: npm install"
    return Check("integration", Verdict.FAIL, "The package workflow-studio is not in the app's node_modules.", hint)


def _target(directory: Path) -> Check:
    found = os.environ.get("WORKFLOW_TARGET_WORLD") or app_variables(directory).get("WORKFLOW_TARGET_WORLD")
    if found == DEFAULT_TARGET:
        return Check("target_world", Verdict.PASS, f"WORKFLOW_TARGET_WORLD is {found}.")
    message = f"WORKFLOW_TARGET_WORLD is {found or 'not set'} here, so an app started here runs its workflows itself."
    return Check("target_world", Verdict.WARN, message, f"Start the app with WORKFLOW_TARGET_WORLD={DEFAULT_TARGET}.")
