"""What apps that Vite builds have in common: Nitro's plugin makes their server, the SDK's plugin its handlers."""

from __future__ import annotations

from typing import Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Call, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import JsonSet, Pin

START: Final = "node .output/server/index.mjs"
NITRO: Final = Call(Symbol("nitro", "nitro/vite"))
WORKFLOW: Final = Call(Symbol("workflow", "workflow/vite"))
GITIGNORE: Final = (".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/")
START_SCRIPT: Final = JsonSet(
    "package.json", ("scripts", "start"), START, "starts the server that `vite build` makes", required=False
)
NITRO_PIN: Final = Pin(
    "nitro",
    "3.0.260610-beta",
    "3.0.0 wants Vite 7 and does not serve the routes; the betas from 3.0.260610 on do",
    accepts=r"[~^]?3\.0\.26\d{4}-beta",
    unless=("nitro-nightly",),
)


def wrap(name: str, module: str) -> Wrap:
    """Return the wrapping of the Vite config in ``name`` of ``module``."""
    return Wrap((Wrapper(Symbol(name, module)),))


def plugin(call: Call, *, before: tuple[Symbol, ...] = ()) -> ArrayItem:
    """Return the adding of a plugin to the Vite config."""
    return ArrayItem("plugins", call, before=before)
