"""What kind of app a folder holds, and the evidence for it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import DetectionError, StudioError
from workflow_studio.scaffolder.scaffold._package_manager import detect_package_manager
from workflow_studio.scaffolder.scaffold._project import dependencies, read_bytes, read_package_json
from workflow_studio.scaffolder.scaffold._python import find_app_modules, find_source_folder, python_dependencies
from workflow_studio.scaffolder.scaffold._rules import LABELS, OTHERS, RULES, SERVERS, Rule
from workflow_studio.scaffolder.scaffold._workspace import Workspace, find_workspace, read_workspace
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES: Final = (".ts", ".mts", ".js", ".mjs", ".cjs", ".cts")
_ENTRIES: Final = ("index", "server", "app", "main")
_NO_SOURCES: Final = frozenset({"node_modules", "dist", "build", "coverage", "public", "test", "tests"})
_MOST_FILES: Final = 500


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found.

    Attributes:
        framework: Id of the framework.
        evidence: Why, in words a person can check.
        package_manager: ``npm``, ``pnpm``, ``yarn`` or ``bun``.
        package_manager_evidence: Why.
        src_dir: Folder of the sources, empty for the root.
        typescript: Whether the app is written in TypeScript.
        src_dir_evidence: Why the sources are there.
        typescript_evidence: Why it is, or is not.
        workspace: The monorepo that the app is a package of.
    """

    framework: str
    evidence: tuple[str, ...]
    package_manager: str
    package_manager_evidence: str
    src_dir: str
    typescript: bool
    src_dir_evidence: str = ""
    typescript_evidence: str = ""
    workspace: Workspace | None = None

    @property
    def label(self) -> str:
        """The framework's name for people."""
        return LABELS[self.framework]


def detect(
    root: Path, *, framework: str = "auto", package_manager: str | None = None, src_dir: str | None = None
) -> Detected:
    """Tell what app ``root`` holds; what is given explicitly is taken as it is.

    Raises:
        DetectionError: No framework was recognised, several were, the one found has no template, or the folder is the
            root of a monorepo.
    """
    evidence: tuple[str, ...] = ("--framework",)
    if framework == "auto":
        framework, evidence = detect_framework(root)
    require_supported(framework, evidence)
    manager, manager_evidence = (
        (package_manager, "--package-manager") if package_manager else detect_package_manager(root)
    )
    without_package = read_bytes(root, "package.json") is None and SUPPORTED[framework].language == "Python"
    depends = {} if without_package else dependencies(read_package_json(root))
    source, source_evidence = (src_dir, "--src-dir") if src_dir is not None else _detect_src_dir(root, framework)
    typescript, typescript_evidence = _detect_typescript(root, depends, SUPPORTED[framework].config_stem)
    return Detected(
        framework=framework,
        evidence=evidence,
        package_manager=manager,
        package_manager_evidence=manager_evidence,
        src_dir=source,
        typescript=typescript,
        src_dir_evidence=source_evidence,
        typescript_evidence=typescript_evidence,
        workspace=find_workspace(root),
    )


def require_supported(framework: str, evidence: tuple[str, ...] = ()) -> None:
    """Refuse a framework without a template.

    Raises:
        DetectionError: ``framework`` is unknown, or known but has no template.
    """
    if framework in SUPPORTED:
        return
    supported = ", ".join(SUPPORTED)
    label = LABELS.get(framework) or next((rule.label for rule in OTHERS if rule.id == framework), None)
    if label is None:
        raise DetectionError(
            f"{framework!r} is not a framework Studio knows.", code="unknown_framework", hint=f"One of: {supported}."
        )
    because = f" ({', '.join(evidence)})" if evidence and evidence != ("--framework",) else ""
    hint = f"Supported today: {supported}. Name one with --framework if the app is built with it after all."
    raise DetectionError(
        f"This app is built with {label}{because}, which is not supported yet.",
        code="framework_not_supported",
        hint=hint,
    )


# The framework ------------------------------------------------------------------------------------------------------


def detect_framework(root: Path) -> tuple[str, tuple[str, ...]]:
    """Return the framework of the app in a folder and the evidence, whether Studio has a template for it or not.

    Raises:
        DetectionError: None was recognised, several were, or the folder is the root of a monorepo.
    """
    python = python_dependencies(root)
    without_package = read_bytes(root, "package.json") is None and bool(python)
    depends = {} if without_package else dependencies(read_package_json(root))
    found, configured = _evidence(root, depends, python)
    apps = [rule.id for rule in RULES if rule.is_app and rule.id in found]
    if len(apps) > 1:
        apps = [name for name in apps if name in configured] or apps
    if not apps:
        for rule in OTHERS:
            named = tuple(f"{name} {depends[name]} in package.json" for name in rule.packages if name in depends)
            if named:
                return rule.id, named
        apps = _servers(root, found)
    if len(apps) > 1:
        candidates = "; ".join(f"{name} ({', '.join(found[name])})" for name in apps)
        raise DetectionError(
            f"Several frameworks were found: {candidates}.",
            code="framework_ambiguous",
            hint=f"Say which one: studio scaffold --framework {apps[0]}",
        )
    chosen = apps[0] if apps else next(iter(found), None)
    if chosen is None:
        raise _not_found(root)
    return chosen, found[chosen]


def _evidence(
    root: Path, depends: dict[str, str], python: dict[str, str]
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return what speaks for each framework, and the frameworks that have their config file."""
    found: dict[str, tuple[str, ...]] = {}
    configured: set[str] = set()
    for rule in RULES:
        evidence = [f"{name} {depends[name]} in package.json" for name in rule.packages if name in depends]
        evidence += [python[name] for name in rule.python if name in python]
        config = _config_file(root, rule)
        if config:
            evidence.append(config)
            configured.add(rule.id)
        elif rule.id == "vite" and not (root / "index.html").is_file():
            # Test runners bring Vite along; an app of its own has a page or a config.
            continue
        if evidence:
            found[rule.id] = tuple(evidence)
    # `nitro/vite` in vite.config makes a Vite app; Nitro's own config file makes a Nitro app.
    if "vite" in configured and "nitro" in found and "nitro" not in configured:
        found.pop("nitro")
    return found, configured


def _config_file(root: Path, rule: Rule) -> str | None:
    # A name with a suffix of its own is the whole name.
    suffixes = ("",) if rule.config.endswith((".py", ".json")) else _SUFFIXES
    names = (rule.config + suffix for suffix in suffixes) if rule.config else ()
    found = next((name for name in names if (root / name).is_file()), None)
    # Flask-Script has a file of this name, too.
    return None if found == "manage.py" and not find_app_modules(root, "django") else found


def _servers(root: Path, found: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the HTTP server that the app is built on; of several, the one that its sources make an app with."""
    servers = [name for name in SERVERS if name in found]
    if len(servers) < 2:
        return servers
    made = {name: _import_of(name) for name in servers}
    used: dict[str, str] = {}
    for path in islice(_sources(root), _MOST_FILES):
        text = path.read_text("utf-8", "replace")
        for name, pattern in made.items():
            if name not in used and pattern.search(text):
                used[name] = path.relative_to(root).as_posix()
    for name, file in used.items():
        found[name] = (*found[name], f"used in {file}")
    return [name for name in servers if name in used] or servers


def _import_of(package: str) -> re.Pattern[str]:
    return re.compile(rf"""(?:\bfrom\s*|\brequire\(\s*|\bimport\s*\(?\s*)["']{re.escape(package)}["']""")


def _sources(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES and not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if name.endswith(_SUFFIXES))


def _not_found(root: Path) -> DetectionError:
    workspace = read_workspace(root)
    apps = _apps(workspace) if workspace is not None else {}
    if workspace is not None and apps:
        listed = ", ".join(f"{path} ({label})" for path, label in apps.items())
        return DetectionError(
            f"This is the root of a monorepo ({', '.join(workspace.evidence)}). Its apps: {listed}.",
            code="workspace_root",
            hint=f"Name the app's folder: studio scaffold {next(iter(apps))}",
        )
    return DetectionError(
        f"No framework was recognised in {root}.",
        code="framework_not_found",
        hint=f"Name the app's folder, as in `studio scaffold apps/web`, or the framework: --framework "
        f"{'|'.join(SUPPORTED)}",
    )


def _apps(workspace: Workspace) -> dict[str, str]:
    """Return the apps of a monorepo: their folders, and what they are built with."""
    apps: dict[str, str] = {}
    for path in workspace.packages():
        label = _label_of(workspace.root / path)
        if label is not None:
            apps[path] = label
    return apps


def _label_of(folder: Path) -> str | None:
    try:
        framework, _ = detect_framework(folder)
    except DetectionError as error:
        return "several frameworks" if error.code == "framework_ambiguous" else None
    except (StudioError, OSError):
        return None
    return LABELS.get(framework)


# Language and source folder -----------------------------------------------------------------------------------------


def _detect_typescript(root: Path, depends: dict[str, str], config_stem: str) -> tuple[bool, str]:
    for name in ("tsconfig.json", f"{config_stem}.ts", f"{config_stem}.mts"):
        if (root / name).is_file():
            return True, name
    if "typescript" in depends and not (root / "jsconfig.json").is_file():
        return True, "typescript in package.json"
    return False, "jsconfig.json" if (root / "jsconfig.json").is_file() else "no tsconfig.json"


def _detect_src_dir(root: Path, framework: str) -> tuple[str, str]:
    fixed = SUPPORTED[framework].src_dir
    if fixed is not None:
        return fixed, "where the framework has them"
    if framework == "nextjs":
        # Next.js itself ignores src/app when there is an app folder at the root.
        at_root = next((name for name in ("app", "pages") if (root / name).is_dir()), None)
        in_src = next((f"src/{name}" for name in ("app", "pages") if (root / "src" / name).is_dir()), None)
        if in_src is not None and at_root is None:
            return "src", f"{in_src}/"
        return "", f"{at_root}/" if at_root else "no src/app/"
    if SUPPORTED[framework].language == "Python":
        return find_source_folder(root, framework)
    return _entry_folder(root)


def _entry_folder(root: Path) -> tuple[str, str]:
    """Return where the module is that starts the app."""
    for folder in ("", "src"):
        for name in (entry + suffix for entry in _ENTRIES for suffix in _SUFFIXES):
            if (root / folder / name).is_file():
                return folder, f"{folder}/{name}".removeprefix("/")
    return "", "no src/index"
