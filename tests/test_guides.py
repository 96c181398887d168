"""The guides of the frameworks show routes that the matrix builds and calls, letter by letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDES = ROOT / "docs/guides/frameworks"
APPS = ROOT / "tests/e2e/matrix/apps"
SHOWN = {
    "astro": ("astro",),
    "express": ("express",),
    "fastify": ("fastify",),
    "hono": ("hono",),
    "nestjs": ("nestjs",),
    "nextjs": ("nextjs", "nextjs-pages"),
    "nitro": ("nitro",),
    "nuxt": ("nuxt",),
    "react-router": ("react-router",),
    "sveltekit": ("sveltekit",),
    "tanstack-start": ("tanstack-start",),
    "vite": ("vite",),
}
"""The guides, and the apps whose routes each of them shows."""


@pytest.mark.parametrize("guide", SHOWN)
def test_a_guide_shows_the_routes_that_are_tested(guide: str) -> None:
    page = (GUIDES / f"{guide}.md").read_text("utf-8")
    shown = dict(re.findall(r'^```ts title="([^"]+)"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL))
    files = {name: text for app in SHOWN[guide] for name, text in ingress_of(app).items()}
    assert files
    assert shown == files


def ingress_of(app: str) -> dict[str, str]:
    """Return the files of an app that have to do with its routes for triggers and webhooks."""
    folder = APPS / app
    texts = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(folder.rglob("*.ts"))}
    return {name: text for name, text in texts.items() if "from 'workflow-studio" in text}
