"""The frameworks Studio can be added to."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.frameworks._base import (
    Advice,
    App,
    ConfigFile,
    Framework,
    JsonSet,
    Pin,
)
from workflow_studio.scaffolder.scaffold.frameworks.astro import ASTRO
from workflow_studio.scaffolder.scaffold.frameworks.django import DJANGO
from workflow_studio.scaffolder.scaffold.frameworks.express import EXPRESS
from workflow_studio.scaffolder.scaffold.frameworks.fastapi import FASTAPI
from workflow_studio.scaffolder.scaffold.frameworks.fastify import FASTIFY
from workflow_studio.scaffolder.scaffold.frameworks.flask import FLASK
from workflow_studio.scaffolder.scaffold.frameworks.hono import HONO
from workflow_studio.scaffolder.scaffold.frameworks.nestjs import NESTJS
from workflow_studio.scaffolder.scaffold.frameworks.nextjs import NEXTJS
from workflow_studio.scaffolder.scaffold.frameworks.nitro import NITRO
from workflow_studio.scaffolder.scaffold.frameworks.nuxt import NUXT
from workflow_studio.scaffolder.scaffold.frameworks.react_router import REACT_ROUTER
from workflow_studio.scaffolder.scaffold.frameworks.sveltekit import SVELTEKIT
from workflow_studio.scaffolder.scaffold.frameworks.tanstack_start import TANSTACK_START
from workflow_studio.scaffolder.scaffold.frameworks.vite import VITE

SUPPORTED: dict[str, Framework] = {
    framework.id: framework
    for framework in (
        NEXTJS,
        NITRO,
        SVELTEKIT,
        NUXT,
        ASTRO,
        EXPRESS,
        FASTIFY,
        HONO,
        VITE,
        REACT_ROUTER,
        TANSTACK_START,
        NESTJS,
        FASTAPI,
        FLASK,
        DJANGO,
    )
}

__all__ = ["SUPPORTED", "Advice", "App", "ConfigFile", "Framework", "JsonSet", "Pin"]
