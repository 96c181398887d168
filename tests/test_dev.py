"""``dev.py``: what a bare machine gets, and that nothing happens twice."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, working on a checkout of its own, with an environment that is only a folder."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", *(f"{member}/pyproject.toml" for member in module.MEMBERS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv/stamp.json")
    monkeypatch.setattr(module, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(module, "has_system_node", lambda: True)
    return module


@pytest.fixture
def installs(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    done: list[Any] = []
    monkeypatch.setattr(dev, "install", lambda groups, *, with_node: done.append((groups, with_node)))
    return done


def test_a_second_time_nothing_is_installed(dev: ModuleType, installs: list[Any]) -> None:
    dev.ensure_environment(("test",))
    dev.ensure_environment(("test",))
    dev.ensure_environment(())
    assert installs == [(["test"], False)]


def test_a_wider_command_adds_to_what_is_there(dev: ModuleType, installs: list[Any]) -> None:
    dev.ensure_environment(())
    dev.ensure_environment(("test",))
    dev.ensure_environment(("dev", "docs"))
    dev.ensure_environment(("test",))
    assert installs == [([], False), (["test"], False), (["dev", "docs", "test"], False)]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "runtime/worker/pyproject.toml"])
def test_a_change_of_the_inputs_installs_again(dev: ModuleType, installs: list[Any], name: str) -> None:
    dev.ensure_environment(())
    with (dev.ROOT / name).open("a") as file:
        file.write("# changed\n")
    dev.ensure_environment(())
    assert len(installs) == 2


def test_an_interrupted_installation_starts_over(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dev, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dev.ensure_environment(())
    assert dev.read_stamp() == {}


def test_without_node_a_bundled_one_is_installed(
    dev: ModuleType, installs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "has_system_node", lambda: False)
    dev.ensure_environment(())
    assert installs == [([], True)]
    # It stays when the machine gets a Node.js of its own: environments do not shrink.
    monkeypatch.setattr(dev, "has_system_node", lambda: True)
    dev.ensure_environment(())
    assert installs == [([], True)]


def test_what_pip_is_asked_for(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    class Done:
        returncode = 0

    def run(command: list[str], **_: object) -> Done:
        commands.append([str(part) for part in command])
        return Done()

    monkeypatch.setattr(dev.subprocess, "run", run)
    (dev.ROOT / "constraints.txt").touch()
    dev.install(["test"], with_node=True)
    command = commands[-1]
    assert command[1:4] == ["-m", "pip", "install"]
    assert command[command.index("-c") + 1] == str(dev.ROOT / "constraints.txt")
    editable = [command[index + 1] for index, part in enumerate(command) if part == "-e"]
    assert editable == [
        f"{dev.ROOT}/{name}"
        for name in ("runtime/compute", "runtime/client", "runtime/worker", "scaffolder[worker,node]")
    ]
    assert {"pytest", "pytest-xdist", "hypothesis"} <= set(command)
    assert not any("index" in part for part in command), "pip's own configuration says where packages come from"


def test_groups_include_other_groups(dev: ModuleType) -> None:
    assert set(dev.requirements_of(["test"])) < set(dev.requirements_of(["dev"]))
    assert "ruff" in dev.requirements_of(["dev"])


def test_a_python_that_cannot_make_environments_says_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho 'The virtual environment was not created: ensurepip is not available' >&2\nexit 1\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(dev.sys, "executable", str(python))
    with pytest.raises(dev.SetupError, match=r"ensurepip is not available\n.*apt-get install python3\.\d+-venv"):
        dev.make_venv()


@pytest.mark.parametrize(
    ("arguments", "selection"),
    [
        ([], ["-n", "auto", "-m", "not e2e"]),
        (["-k", "wire", "-x"], ["-n", "auto", "-m", "not e2e", "-k", "wire", "-x"]),
        (["--all"], ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]),
        (["-m", "node"], ["-n", "auto", "-m", "node"]),
    ],
)
def test_what_pytest_is_asked_for(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, arguments: list[str], selection: list[str]
) -> None:
    became: list[Any] = []
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(dev, "become", lambda *command: became.append([str(part) for part in command]))
    dev.test(arguments)
    assert became == [[str(dev.PYTHON), "-m", "pytest", *selection]]


@pytest.mark.parametrize(
    ("says", "good"), [("v20.0.0", True), ("v24.1.0", True), ("v18.20.4", False), ("nonsense", False)]
)
def test_which_node_is_good_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, good: bool) -> None:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module.has_system_node() is good
    (tmp_path / "npm").unlink()
    assert module.has_system_node() is False


def test_the_help_names_every_command(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main([]) == 0
    assert dev.main(["nonsense"]) == 2
    text = capsys.readouterr().out
    assert all(f"dev.py {command}" in text for command in dev.GROUPS)


def test_a_stamp_that_is_damaged_counts_as_none(dev: ModuleType) -> None:
    dev.STAMP.write_text("[1, 2")
    assert dev.read_stamp() == {}
    dev.STAMP.write_text(json.dumps([1]))
    assert dev.read_stamp() == {}
