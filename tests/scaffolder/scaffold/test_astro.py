"""Astro apps, with the adapter that they have or lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, App

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold.frameworks import Framework

EMPTY = b"import { defineConfig } from 'astro/config';\n\nexport default defineConfig({});\n"
VERCEL = b"""import vercel from '@astrojs/vercel';
import { defineConfig } from 'astro/config';

export default defineConfig({ adapter: vercel() });
"""


def as_needed(**depends: str) -> tuple[Framework, App]:
    astro = SUPPORTED["astro"]
    app = App(
        src="src/", depends={name.replace("__", "/"): spec for name, spec in depends.items()}, read=lambda _: None
    )
    return astro.variant(astro, app), app


def edited(framework: Framework, text: bytes) -> str:
    return framework.configs[0].edit(Source.load("astro.config.mjs", text)).dump().decode()


@pytest.mark.parametrize("spec", ["7.3.5", "^7.0.0", "~7.3"])
def test_an_app_without_an_adapter_gets_the_one_that_makes_a_server(spec: str) -> None:
    framework, app = as_needed(astro=spec)
    made = edited(framework, EMPTY)
    assert "import node from '@astrojs/node';" in made
    assert "adapter: node({ mode: 'standalone' })" in made
    assert [pin.name for pin in framework.pins if pin.when(app)] == ["@astrojs/node"]
    assert framework.advice(app) == []


def test_another_adapter_stays() -> None:
    framework, app = as_needed(**{"astro": "^7.0.0", "@astrojs__vercel": "^10.0.0"})
    made = edited(framework, VERCEL)
    assert "adapter: vercel()" in made
    assert "@astrojs/node" not in made
    assert "integrations: [workflow()]" in made
    assert framework.advice(app) == []


def test_the_adapter_of_an_older_astro_is_for_a_person_to_choose() -> None:
    framework, app = as_needed(astro="^5.3.0")
    assert "@astrojs/node" not in edited(framework, EMPTY)
    assert [pin for pin in framework.pins if pin.when(app)] == []
    [advice] = framework.advice(app)
    assert "astro add node" in advice.text
    assert advice.snippet


def test_an_older_astro_that_has_the_adapter_is_left_to_itself() -> None:
    framework, app = as_needed(**{"astro": "^5.3.0", "@astrojs__node": "^9.0.0"})
    assert "adapter: node(" in edited(framework, EMPTY)
    assert framework.advice(app) == []
