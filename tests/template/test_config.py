"""Settings: where they come from, which one wins, and what a wrong one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

STUDIO = "const studio = require('workflow-studio');"
RESOLVE = f"{STUDIO} return studio.resolveWorkflowStudioAdapterConfig"

CONFIGS = {
    "ts": "import { defineWorkflowStudioConfig } from 'workflow-studio';\n"
    "const retries: number = 7;\nexport default defineWorkflowStudioConfig({ execution: { retries } });\n",
    "mts": "const retries: number = 7;\nexport default { execution: { retries } };\n",
    "js": "module.exports = { execution: { retries: 7 } };\n",
    "mjs": "export default { execution: { retries: 7 } };\n",
    "cjs": "module.exports = { execution: { retries: 7 } };\n",
    "json": '{"execution": {"retries": 7}}',
}
# Stands in for the esbuild that the Workflow SDK brings: the tests of the apps use the real one.
ESBUILD = """
const fs = require('node:fs');
exports.buildSync = ({ entryPoints: [file] }) => {
  const text = fs.readFileSync(file, 'utf8')
    .replace(/import \\{ (\\w+) \\} from '(.*)';/, "const { $1 } = require('$2');")
    .replace(': number', '')
    .replace('export default', 'exports.default =');
  return { outputFiles: [{ text }] };
};
"""


def install_sdk(app: App) -> None:
    for name in ("workflow", "@workflow/next", "@workflow/builders", "esbuild"):
        app.write(f"node_modules/{name}/package.json", '{"main": "index.js"}')
    app.write("node_modules/esbuild/index.js", ESBUILD)


@pytest.mark.parametrize("suffix", CONFIGS)
def test_every_form_of_the_file_is_read_synchronously(app: App, suffix: str) -> None:
    install_sdk(app)
    app.write(f"workflow.config.{suffix}", CONFIGS[suffix])
    assert app.value(f"{RESOLVE}().retries") == 7


@pytest.mark.parametrize("suffix", ["js", "cjs", "json"])
def test_plain_files_need_no_compiler(app: App, suffix: str) -> None:
    app.write(f"workflow.config.{suffix}", CONFIGS[suffix])
    assert app.value(f"{RESOLVE}().retries") == 7


def test_typescript_without_a_compiler_says_what_to_do(app: App) -> None:
    app.write("workflow.config.ts", CONFIGS["mts"])
    # Old Node.js versions cannot read TypeScript; where this one can, there is nothing to refuse.
    if app.value("return Boolean(process.features.typescript)"):
        assert app.value(f"{RESOLVE}().retries") == 7
        return
    error = app.error(f"{RESOLVE}()")
    assert error["code"] == "invalid_config"
    assert "workflow.config.ts" in error["message"]
    assert "workflow.config.json" in error["message"]


def test_options_win_over_the_file_which_wins_over_the_environment(app: App) -> None:
    app.write(
        "workflow.config.json",
        '{"execution": {"remoteWorkerUrl": "https://file.example.com/", "retries": 5, "apiKeyEnv": "KEY_OF_FILE"}}',
    )
    options = "{execution: {retries: 9, remoteWorkerUrl: undefined}}"
    resolved = app.value(
        f"{STUDIO} const config = studio.resolveWorkflowStudioAdapterConfig(undefined, {options});"
        "return {...config, apiKey: config.apiKey}",
        WORKFLOW_COMPUTE_BASE_URL="https://env.example.com",
        WORKFLOW_COMPUTE_API_KEY="key-of-env",
        KEY_OF_FILE="key-of-file",
        WORKFLOW_TARGET_WORLD="workflow-studio/world-remote",
    )
    assert resolved["retries"] == 9
    assert resolved["baseUrl"] == "https://file.example.com"
    assert resolved["apiKey"] == "key-of-file"
    assert resolved["executionMode"] == "remote"
    assert resolved["failPolicy"] == "error"


def test_without_a_file_the_environment_is_all(app: App) -> None:
    resolved = app.value(f"{RESOLVE}()", WORKFLOW_COMPUTE_BASE_URL="http://localhost:8787//")
    assert resolved["baseUrl"] == "http://localhost:8787"
    assert resolved["executionMode"] == "local"
    assert "configFile" not in resolved


def test_the_environment_of_the_worker_comes_from_the_file_or_its_variable(app: App) -> None:
    assert "environment" not in app.value(f"{RESOLVE}()", WORKFLOW_COMPUTE_ENVIRONMENT="")
    assert app.value(f"{RESOLVE}().environment", WORKFLOW_COMPUTE_ENVIRONMENT="staging") == "staging"
    app.write("workflow.config.json", '{"execution": {"environment": "dev-ada"}}')
    assert app.value(f"{RESOLVE}().environment", WORKFLOW_COMPUTE_ENVIRONMENT="staging") == "dev-ada"


def test_what_cannot_be_an_environment_is_refused_with_where_it_is(app: App) -> None:
    error = app.error(f"{RESOLVE}()", WORKFLOW_COMPUTE_ENVIRONMENT="Dev Ada")
    assert (error["code"], 'WORKFLOW_COMPUTE_ENVIRONMENT is "Dev Ada"' in error["message"]) == ("invalid_config", True)
    app.write("workflow.config.json", '{"execution": {"environment": "-"}}')
    error = app.error(f"{RESOLVE}()")
    assert (error["code"], "execution.environment" in error["message"]) == ("invalid_config", True)


@pytest.mark.parametrize(
    ("options", "file", "target", "remote"),
    [
        ("{}", None, None, False),
        ("{}", None, "workflow-studio/world-remote", True),
        ("{}", None, "local", False),
        ("{}", '{"execution": {"mode": "remote"}}', None, True),
        ("{}", '{"execution": {"mode": "local"}}', "workflow-studio/world-remote", False),
        ("{execution: {mode: 'remote'}}", '{"execution": {"mode": "local"}}', None, True),
        ("{}", '{"remoteWorldTarget": "./own-world.cjs"}', "./own-world.cjs", True),
    ],
)
def test_who_decides_where_workflows_run(
    app: App, options: str, file: str | None, target: str | None, *, remote: bool
) -> None:
    if file:
        app.write("workflow.config.json", file)
    env = {"WORKFLOW_TARGET_WORLD": target} if target else {}
    assert app.value(f"{STUDIO} return studio.shouldExecuteRemotely({options})", **env) is remote


def test_printing_the_settings_does_not_print_the_key(app: App) -> None:
    shown = app.value(
        f"{STUDIO} const config = studio.resolveWorkflowStudioAdapterConfig();"
        "return require('node:util').inspect(config) + JSON.stringify(config) + config.apiKey.length",
        WORKFLOW_COMPUTE_API_KEY="key-of-env",
    )
    assert "key-of-env" not in shown
    assert shown.endswith("10")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('{"execution": {"retries": "many"}}', ["execution.retries", "whole number from 0 to 20", '"many"']),
        ('{"execution": {"timeout": 5}}', ["unknown setting execution.timeout", "timeoutMs"]),
        ('{"execution": {"mode": "cloud"}}', ["execution.mode", "'local' or 'remote'"]),
        ('{"execution": {"remoteWorkerUrl": "worker:1"}}', ["execution.remoteWorkerUrl", "http"]),
        ('{"execution": {"remoteWorkerUrl": "http://u:p@h"}}', ["execution.remoteWorkerUrl", "user name"]),
        ('{"executions": {}}', ["workflow.config.json", "executions"]),
        ("[]", ["workflow.config.json", "config object"]),
        ("{", ["workflow.config.json", "cannot be loaded"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(app: App, config: str, says: list[str]) -> None:
    app.write("workflow.config.json", config)
    error = app.error(f"{RESOLVE}()")
    assert (error["name"], error["code"]) == ("WorkflowStudioConfigError", "invalid_config")
    for part in says:
        assert part in error["message"]


def test_a_key_in_place_of_its_variable_is_not_repeated(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"apiKeyEnv": "sk-live-0123"}}')
    error = app.error(f"{RESOLVE}()")
    assert "execution.apiKeyEnv" in error["message"]
    assert "sk-live-0123" not in error["message"]


def test_two_config_files_are_one_too_many(app: App) -> None:
    app.write("workflow.config.json", "{}")
    app.write("workflow.config.cjs", "module.exports = {};")
    assert "Keep one of them" in app.error(f"{RESOLVE}()")["message"]


def test_an_edited_file_is_read_again(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"retries": 1}}')
    assert app.value(
        f"{STUDIO} const retries = () => studio.resolveWorkflowStudioAdapterConfig().retries; const first = retries();"
        "const fs = require('node:fs'); fs.writeFileSync('workflow.config.json', '{\"execution\": {\"retries\": 2}}');"
        "fs.utimesSync('workflow.config.json', 1, 1); return [first, retries()]"
    ) == [1, 2]
