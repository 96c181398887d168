"""What kind of app a folder holds, and the evidence for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import DetectionError, ScopeOfProjectError
from workflow_studio.scaffolder.scaffold._project import dependencies, read_bytes, read_package_json
from workflow_studio.scaffolder.scaffold._python import find_app_modules, python_dependencies
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES = (".ts", ".mts", ".js", ".mjs", ".cjs", ".cts")


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a framework shows: by a package it is used through, of npm or of Python, or by its config file."""

    id: str
    label: str
    packages: tuple[str, ...]
    config: str = ""
    python: tuple[str, ...] = ()
    is_app: bool = True


# Most specific first: a Nuxt app also has Nitro and Vite, a SvelteKit app also has Vite.
_RULES = (
    _Rule("nextjs", "Next.js", ("next",), "next.config"),
    _Rule("nuxt", "Nuxt", ("nuxt", "nuxt-nightly"), "nuxt.config"),
    _Rule("sveltekit", "SvelteKit", ("@sveltejs/kit",)),
    _Rule("astro", "Astro", ("astro",), "astro.config"),
    _Rule("tanstack-start", "TanStack Start", ("@tanstack/react-start", "@tanstack/solid-start")),
    _Rule("react-router", "React Router", ("@react-router/dev",), "react-router.config"),
    _Rule("nestjs", "NestJS", ("@nestjs/core",)),
    _Rule("fastapi", "FastAPI", (), python=("fastapi",)),
    _Rule("fastify", "Fastify", ("fastify",), is_app=False),
    _Rule("hono", "Hono", ("hono",), is_app=False),
    _Rule("express", "Express", ("express",), is_app=False),
    _Rule("nitro", "Nitro", ("nitro", "nitropack", "nitro-nightly"), "nitro.config", is_app=False),
    _Rule("vite", "Vite", ("vite",), "vite.config", is_app=False),
)
FRAMEWORK_LABELS = {rule.id: rule.label for rule in _RULES}
_LOCKFILES = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
PACKAGE_MANAGERS = ("npm", "pnpm", "yarn", "bun")


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
    """

    framework: str
    evidence: tuple[str, ...]
    package_manager: str
    package_manager_evidence: str
    src_dir: str
    typescript: bool

    @property
    def label(self) -> str:
        """The framework's name for people."""
        return FRAMEWORK_LABELS[self.framework]


def detect(
    root: Path, *, framework: str = "auto", package_manager: str | None = None, src_dir: str | None = None
) -> Detected:
    """Tell what app ``root`` holds; what is given explicitly is taken as it is.

    Raises:
        DetectionError: No framework was recognised, several were, or the one found is not supported yet.
    """
    python = python_dependencies(root)
    is_python = bool(python) or framework == "fastapi"
    package = {} if is_python and read_bytes(root, "package.json") is None else read_package_json(root)
    evidence: tuple[str, ...]
    if framework == "auto":
        framework, evidence = _detect_framework(root, dependencies(package), python)
    else:
        evidence = ("--framework",)
    require_supported(framework, evidence)
    manager, manager_evidence = (
        (package_manager, "--package-manager") if package_manager else detect_package_manager(root)
    )
    return Detected(
        framework=framework,
        evidence=evidence,
        package_manager=manager,
        package_manager_evidence=manager_evidence,
        src_dir=src_dir if src_dir is not None else _detect_src_dir(root, framework),
        typescript=_has_typescript(root, dependencies(package), SUPPORTED[framework].config_stem),
    )


def require_supported(framework: str, evidence: tuple[str, ...] = ()) -> None:
    """Refuse a framework without a template.

    Raises:
        DetectionError: ``framework`` is unknown, or known but not supported yet.
    """
    if framework in SUPPORTED:
        return
    supported = ", ".join(SUPPORTED)
    label = FRAMEWORK_LABELS.get(framework)
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


def _detect_framework(root: Path, depends: dict[str, str], python: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    configured: set[str] = set()
    for rule in _RULES:
        evidence = [f"{name} {depends[name]} in package.json" for name in rule.packages if name in depends]
        evidence += [python[name] for name in rule.python if name in python]
        config = _config_file(root, rule.config)
        if config:
            evidence.append(config)
            configured.add(rule.id)
        if evidence:
            found[rule.id] = tuple(evidence)
    # `nitro/vite` in vite.config makes a Vite app; Nitro's own config file makes a Nitro app.
    if "vite" in configured and "nitro" in found and "nitro" not in configured:
        found.pop("nitro")
    apps = [rule.id for rule in _RULES if rule.is_app and rule.id in found]
    if len(apps) > 1:
        apps = [name for name in apps if name in configured] or apps
    if len(apps) > 1:
        candidates = "; ".join(f"{name} ({', '.join(found[name])})" for name in apps)
        raise DetectionError(
            f"Several frameworks were found: {candidates}.",
            code="framework_ambiguous",
            hint=f"Say which one: studio scaffold --framework {apps[0]}",
        )
    chosen = apps[0] if apps else next(iter(found), None)
    if chosen is None:
        raise DetectionError(
            f"No framework was recognised in {root}.",
            code="framework_not_found",
            hint=f"Name the app's folder, as in `studio scaffold apps/web`, or the framework: --framework "
            f"{'|'.join(SUPPORTED)}",
        )
    return chosen, found[chosen]


def _config_file(root: Path, stem: str) -> str | None:
    return next((stem + suffix for suffix in _SUFFIXES if stem and (root / (stem + suffix)).is_file()), None)


def _has_typescript(root: Path, depends: dict[str, str], config_stem: str) -> bool:
    files = ("tsconfig.json", f"{config_stem}.ts", f"{config_stem}.mts")
    return "typescript" in depends or any((root / name).is_file() for name in files)


def _detect_src_dir(root: Path, framework: str) -> str:
    if framework == "sveltekit":
        return "src"
    if framework == "nextjs":
        # Next.js itself ignores src/app when there is an app folder at the root.
        at_root = any((root / name).is_dir() for name in ("app", "pages"))
        in_src = any((root / "src" / name).is_dir() for name in ("app", "pages"))
        return "src" if in_src and not at_root else ""
    if framework == "fastapi":
        # What is in src/ is imported by the names below it, unless src is a package itself.
        modules = find_app_modules(root)
        in_src = bool(modules) and all(path.startswith("src/") for path in modules)
        return "src" if in_src and not (root / "src/__init__.py").is_file() else ""
    return ""


def detect_package_manager(root: Path) -> tuple[str, str]:
    """Return the package manager and the evidence, looking up to the root of the repository."""
    folder = root.resolve()
    for directory in (folder, *folder.parents):
        for name, manager in _LOCKFILES.items():
            if (directory / name).is_file():
                return manager, name
        declared = _declared_manager(directory)
        if declared is not None:
            return declared
        if (directory / ".git").exists():
            break
    return "npm", "the default"


def _declared_manager(directory: Path) -> tuple[str, str] | None:
    try:
        data = read_bytes(directory, "package.json")
        package = json.loads(data.decode("utf-8-sig")) if data is not None else {}
    except (OSError, ValueError, RecursionError, ScopeOfProjectError):
        return None
    if not isinstance(package, dict):
        return None
    field = package.get("packageManager")
    if isinstance(field, str) and field.split("@", 1)[0] in PACKAGE_MANAGERS:
        return field.split("@", 1)[0], "packageManager in package.json"
    engines = package.get("devEngines")
    wanted = engines.get("packageManager") if isinstance(engines, dict) else None
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if isinstance(name, str) and name in PACKAGE_MANAGERS:
        return name, "devEngines in package.json"
    return None
