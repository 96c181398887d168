"""Planning a scaffold: detect, answer, render, compare, edit. Nothing here writes to the project."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.scaffold._answers import Recorded, read_recorded
from workflow_studio.scaffolder.scaffold._detect import Detected, detect, require_supported
from workflow_studio.scaffolder.scaffold._plan import ManualStep, Plan
from workflow_studio.scaffolder.scaffold._project import read_bytes, resolve_inside
from workflow_studio.scaffolder.scaffold._record import record_edits
from workflow_studio.scaffolder.scaffold._template import render, template_ref
from workflow_studio.scaffolder.scaffold._wire import app_of, wire
from workflow_studio.scaffolder.scaffold.edits import add_lines
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, App, Framework

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ENV_EXAMPLE = ".env.example"
_LANGUAGES = {True: "ts", False: "js"}
_CONFIGS = ("workflow.config.ts", "workflow.config.mjs")
_SRC_DIR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Attributes:
        framework: An id, or ``auto``.
        package_manager: ``None`` detects it.
        src_dir: Folder of the sources; ``None`` detects it.
        typescript: Whether the app is in TypeScript; ``None`` detects it.
        server: What serves the app, where the framework leaves the choice; ``None`` detects it.
        force: Paths whose content is replaced by the template's whatever it is.
    """

    framework: str = "auto"
    package_manager: str | None = None
    src_dir: str | None = None
    typescript: bool | None = None
    server: str | None = None
    force: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A planned scaffold.

    Attributes:
        plan: What would be written.
        detected: What the app is.
        answers: What the template was given.
        framework: The framework as the app needs it.
        is_new: Whether the plan makes a whole app.
    """

    plan: Plan
    detected: Detected
    answers: dict[str, Any]
    framework: Framework
    is_new: bool = False


def plan_existing(root: Path, request: Request) -> Scaffold:
    """Plan the integration of an app that is there.

    Args:
        root: The app's folder.
        request: What is asked for.

    Raises:
        StudioError: The app cannot be told, the template fails, or a path leads out of the project.
    """
    for path in request.force:
        resolve_inside(root, path)
    recorded, answers_path = read_recorded(root)
    detected = detect_app(root, request, recorded)
    framework = SUPPORTED[detected.framework]
    plan = Plan(root)
    server = _server(framework, request, recorded, app_of(plan, detected, {}))
    answers = _answers(framework, detected, server, root, mode="existing")
    rendered = render(answers, answers_file=answers_path)
    _leave_guard(plan, rendered, framework, detected)
    base = _base(recorded, answers, rendered)
    comparison = _Comparison(plan, rendered, recorded, base, request.force, package_folder(framework, detected))
    for path, content in rendered.items():
        if path == answers_path:
            comparison.answers_file(path, content, answers)
        else:
            comparison.file(path, content)
    comparison.finish()
    framework = framework.variant(framework, app_of(plan, detected, answers))
    wire(plan, framework, detected, answers)
    edited = [path for path, change in plan.changes.items() if path not in rendered or change.after != rendered[path]]
    record_edits(plan, package_folder(framework, detected), edited)
    return Scaffold(plan, detected, answers, framework)


def plan_new(parent: Path, name: str, request: Request) -> Scaffold:
    """Plan a new app in the folder ``parent / name``.

    Raises:
        UsageError: The name is unusable, the folder holds something, or no framework is named.
        StudioError: The template fails.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a package name.", hint="Use a-z, 0-9, dots, dashes and underscores.")
    if request.framework == "auto":
        raise UsageError(
            "A new app needs a framework.", hint=f"studio scaffold --new {name} --framework {'|'.join(SUPPORTED)}"
        )
    require_supported(request.framework)
    framework = SUPPORTED[request.framework]
    root = resolve_inside(parent, name)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} exists and is not empty.", hint="Choose another name, or scaffold that app instead.")
    manager = request.package_manager or "npm"
    source = "--package-manager" if request.package_manager else "the default"
    src_dir = framework.src_dir if framework.src_dir is not None else request.src_dir or ""
    typescript = request.typescript is not False
    detected = Detected(framework.id, ("--framework",), manager, source, src_dir, typescript=typescript)
    plan = Plan(root)
    app = app_of(plan, detected, {})
    server = _server(framework, request, None, app)
    answers = _answers(framework, detected, server, root, mode="new") | {"project_name": name}
    framework = framework.variant(framework, replace(app, answers=answers))
    for path, content in render(answers).items():
        plan.write(path, content)
    return Scaffold(plan, detected, answers, framework, is_new=True)


def detect_app(root: Path, request: Request, recorded: Recorded | None) -> Detected:
    """Detect the app; what an earlier run recorded counts as given, unless the command line says otherwise."""
    if request.src_dir and not _SRC_DIR.fullmatch(request.src_dir):
        raise UsageError(f"{request.src_dir!r} is not a folder inside the app.", hint="Write a path such as src.")
    known = recorded.answers if recorded is not None else {}
    framework, src_dir = request.framework, request.src_dir
    from_answers = framework == "auto" and str(known.get("framework")) in SUPPORTED
    if from_answers:
        framework = str(known["framework"])
    if src_dir is None and known.get("framework") == framework:
        src_dir = _src_dir_of(known.get("app_dir"))
    detected = detect(root, framework=framework, package_manager=request.package_manager, src_dir=src_dir)
    if recorded is not None and request.src_dir is None and src_dir is not None:
        detected = replace(detected, src_dir_evidence=recorded.path)
    language = known.get("language") if request.typescript is None else None
    typescript = language == "ts" if language in _LANGUAGES.values() else request.typescript
    if typescript is not None:
        evidence = "--ts" if typescript else "--js"
        evidence = recorded.path if recorded is not None and request.typescript is None else evidence
        detected = replace(detected, typescript=typescript, typescript_evidence=evidence)
    return replace(detected, evidence=(recorded.path,)) if from_answers and recorded is not None else detected


def _app_dir(framework: Framework, detected: Detected, root: Path) -> str:
    name = framework.routes(root / detected.src_dir) if framework.routes is not None else framework.app_dir
    return f"{detected.src_dir}/{name}" if detected.src_dir else name


def package_folder(framework: Framework, detected: Detected) -> str:
    """Return the folder of the package that the app needs to run, with a slash at its end."""
    below = f"{detected.src_dir}/" if detected.src_dir and framework.language == "Python" else ""
    return f"{below}{framework.package_folder}/"


def _src_dir_of(app_dir: object) -> str:
    return app_dir.rsplit("/", 1)[0] if isinstance(app_dir, str) and "/" in app_dir else ""


def _server(framework: Framework, request: Request, recorded: Recorded | None, app: App) -> str | None:
    """Return what serves the app, if the framework leaves the choice."""
    if framework.server is None:
        if request.server is not None:
            raise UsageError(f"--server goes with other frameworks than {framework.label}.")
        return None
    known = recorded.answers if recorded is not None else {}
    before = known.get("server") if known.get("framework") == framework.id else None
    return request.server or before or framework.server(app)


def _answers(framework: Framework, detected: Detected, server: str | None, root: Path, *, mode: str) -> dict[str, Any]:
    answers = {"framework": framework.id, "mode": mode, "app_dir": _app_dir(framework, detected, root)}
    if framework.language != "Python":
        answers["language"] = _LANGUAGES[detected.typescript]
    if server is not None:
        answers["server"] = server
    return answers


def _guard_stem(framework: Framework, detected: Detected) -> str:
    return f"{detected.src_dir}/{framework.guard}" if detected.src_dir else framework.guard


def _leave_guard(plan: Plan, rendered: dict[str, bytes], framework: Framework, detected: Detected) -> None:
    """Take the guard out of ``rendered`` when the app has a file in its place, and say what could be added to it."""
    if not framework.guard:
        return
    stem = _guard_stem(framework, detected)
    for suffix in (".ts", ".js"):
        text = plan.text(stem + suffix)
        if text is None or rendered.get(stem + suffix) == text.encode():
            continue
        for made in (".ts", ".js"):
            rendered.pop(stem + made, None)
        if "assertRemoteReroute" not in text:
            plan.notes.append(
                f"{stem}{suffix}: calling assertRemoteReroute() of 'workflow-studio' when the server starts refuses "
                "a production start in which workflows would run in the app. Optional."
            )


def _base(recorded: Recorded | None, answers: dict[str, Any], rendered: dict[str, bytes]) -> dict[str, bytes] | None:
    """Return what the template made last time, or ``None`` when that cannot be known here."""
    if recorded is None or not recorded.is_current:
        return None
    before = {name: recorded.answers[name] for name in answers if name in recorded.answers} | {"mode": "existing"}
    if before == answers:
        return rendered
    return render(before, answers_file=recorded.path) if before.get("framework") in SUPPORTED else None


@dataclass(slots=True)
class _Comparison:
    """Compares what the template makes with what the project has, and plans the difference."""

    plan: Plan
    rendered: dict[str, bytes]
    recorded: Recorded | None
    base: dict[str, bytes] | None
    force: tuple[str, ...]
    package_folder: str
    outdated: bool = False

    def answers_file(self, path: str, content: bytes, answers: Mapping[str, Any]) -> None:
        """Plan the answers file: it is rewritten only when an answer changed."""
        current = read_bytes(self.plan.root, path)
        same = self.recorded is not None and all(
            self.recorded.answers.get(name) == value for name, value in answers.items() if name != "mode"
        )
        stale = self.recorded is not None and not self.recorded.is_current
        keeps = current is not None and (same or stale)
        self.plan.write(path, current if keeps and current is not None else content, "" if keeps else "for updates")

    def file(self, path: str, content: bytes) -> None:
        """Plan one generated file."""
        current = read_bytes(self.plan.root, path)
        if self._is_forced(path):
            self.plan.write(path, content, "--force")
        elif current is None:
            self._missing(path, content)
        elif _same_text(current, content):
            self.plan.write(path, current)
        elif self.base is not None:
            if _same_text(current, self.base.get(path, b"")):
                self.plan.write(path, content)
            else:
                self.plan.keep(path, "you edited it")
        elif self.recorded is not None:
            self.outdated = True
            self.plan.keep(path, f"from template {self.recorded.commit}")
        else:
            self._foreign(path, current, content)

    def _is_forced(self, path: str) -> bool:
        return any(path == forced.rstrip("/") or path.startswith(forced.rstrip("/") + "/") for forced in self.force)

    def _missing(self, path: str, content: bytes) -> None:
        # What the app needs to run is restored; what a user removed from their own routes stays removed.
        if self.base is not None and path in self.base and not path.startswith(self.package_folder):
            self.plan.keep(path, f"you deleted it; --force {path} brings it back")
        else:
            self.plan.write(path, content)

    def _foreign(self, path: str, current: bytes, content: bytes) -> None:
        """Plan a file that was in the project before Studio."""
        if path == _ENV_EXAMPLE:
            wanted = [line for line in content.decode().splitlines() if "=" in line and not line.startswith("#")]
            names = {line.split("=", 1)[0].strip(" #") for line in current.decode("utf-8", "replace").splitlines()}
            missing = [line for line in wanted if line.split("=", 1)[0] not in names]
            self.plan.write(path, add_lines(current, missing, heading="Workflow Studio"), "add the variables")
        elif path in _CONFIGS and b"defineWorkflowStudioConfig" in current:
            self.plan.keep(path, "it is there already")
        else:
            why = f"it exists already and is not Studio's; --force {path} replaces it"
            self.plan.manual.append(ManualStep(path, 1, why, content.decode("utf-8", "replace")))
            self.plan.keep(path, "not Studio's")

    def finish(self) -> None:
        """Say once what holds for all files."""
        if self.outdated and self.recorded is not None:
            self.plan.notes.append(
                f"The generated files are from template {self.recorded.commit}; this is {template_ref()}. "
                "Bring them forward with: studio update"
            )


def _same_text(left: bytes, right: bytes) -> bool:
    """Compare files as git does when it may have converted line endings at checkout."""
    return left == right or left.replace(b"\r\n", b"\n") == right.replace(b"\r\n", b"\n")
