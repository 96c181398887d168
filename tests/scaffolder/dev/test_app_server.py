"""What starts the app's own server, and where it listens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workflow_studio.scaffolder.dev.app_server import dev_command, find_taken_port, find_url
from workflow_studio.scaffolder.errors import BuildError, StudioError
from workflow_studio.scaffolder.node import NodeRuntime

NODE = NodeRuntime(Path("/n/node"), ("/n/node", "/n/npm.js"), (24, 0, 0), bundled=False)


def app(folder: Path, **package: object) -> Path:
    (folder / "package.json").write_text(json.dumps(package))
    return folder


def test_the_script_is_run_by_the_package_manager_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app(tmp_path, scripts={"dev": "next dev", "start:dev": "other"})
    assert dev_command(tmp_path, NODE, None) == (["/n/node", "/n/npm.js", "run", "--silent", "dev"], "npm run dev")
    (tmp_path / "pnpm-lock.yaml").touch()
    (tmp_path / "pnpm").write_text("#!/bin/sh\n")
    (tmp_path / "pnpm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev_command(tmp_path, NODE, None) == ([str(tmp_path / "pnpm"), "run", "dev"], "pnpm run dev")


def test_nests_name_for_the_script(tmp_path: Path) -> None:
    assert dev_command(app(tmp_path, scripts={"start:dev": "nest start --watch"}), NODE, None)[1] == "npm run start:dev"


def test_a_command_of_the_users_own(tmp_path: Path) -> None:
    command = dev_command(app(tmp_path), NODE, "PORT=1 node 'my server.js'")
    assert command == (["/bin/sh", "-c", "PORT=1 node 'my server.js'"], "PORT=1 node 'my server.js'")


@pytest.mark.parametrize(
    ("package", "files", "code"),
    [
        ({"scripts": {"build": "x"}}, (), "no_dev_script"),
        ({}, (), "no_dev_script"),
        ({"scripts": ["dev"]}, (), "no_dev_script"),
        ({"scripts": {"dev": "x"}}, ("yarn.lock",), "package_manager_not_found"),
    ],
)
def test_an_app_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: dict[str, object], files: tuple[str, ...], code: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    app(tmp_path, **package)
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(StudioError) as caught:
        dev_command(tmp_path, NODE, None)
    assert caught.value.code == code
    assert "--command" in str(caught.value.hint)


def test_a_folder_without_an_app(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        dev_command(tmp_path, NODE, "x")
    assert caught.value.code == "not_an_app"


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("   - Local:         http://localhost:3000", "http://localhost:3000"),
        ("  \x1b[32m➜\x1b[39m  \x1b[1mLocal\x1b[22m:   \x1b[36mhttp://localhost:\x1b[1m5173\x1b[22m/\x1b[39m", "http://localhost:5173"),
        ("➜ Listening on: http://localhost:3000/ (all interfaces)", "http://localhost:3000"),
        ("  ➜ Local:    http://0.0.0.0:3000/", "http://localhost:3000"),
        ("Server listening at http://[::]:8080", "http://localhost:8080"),
        ("Server listening at http://[::1]:8080.", "http://[::1]:8080"),
        ("┃ Local    https://127.0.0.1:4321/base/", "https://127.0.0.1:4321/base"),
        ("listening (http://localhost:3000)", "http://localhost:3000"),
        ("- Network: http://192.168.0.12:3000", None),
        ("see https://nextjs.org/docs and http://localhost.example.com", None),
        ("compiled in 3 s", None),
    ],
)  # fmt: skip
def test_the_address_in_what_servers_print(line: str, url: str | None) -> None:
    assert find_url(line) == url


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("Error: listen EADDRINUSE: address already in use :::3000", 3000),
        ("Error: listen EADDRINUSE: address already in use 127.0.0.1:8080", 8080),
        ("Error: listen EADDRINUSE: address already in use ::1:3000", 3000),
        ('{"level":60,"msg":"listen EADDRINUSE: address already in use 0.0.0.0:3000"}', 3000),
        ("\x1b[31mError: Port 5173 is already in use\x1b[0m", 5173),
        ("⚠ Port 3000 is in use by process 12, using available port 3001 instead.", None),
        ("Port 5173 is in use, trying another one...", None),
        ("  code: 'EADDRINUSE',", None),
    ],
)
def test_the_port_that_a_server_cannot_have(line: str, port: int | None) -> None:
    assert find_taken_port(line) == port
