"""The framework adapters: what they make of a framework's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

PACKAGE = "./node_modules/workflow-studio"
REMOTE = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}


def test_next_reroutes_before_the_sdk_looks(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    assert (
        app.value(
            f"require('{PACKAGE}/next.cjs').withWorkflowStudioNext({{}}); return process.env.WORKFLOW_TARGET_WORLD"
        )
        == "workflow-studio/world-remote"
    )


def test_local_mode_changes_no_environment(app: App) -> None:
    assert (
        app.value(
            f"require('{PACKAGE}/next.cjs').withWorkflowStudioNext({{}});"
            "return process.env.WORKFLOW_TARGET_WORLD ?? null"
        )
        is None
    )


@pytest.mark.parametrize("config", ["{a: 1, outputFileTracingIncludes: {'/*': ['x'], '/y': ['z']}}", None])
def test_next_keeps_the_config_and_ships_the_package(app: App, config: str | None) -> None:
    given = f"async (phase) => ({{phase, ...{config}}})" if config else "{}"
    made = app.value(
        f"return require('{PACKAGE}/next.cjs').withWorkflowStudioNext({given})('phase-production-build', {{}})",
        **REMOTE,
    )
    includes = made["outputFileTracingIncludes"]
    assert includes["/*"][-2:] == ["./workflow-studio/**/*", "./node_modules/workflow-studio"]
    if config:
        assert (made["phase"], made["a"]) == ("phase-production-build", 1)
        assert includes == {"/*": ["x", *includes["/*"][-2:]], "/y": ["z"]}


@pytest.mark.parametrize("config", ["{a: 1, plugins: ['x']}", "Promise.resolve({a: 1, plugins: ['x']})"])
def test_sveltekit_keeps_the_config(app: App, config: str) -> None:
    made = app.value(
        f"const made = await require('{PACKAGE}/sveltekit.cjs').withWorkflowStudioSvelteKit({config});"
        "return [made.a, made.plugins[0], made.plugins[1].config()]"
    )
    assert made == [1, "x", {"ssr": {"external": ["workflow-studio"]}}]


def test_sveltekit_keeps_a_config_function(app: App) -> None:
    assert (
        app.value(
            f"const make = await require('{PACKAGE}/sveltekit.cjs').withWorkflowStudioSvelteKit("
            "({mode}) => ({mode}));"
            "return (await make({mode: 'test'})).mode"
        )
        == "test"
    )


@pytest.mark.parametrize(("file", "name"), [("next", "withWorkflowStudioNext"), ("nitro", "withWorkflowStudioNitro")])
def test_a_promise_in_place_of_a_config_is_refused(app: App, file: str, name: str) -> None:
    error = app.error(f"require('{PACKAGE}/{file}.cjs').{name}(Promise.resolve({{}}))")
    assert "await" in error["message"]
