"""``studio demo``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.command import build_document
from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.demo.app import FRAMEWORKS
from workflow_studio.scaffolder.demo.demo import Demo
from workflow_studio.scaffolder.demo.show import show_run
from workflow_studio.scaffolder.output import get_output


class FrameworkChoice(StrEnum):
    """Values of ``--framework``."""

    NITRO = "nitro"
    NEXTJS = "nextjs"
    SVELTEKIT = "sveltekit"
    NUXT = "nuxt"
    ASTRO = "astro"
    VITE = "vite"
    EXPRESS = "express"
    HONO = "hono"
    FASTIFY = "fastify"
    NESTJS = "nestjs"
    TANSTACK_START = "tanstack-start"
    REACT_ROUTER = "react-router"
    FASTAPI = "fastapi"
    FLASK = "flask"
    DJANGO = "django"


def register(app: typer.Typer) -> None:
    """Add ``studio demo``."""
    app.command("demo", help="Make, deploy and run an example app in a temporary folder.")(demo)


def demo(
    *,
    framework: Annotated[
        FrameworkChoice, typer.Option("--framework", help="Framework of the example app.")
    ] = FrameworkChoice.NITRO,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-C", help="Where to work; a temporary folder by default.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder in place.")] = False,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Make, deploy and run an example app in a temporary folder; everything is stopped and removed at the end."""
    output = get_output()
    started = time.monotonic()
    result = Demo(FRAMEWORKS[framework], output, directory=directory, keep=keep).run()
    show_run(output, result.run, result.rows, result.places)
    seconds = time.monotonic() - started
    if result.ran_on_worker_only:
        output.print("The app only called start(); every step ran in the worker's own Node.js process.")
    output.note(f"Done in {seconds:.0f} s; everything is stopped" + (" and kept." if keep else " and removed."))
    output.document(
        {
            "run": result.run.model_dump(mode="json", exclude_none=True),
            "timeline": [row.to_json() for row in result.rows],
            "executors": result.places,
            "deployment": build_document(result.built),
            "stages": [{"name": name, "seconds": round(spent, 2)} for name, spent in result.stages.items()],
            "seconds": round(seconds, 2),
        }
    )
