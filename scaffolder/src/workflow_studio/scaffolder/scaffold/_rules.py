"""How each framework shows in a project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """How a framework shows: by a package it is used through, of npm or of Python, or by its config file.

    Attributes:
        id: The framework.
        label: Its name for people.
        packages: Packages of npm.
        config: Its config file, without suffix; a whole name for a file that is not JavaScript.
        python: Packages of Python.
        is_app: An app is built with it: it is not a part that other frameworks are made of or use.
    """

    id: str
    label: str
    packages: tuple[str, ...] = ()
    config: str = ""
    python: tuple[str, ...] = ()
    is_app: bool = True


# Most specific first: a Nuxt app also has Nitro and Vite, a SvelteKit app also has Vite.
RULES = (
    Rule("nextjs", "Next.js", ("next",), "next.config"),
    Rule("nuxt", "Nuxt", ("nuxt", "nuxt-nightly"), "nuxt.config"),
    Rule("sveltekit", "SvelteKit", ("@sveltejs/kit",), "svelte.config"),
    Rule("astro", "Astro", ("astro",), "astro.config"),
    Rule("tanstack-start", "TanStack Start", ("@tanstack/react-start", "@tanstack/solid-start")),
    Rule("react-router", "React Router", ("@react-router/dev",), "react-router.config"),
    Rule("nestjs", "NestJS", ("@nestjs/core",), "nest-cli.json"),
    Rule("django", "Django", python=("django",), config="manage.py"),
    Rule("fastapi", "FastAPI", python=("fastapi",)),
    Rule("flask", "Flask", python=("flask",)),
    Rule("fastify", "Fastify", ("fastify",), is_app=False),
    Rule("hono", "Hono", ("hono",), is_app=False),
    Rule("express", "Express", ("express",), is_app=False),
    Rule("nitro", "Nitro", ("nitro", "nitropack", "nitro-nightly"), "nitro.config", is_app=False),
    Rule("vite", "Vite", ("vite",), "vite.config", is_app=False),
)
LABELS = {rule.id: rule.label for rule in RULES}
SERVERS = ("fastify", "hono", "express")
"""Bare HTTP servers: an app may depend on several and be built on one."""

OTHERS = (
    Rule("remix", "Remix", ("@remix-run/dev", "@remix-run/react")),
    Rule("solid-start", "SolidStart", ("@solidjs/start", "solid-start")),
    Rule("qwik-city", "Qwik City", ("@builder.io/qwik-city", "@qwik.dev/router")),
    Rule("gatsby", "Gatsby", ("gatsby",)),
    Rule("angular", "Angular", ("@angular/core",)),
    Rule("redwood", "Redwood", ("@redwoodjs/core", "rwsdk")),
    Rule("waku", "Waku", ("waku",)),
    Rule("analog", "Analog", ("@analogjs/platform",)),
    Rule("adonis", "AdonisJS", ("@adonisjs/core",)),
    Rule("expo", "Expo", ("expo",)),
)
"""Frameworks Studio has no template for: their apps also have Vite, Nitro or Express, but are not built as those."""
