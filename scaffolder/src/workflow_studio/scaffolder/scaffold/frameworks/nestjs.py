"""NestJS, on Express or Fastify."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.scaffold.edits import Call, CallBehind, ModuleImport, Symbol
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework, JsonSet, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREPARE: Final = "node workflow-studio/nest-build.mjs"
_INIT: Final = re.compile(r"(?:npx\s+)?(?:@workflow/nest|workflow-nest)\s+init(?:\s+--\S+|\s+(?:es6|commonjs))*")
_RUNS_NEST: Final = re.compile(r"\bnest\s+(?:build|start)\b")

_MODULE: Final = ModuleImport(Call(Symbol("WorkflowModule", "@workflow/nest"), method="forRoot"))
_MAIN: Final = CallBehind(
    Symbol("withWorkflowStudioNest", "workflow-studio/nest"),
    Symbol("NestFactory", "@nestjs/core"),
    "create",
    awaited=True,
)
_MODULE_SNIPPET: Final = """import { WorkflowModule } from '@workflow/nest';

@Module({
  imports: [WorkflowModule.forRoot()],
})"""
_MAIN_SNIPPET: Final = """import { withWorkflowStudioNest } from 'workflow-studio/nest';

const app = await NestFactory.create(AppModule);
await withWorkflowStudioNest(app);"""


def _json(app: App, path: str) -> dict[str, Any]:
    try:
        document = json.loads(app.read(path) or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _source_root(app: App) -> str:
    root = _json(app, "nest-cli.json").get("sourceRoot")
    return root.strip("/") if isinstance(root, str) and root.strip("/") else "src"


def _configs(source_root: str) -> tuple[ConfigFile, ...]:
    return (
        ConfigFile(stem=f"{source_root}/main", edits=(_MAIN,), snippet=_MAIN_SNIPPET),
        ConfigFile(stem=f"{source_root}/app.module", edits=(_MODULE,), snippet=_MODULE_SNIPPET),
    )


def _builder(app: App) -> Iterator[JsonSet]:
    options = _json(app, "nest-cli.json").get("compilerOptions")
    builder = options.get("builder") if isinstance(options, dict) else None
    if not (isinstance(builder, dict) and builder.get("type") == "swc"):
        why = "SWC builds the app: the Workflow SDK is a plugin of it"
        tsc = ("tsc", {"type": "tsc"})
        yield JsonSet("nest-cli.json", ("compilerOptions", "builder"), "swc", why, replaces=tsc, create=True)


def _scripts(app: App) -> Iterator[JsonSet]:
    """Have what SWC and the app need made before everything that builds or starts the app by Nest's own command."""
    scripts = _json(app, "package.json").get("scripts")
    known = {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}
    for name, command in known.items():
        if name.startswith(("pre", "post")) or not _RUNS_NEST.search(command):
            continue
        why = f"prepare SWC before {name}"
        # What the SDK's own guide has people write does the same, with less.
        without = re.sub(rf"{_INIT.pattern}\s*&&\s*", "", command)
        if without != command:
            yield JsonSet("package.json", ("scripts", name), without, why, replaces=(command,))
        before = known.get(f"pre{name}", "")
        if _PREPARE in before:
            continue
        rest = _INIT.sub("", before).strip().strip("&").strip()
        wanted = f"{rest} && {_PREPARE}" if rest else _PREPARE
        yield JsonSet("package.json", ("scripts", f"pre{name}"), wanted, why, replaces=(before,))


def _advice(app: App) -> list[Advice]:
    found = []
    swcrc = app.read(".swcrc")
    if swcrc is not None and "workflow" not in swcrc:
        why = (
            "it is made anew by every build, with the path of a plugin on this machine: your own settings go into"
            " swcrc.base.json"
        )
        found.append(Advice(why, ".swcrc", "git mv .swcrc swcrc.base.json"))
    if _json(app, "nest-cli.json").get("monorepo"):
        why = (
            "of a monorepo of Nest's own only the first app is wired, and workflows are looked for in its folder:"
            " see WorkflowModule.forRoot({ dirs })"
        )
        found.append(Advice(why, "nest-cli.json"))
    return found


def _variant(framework: Framework, app: App) -> Framework:
    return replace(framework, configs=_configs(_source_root(app)), json_edits=(*_builder(app), *_scripts(app)))


NESTJS = Framework(
    id="nestjs",
    label="NestJS",
    app_dir="src",
    src_dir="",
    start="node dist/main.js",
    configs=_configs("src"),
    pins=(
        Pin("@workflow/nest", "4.0.25", "the Workflow SDK 4.8.9 comes with 4.0.25", accepts=r"[~^]?4\.0\.25"),
        Pin(
            "@swc/core",
            "1.15.18",
            "the Workflow SDK's plugin breaks off the build in 1.16 and later",
            accepts=r"~1\.15\.(?:[3-9]|\d\d)|1\.15\.\d+",
            dev=True,
        ),
    ),
    packages={"@nestjs/common": "12.5.1", "@nestjs/core": "12.5.1", "@nestjs/platform-express": "12.5.1"},
    dev_packages={"@swc/cli": "0.8.1"},
    gitignore=(".nestjs/", ".swcrc", "dist/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    advice=_advice,
    variant=_variant,
)
