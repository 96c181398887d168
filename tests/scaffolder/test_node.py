"""Which Node.js is used, and what is said when there is none."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder import node as module
from workflow_studio.scaffolder.errors import NodeNotFoundError
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeNode = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel with Node.js counts only in tests that install a fake one."""
    monkeypatch.setattr(module, "_bundled_root", lambda: None)


@pytest.fixture
def make_node(tmp_path: Path) -> MakeNode:
    def make(version: str, *, name: str = "system", npm: bool = True) -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        script(home / "bin/node", f'echo "{version}"')
        if npm:
            cli = home / "lib/node_modules/npm/bin/npm-cli.js"
            cli.parent.mkdir(parents=True)
            cli.write_text("// npm\n")
        return home

    return make


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def path_of(*homes: Path) -> dict[str, str]:
    # /bin is left out: a Node.js of this machine must not be found.
    return {"PATH": os.pathsep.join(str(home / "bin") for home in homes)}


def test_the_node_on_path_is_used_with_its_own_npm(make_node: MakeNode) -> None:
    home = make_node("v20.11.1")
    found = find_node(path_of(home))
    assert (found.version, found.bundled) == ((20, 11, 1), False)
    assert found.npm_command("install") == [
        str(home / "bin/node"),
        str(home / "lib/node_modules/npm/bin/npm-cli.js"),
        "install",
    ]


def test_children_find_the_same_node(make_node: MakeNode) -> None:
    home = make_node("v22.1.0")
    environment = find_node(path_of(home)).environment({"PATH": "/usr/bin", "OTHER": "1"})
    assert environment == {"PATH": f"{home / 'bin'}:/usr/bin", "OTHER": "1"}


def test_an_old_node_is_named_in_the_error(make_node: MakeNode) -> None:
    home = make_node("v18.20.4")
    with pytest.raises(NodeNotFoundError) as caught:
        find_node(path_of(home))
    assert f"{home / 'bin/node'} is Node.js 18.20.4" in caught.value.message
    assert "pip install 'workflow-studio[node]'" in str(caught.value.hint)


def test_a_broken_node_is_named_in_the_error(make_node: MakeNode) -> None:
    home = make_node("v20.0.0")
    script(home / "bin/node", "exit 3")
    with pytest.raises(NodeNotFoundError, match="not a working Node"):
        find_node(path_of(home))


def test_no_node_at_all() -> None:
    with pytest.raises(NodeNotFoundError, match=r"No Node\.js 20 or later was found\.$"):
        find_node({"PATH": "/nonexistent"})


@pytest.mark.parametrize("system", ["v16.3.0", None])
def test_the_bundled_node_steps_in_for_an_old_or_missing_one(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch, system: str | None, tmp_path: Path
) -> None:
    bundled = make_node("v22.20.0", name="wheel")
    monkeypatch.setattr(module, "_bundled_root", lambda: bundled)
    environment = path_of(make_node(system)) if system else {"PATH": "/nonexistent"}
    found = find_node(environment)
    assert (found.bundled, found.version_text) == (True, "22.20.0")
    assert found.npm == (str(bundled / "bin/node"), str(bundled / "lib/node_modules/npm/bin/npm-cli.js"))


def test_a_good_system_node_comes_before_the_bundled_one(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = make_node("v22.20.0", name="wheel")
    monkeypatch.setattr(module, "_bundled_root", lambda: bundled)
    assert not find_node(path_of(make_node("v20.20.2"))).bundled


def test_scripts_find_the_bundled_npm_by_name(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundled = make_node("v22.20.0", name="wheel dir")
    script(bundled / "bin/node", 'if [ "$1" = --version ]; then echo v22.20.0; else echo ran "$@"; fi')
    monkeypatch.setattr(module, "_bundled_root", lambda: bundled)
    base = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment = find_node({"PATH": "/nonexistent"}).environment(base)
    said = subprocess.run(
        ["npm", "run", "two words"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said == f"ran {bundled / 'lib/node_modules/npm/bin/npm-cli.js'} run two words\n"
    assert find_node({"PATH": "/nonexistent"}).environment(base) == environment


def test_a_read_only_cache_still_leaves_node_on_path(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundled = make_node("v22.20.0", name="wheel")
    monkeypatch.setattr(module, "_bundled_root", lambda: bundled)
    (tmp_path / "file").touch()
    base = {"PATH": "/usr/bin", "XDG_CACHE_HOME": str(tmp_path / "file")}
    assert find_node({"PATH": "/nonexistent"}).environment(base)["PATH"] == f"{bundled / 'bin'}:/usr/bin"


def test_an_explicit_choice_is_never_overruled(make_node: MakeNode) -> None:
    good, old = make_node("v20.20.2"), make_node("v18.0.0", name="old")
    with pytest.raises(NodeNotFoundError, match=r"STUDIO_NODE is .* is Node\.js 18\.0\.0; 20 or later is needed"):
        find_node({**path_of(good), "STUDIO_NODE": str(old / "bin/node")})
    with pytest.raises(NodeNotFoundError, match="not an executable file"):
        find_node({**path_of(good), "STUDIO_NODE": "/nonexistent/node"})
    chosen = make_node("v24.1.0", name="chosen")
    assert find_node({**path_of(good), "STUDIO_NODE": str(chosen / "bin/node")}).version == (24, 1, 0)


def test_an_npm_that_is_elsewhere_on_path_is_run_by_the_chosen_node(make_node: MakeNode, tmp_path: Path) -> None:
    home = make_node("v20.0.0", npm=False)
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    (other / "npm-cli.js").write_text("// npm\n")
    (other / "npm-cli.js").chmod(0o755)
    (other / "bin/npm").symlink_to(other / "npm-cli.js")
    assert find_node(path_of(home, other)).npm == (str(home / "bin/node"), str(other / "npm-cli.js"))


def test_a_node_without_npm_says_so_when_npm_is_needed(make_node: MakeNode) -> None:
    found = find_node(path_of(make_node("v20.0.0", npm=False)))
    with pytest.raises(NodeNotFoundError) as caught:
        found.npm_command("install")
    assert caught.value.code == "npm_not_found"


def test_a_newer_line_is_asked_for_where_the_app_needs_one(make_node: MakeNode) -> None:
    environment = path_of(make_node("v20.19.0"))
    assert find_node(environment).version == (20, 19, 0)
    with pytest.raises(NodeNotFoundError, match=r"No Node\.js 22 or later was found") as caught:
        find_node(environment, minimum=22)
    assert "Install Node.js 22 or later" in (caught.value.hint or "")
