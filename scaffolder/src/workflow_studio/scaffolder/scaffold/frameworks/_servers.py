"""Express, Fastify and Hono: apps that answer requests, and that either Nitro or the app itself serves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.edits._apps import WrapApp
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework, JsonSet, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NITRO: Final = "nitro"
NODE: Final = "node"
SERVERS: Final = (NITRO, NODE)
"""What may serve the app; the template's question ``server``."""

_NITRO: Final = Pin(
    "nitro",
    "3.0.260610-beta",
    "other releases do not find the app's routes; this one and 3.0.260903-beta are tested",
    accepts=r"3\.0\.260903-beta",
)
_ROLLUP: Final = Pin("rollup", "4.68.7", "Nitro builds with it", accepts=r".*")
_NAMES: Final = ("index", "server", "app", "main")
_FOLDERS: Final = ("src/", "")
_SUFFIXES: Final = (".ts", ".mts", ".js", ".mjs", ".cjs", ".cts")
_NITRO_CONFIGS: Final = tuple(f"nitro.config{suffix}" for suffix in _SUFFIXES)
_BUILD: Final = "node workflow-studio/loader/build.mjs"
_LISTEN: Final = re.compile(r"\.listen\(|\bserve\(")
_EXPORT: Final = re.compile(r"^export\s+default\b|^export\s*\{[^}]*\bas\s+default\b|^module\.exports\s*=", re.MULTILINE)
# What is before the entry in scripts that people write; a loader for TypeScript has nothing left to do.
_RUNNER: Final = re.compile(
    r"(?:npx\s+)?(?:node|nodemon|tsx(?:\s+watch)?|ts-node(?:-dev)?)(?:\s+--watch|\s+--respawn|\s+--transpile-only)*"
)


@dataclass(frozen=True, slots=True)
class Server:
    """What is different between these frameworks.

    Attributes:
        id: Name on the command line and in the template.
        label: Name for people, also in the names of functions.
        makers: What makes an app.
        snippet: How an app is made, with Studio in it.
        packages: The framework itself.
    """

    id: str
    label: str
    makers: tuple[Symbol, ...]
    snippet: str
    packages: Mapping[str, str]

    @property
    def wrapper(self) -> Symbol:
        """The function of the generated package that takes part in the app's configuration."""
        return Symbol(f"withWorkflowStudio{self.label}", f"workflow-studio/{self.id}")

    def framework(self) -> Framework:
        """Return the declaration, which is complete once the app is known."""

        def variant(framework: Framework, app: App) -> Framework:
            own = _by_node(self, app) if app.answers.get("server") == NODE else _by_nitro(self, app)
            return replace(
                framework,
                start=own.start,
                configs=own.configs,
                json_edits=own.json_edits,
                packages=own.packages,
                pins=own.pins,
                gitignore=own.gitignore,
                advice=own.advice,
            )

        unknown = App("", {}, lambda _path: None)
        return replace(_by_nitro(self, unknown), variant=variant, server=self._server_of)

    def _server_of(self, app: App) -> str:
        """Return what serves an app that is there: an app that listens goes on doing so."""
        if NITRO in app.depends or any(app.read(name) is not None for name in _NITRO_CONFIGS):
            return NITRO
        entry = _entry(app, self.id)
        text = app.read(entry) if entry else None
        return NODE if text is not None and _LISTEN.search(text) else NITRO


# The app's files ----------------------------------------------------------------------------------------------------


def _candidates() -> Iterator[str]:
    for folder in _FOLDERS:
        for name in _NAMES:
            yield from (f"{folder}{name}{suffix}" for suffix in _SUFFIXES)


def _scripts(app: App) -> dict[str, str]:
    try:
        scripts = json.loads(app.read("package.json") or "{}").get("scripts", {})
    except (ValueError, AttributeError):
        return {}
    return {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}


def _entry(app: App, package: str) -> str | None:
    """Return the file that starts the app: the one that its scripts name, or else the one that makes the app."""
    scripts = _scripts(app)
    for name in ("dev", "start", "serve"):
        for word in scripts.get(name, "").split():
            path = word.removeprefix("./")
            if path.endswith(_SUFFIXES) and app.read(path) is not None:
                return path
    return _maker(app, package, None)


def _maker(app: App, package: str, entry: str | None) -> str | None:
    """Return the file that makes the app: the entry, or another of the usual names."""
    made = re.compile(rf"""(?:\bfrom\s*|\brequire\(\s*)["']{re.escape(package)}["']""")
    paths = dict.fromkeys([*([entry] if entry else []), *_candidates()])
    return next((path for path in paths if (text := app.read(path)) is not None and made.search(text)), None)


def _default_entry(app: App) -> str:
    return f"src/index.{'ts' if app.typescript else 'js'}"


# Nitro --------------------------------------------------------------------------------------------------------------


def _by_nitro(server: Server, app: App) -> Framework:
    entry = _maker(app, server.id, _entry(app, server.id))
    name, route = server.wrapper.name, entry or _default_entry(app)
    body = f"""  defineNitroConfig({{
    modules: ["workflow/nitro"],
    routes: {{ "/**": "./{route}" }},
  }}),
"""
    text = f"""import {{ defineNitroConfig }} from "nitro/config";
import {{ {name} }} from "workflow-studio/{server.id}";

export default {name}(
{body});
"""
    config = ConfigFile(
        stem="nitro.config",
        new=(f"nitro.config.{'ts' if app.typescript else 'mjs'}", text),
        edits=(ArrayItem("modules", "workflow/nitro"), Wrap((Wrapper(server.wrapper, takes_functions=False),))),
        snippet=text.rstrip("\n"),
    )
    return Framework(
        id=server.id,
        label=server.label,
        app_dir="src",
        src_dir="",
        start="node .output/server/index.mjs",
        configs=(config,),
        json_edits=tuple(_nitro_scripts(app, entry)),
        packages=server.packages,
        pins=(_NITRO, _ROLLUP),
        gitignore=(".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
        advice=lambda app: _nitro_advice(app, entry, route),
    )


def _nitro_scripts(app: App, entry: str | None) -> Iterator[JsonSet]:
    scripts = _scripts(app)
    for name, command in (("dev", "nitro dev"), ("build", "nitro build"), ("start", "node .output/server/index.mjs")):
        present = scripts.get(name, "")
        runs_entry = entry is not None and _runs(present, entry)
        known = (present,) if runs_entry or present == "tsc" or present.startswith(command) else ()
        yield JsonSet("package.json", ("scripts", name), command, "Nitro serves the app", replaces=known)


def _nitro_advice(app: App, entry: str | None, route: str) -> list[Advice]:
    found = []
    config = next((text for name in _NITRO_CONFIGS if (text := app.read(name)) is not None), "")
    if config and "/**" not in config and app.read("server.ts") is None:
        found.append(
            Advice("Nitro has to know the module whose default export is the app", "nitro.config", _route(route))
        )
    text = app.read(entry) if entry else None
    if entry is None or text is None:
        why = "the module that Nitro serves was not found: its default export is the app"
        return [*found, Advice(why, route, "export default app;")]
    listening = _LISTEN.search(text)
    if listening:
        why = "Nitro listens, so the app must not"
        line = text.count("\n", 0, listening.start()) + 1
        found.append(Advice(why, entry, "export default app; // in place of app.listen(…)", line))
    elif not _EXPORT.search(text):
        found.append(Advice("Nitro serves the default export of this module", entry, "export default app;"))
    return found


def _route(route: str) -> str:
    return f'routes: {{ "/**": "./{route}" }},'


# Node.js ------------------------------------------------------------------------------------------------------------


def _by_node(server: Server, app: App) -> Framework:
    entry = _entry(app, server.id)
    maker = _maker(app, server.id, entry) or _default_entry(app)
    start = entry or maker
    config = ConfigFile(
        stem=maker.rsplit(".", 1)[0],
        edits=(WrapApp(server.wrapper, server.makers),),
        snippet=f'import {{ {server.wrapper.name} }} from "workflow-studio/{server.id}";\n\n{server.snippet}',
    )
    return Framework(
        id=server.id,
        label=server.label,
        app_dir="src",
        src_dir="",
        start=f"node --import workflow-studio/register {start}",
        configs=(config,),
        json_edits=tuple(_node_scripts(app, start)),
        packages=server.packages,
        gitignore=(".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    )


def _node_scripts(app: App, entry: str) -> Iterator[JsonSet]:
    scripts = _scripts(app)
    commands = {
        "dev": f"node --watch --import workflow-studio/dev {entry}",
        "start": f"node --import workflow-studio/register {entry}",
    }
    for name, command in commands.items():
        present = scripts.get(name, "")
        known = (present,) if _runs(present, entry) else ()
        yield JsonSet(
            "package.json", ("scripts", name), command, "load workflows as the SDK needs them", replaces=known
        )
    build = scripts.get("build", "")
    if _BUILD not in build:
        command = f"{build} && {_BUILD}" if build else _BUILD
        yield JsonSet("package.json", ("scripts", "build"), command, "build the workflows' handlers", replaces=(build,))


def _runs(script: str, entry: str) -> bool:
    """Tell whether a script does nothing but run a file, or what it is compiled to, with options that are for that."""
    command, _, path = script.strip().rpartition(" ")
    compiled = re.fullmatch(r"(?:\./)?(?:dist|build|out|lib)/(.+)\.[mc]?js", path)
    source = entry.removeprefix("src/").rsplit(".", 1)[0]
    runs = path.removeprefix("./") == entry or (compiled is not None and compiled[1].removeprefix("src/") == source)
    return runs and _RUNNER.fullmatch(command.strip()) is not None
