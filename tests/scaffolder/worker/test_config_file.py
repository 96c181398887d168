"""``studio worker start --config``: the worker section of the app's own configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.template import copy_template, render
from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.node import NodeRuntime, find_node
from workflow_studio.scaffolder.worker.config_file import app_settings, settings_from_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    return render(copy_template(folder / "template"), folder / "app", "nitro", project_name="app")


@pytest.fixture
def app(generated: Path, tmp_path: Path) -> Path:
    """An app with the generated package in its place, and no configuration."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/workflow-studio").symlink_to(generated / "workflow-studio")
    return tmp_path


@pytest.fixture(scope="module")
def node() -> NodeRuntime:
    return find_node()


def configure(app: Path, content: str) -> Path:
    file = app / "workflow.config.cjs"
    file.write_text(content)
    return file


def test_every_setting_arrives(app: Path, node: NodeRuntime) -> None:
    key = {"keyId": "app", "projectId": "p", "environment": "e", "scopes": ["world:proxy"], "secret": "s" * 32}
    worker = {
        "server": {"host": "0.0.0.0", "port": 9000, "requestOrigin": "https://worker.test"},
        "security": {"requireHttps": True},
        "auth": {"seedApiKeys": [key]},
    }
    file = configure(app, f"console.log('noise'); module.exports = {{ worker: {json.dumps(worker)} }};")
    settings = settings_from_config(file, node)
    assert json.loads(settings.pop("seed_api_keys")) == [key]
    assert settings == {
        "host": "0.0.0.0",
        "port": "9000",
        "public_url": "https://worker.test",
        "require_https": "true",
    }


def test_the_apps_folder_will_do(app: Path, node: NodeRuntime) -> None:
    configure(app, "module.exports = { worker: { server: { port: 9001 } } };")
    assert settings_from_config(app, node) == {"port": "9001"}


def test_a_configuration_without_a_worker_section_sets_nothing(app: Path, node: NodeRuntime) -> None:
    assert settings_from_config(configure(app, "module.exports = { execution: { mode: 'remote' } };"), node) == {}


@pytest.mark.parametrize(
    ("worker", "field"),
    [
        ("{ world: () => ({}) }", "worker.world"),
        ("{ compute: () => ({}) }", "worker.compute"),
        ("{ storage: { sqlitePath: './worker.db' } }", "worker.storage.sqlitePath"),
    ],
)
def test_what_this_worker_does_not_do_is_refused(app: Path, node: NodeRuntime, worker: str, field: str) -> None:
    file = configure(app, f"module.exports = {{ worker: {worker} }};")
    with pytest.raises(WorkerError, match=field) as caught:
        settings_from_config(file, node)
    assert caught.value.code == "unsupported_config"
    assert caught.value.hint


def test_a_broken_configuration_is_named(app: Path, node: NodeRuntime) -> None:
    file = configure(app, "throw new Error('half written');")
    with pytest.raises(WorkerError, match="half written") as caught:
        settings_from_config(file, node)
    assert caught.value.code == "invalid_config"


def test_a_file_that_is_not_there_is_an_error(app: Path, node: NodeRuntime) -> None:
    with pytest.raises(WorkerError) as caught:
        settings_from_config(app / "workflow.config.ts", node)
    assert caught.value.code == "config_not_found"


def test_an_app_without_the_package_is_told_what_to_do(tmp_path: Path, node: NodeRuntime) -> None:
    with pytest.raises(WorkerError, match="no package workflow-studio") as caught:
        settings_from_config(configure(tmp_path, "module.exports = {};"), node)
    assert "studio scaffold" in (caught.value.hint or "")


ENVIRONMENT = {
    "WORKFLOW_COMPUTE_BASE_URL": "http://localhost:8787/",
    "WORKFLOW_COMPUTE_API_KEY": "key",
    "WORKFLOW_COMPUTE_ENVIRONMENT": "",
}


def test_an_app_sends_its_runs_where_its_variables_say(app: Path, node: NodeRuntime) -> None:
    settings = app_settings(app, node, ENVIRONMENT)
    assert (settings.mode, settings.worker, settings.is_meant) == ("remote", "http://localhost:8787", True)
    assert settings.target == "workflow-studio/world-remote"
    assert settings.key_variable == "WORKFLOW_COMPUTE_API_KEY"
    assert (settings.environment, settings.file) == (None, None)
    named = app_settings(app, node, {**ENVIRONMENT, "WORKFLOW_COMPUTE_ENVIRONMENT": "dev-ada"})
    assert named.environment == "dev-ada"


def test_the_configuration_wins_over_the_variables(app: Path, node: NodeRuntime) -> None:
    execution = {"mode": "local", "remoteWorkerUrl": "https://worker.test", "apiKeyEnv": "K", "environment": "staging"}
    document = {"execution": execution, "remoteWorldTarget": "./worlds/mine.cjs"}
    file = configure(app, f"module.exports = {json.dumps(document)};")
    settings = app_settings(app, node, ENVIRONMENT)
    assert (settings.mode, settings.worker, settings.is_meant) == ("local", "https://worker.test", False)
    assert (settings.key_variable, settings.environment) == ("K", "staging")
    assert (settings.target, settings.file) == ("./worlds/mine.cjs", str(file))
