"""Apps that Vite builds: what each of them needs, and what is left to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, App

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold.frameworks import Framework


def app_with(depends: dict[str, str], files: dict[str, str] | None = None) -> App:
    return App(src="", depends=depends, read=(files or {}).get)


def edited(framework: Framework, text: str) -> str:
    return framework.configs[0].edit(Source.load("vite.config.ts", text.encode())).dump().decode()


def test_a_page_gets_a_server_and_the_routes_of_the_sdk() -> None:
    made = edited(SUPPORTED["vite"], "import { defineConfig } from 'vite';\n\nexport default defineConfig({});\n")
    assert "plugins: [nitro(), workflow()]" in made
    assert "export default withWorkflowStudioVite(defineConfig({" in made


@pytest.mark.parametrize("library", ["react", "solid"])
def test_the_sdk_sees_the_source_before_tanstack_start(library: str) -> None:
    made = edited(
        SUPPORTED["tanstack-start"],
        f"import {{ tanstackStart }} from '@tanstack/{library}-start/plugin/vite';\n"
        "import { defineConfig } from 'vite';\n\nexport default defineConfig({ plugins: [tanstackStart()] });\n",
    )
    assert "plugins: [workflow(), tanstackStart(), nitro()]" in made


@pytest.mark.parametrize(
    ("depends", "notes"),
    [
        ({"@tanstack/react-start": "1.169.5"}, 0),
        ({"@tanstack/react-start": "1.169.5", "@cloudflare/vite-plugin": "^1.0.0"}, 1),
        ({"@tanstack/react-start": "1.169.5", "@netlify/vite-plugin-tanstack-start": "^1.0.0"}, 1),
    ],
)
def test_another_maker_of_servers_is_named(depends: dict[str, str], notes: int) -> None:
    found = SUPPORTED["tanstack-start"].advice(app_with(depends))
    assert len(found) == notes
    assert all(advice.text.endswith("out of the plugins") for advice in found)


@pytest.mark.parametrize(
    ("depends", "needed"),
    [
        ({"@react-router/dev": "^7.18.1"}, True),
        ({"@react-router/dev": "7"}, True),
        ({"react-router": "~7.18"}, True),
        ({"@react-router/dev": "8.4.0"}, False),
        ({"@react-router/dev": "^17.0.0"}, False),
        ({"@react-router/dev": "latest"}, False),
    ],
)
def test_only_react_router_7_needs_the_flag_of_8(depends: dict[str, str], needed: bool) -> None:
    _, flag = SUPPORTED["react-router"].configs
    assert flag.when(app_with(depends)) is needed


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("react-router.config.ts", "export default {\n  // ssr: false\n  ssr: true,\n} satisfies Config;\n", None),
        ("react-router.config.ts", "export default {\n  future: {},\n  ssr: false,\n} satisfies Config;\n", 3),
        ("react-router.config.mjs", "export default { ssr : false };\n", 1),
        ("react-router.config.js", "export default { prerender: true };\n", None),
    ],
)
def test_an_app_without_a_server_is_left_to_a_person(name: str, text: str, line: int | None) -> None:
    found = SUPPORTED["react-router"].advice(app_with({}, {name: text}))
    assert [(advice.path, advice.line) for advice in found] == ([(name, line)] if line else [])
    assert all(advice.snippet for advice in found)


@pytest.mark.parametrize("framework", ["vite", "tanstack-start", "react-router"])
@pytest.mark.parametrize(
    ("spec", "fine"),
    [("3.0.260610-beta", True), ("^3.0.260903-beta", True), ("3.0.0", False), ("latest", False), ("^2.13.0", False)],
)
def test_a_nitro_that_serves_no_routes_is_named(framework: str, spec: str, fine: bool) -> None:
    [pin] = SUPPORTED[framework].pins
    assert pin.allows(spec) is fine
