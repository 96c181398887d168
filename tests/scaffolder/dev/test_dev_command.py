"""``studio dev`` as it is typed: what it refuses, and what session comes of its options."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.connection import connect
from workflow_studio.scaffolder.dev import command
from workflow_studio.scaffolder.dev.lock import SessionLock
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.node import NodeRuntime
from workflow_studio.scaffolder.worker.config_file import AppSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.scaffolder.dev.session import Session

ANSWERS = "_commit: v0.1.0\n_src_path: gh:org/workflow-studio\napp_dir: server\nframework: nitro\nmode: existing\n"
WORLD = "workflow-studio/world-remote"


@dataclass
class Sessions:
    """The sessions that were begun, and what they end with."""

    begun: list[Session] = field(default_factory=list)
    status: int = 0
    meanwhile: Any = None


def settings_like(_directory: Path, _node: NodeRuntime, variables: Mapping[str, str], **changes: Any) -> AppSettings:
    """What an app without settings of its own comes to."""
    settings = AppSettings(
        file="/shop/workflow.config.ts",
        target=WORLD,
        mode="remote",
        worker=variables["WORKFLOW_COMPUTE_BASE_URL"],
        is_meant=True,
        environment=variables["WORKFLOW_COMPUTE_ENVIRONMENT"] or None,
        key_variable="WORKFLOW_COMPUTE_API_KEY",
    )
    return replace(settings, **changes)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app as `studio scaffold` leaves it, with the packages that the command looks at; the current folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"scripts": {"dev": "serve"}}))
    (folder / ".copier-answers.yml").write_text(ANSWERS)
    packages = {"workflow": "4.8.9", "@workflow/core": "4.8.9"}
    packages |= dict.fromkeys(("@workflow/cli", "@workflow/builders", "esbuild"), "1.0.0")
    for name, version in packages.items():
        package = folder / "node_modules" / name / "package.json"
        package.parent.mkdir(parents=True)
        package.write_text(json.dumps({"name": name, "version": version}))
    for name in ("WORKFLOW_COMPUTE_BASE_URL", "WORKFLOW_COMPUTE_API_KEY", "WORKFLOW_STUDIO_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(command, "app_settings", settings_like)
    monkeypatch.setattr(
        command, "find_node", lambda: NodeRuntime(Path("/n/node"), ("/n/npm",), (24, 0, 0), bundled=False)
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """Sessions that end at once."""
    found = Sessions()

    async def run(session: Session) -> int:
        found.begun.append(session)
        if found.meanwhile:
            found.meanwhile()
        return found.status

    monkeypatch.setattr(command.Session, "run", run)
    return found


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["dev", *options, "--json"]) != 0
    error: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    return error


def test_a_session_with_a_worker_of_its_own(app: Path, sessions: Sessions) -> None:
    assert main(["dev"]) == 0
    (session,) = sessions.begun
    assert session.worker is not None
    assert session.environment is None
    assert session.worker.data_dir == app / ".workflow-studio/dev/.cache/worker"
    assert session.connection.url == f"http://localhost:{session.worker.port}"
    assert session.app is not None
    assert session.app.command == ["/n/npm", "run", "--silent", "dev"]
    sent = {name: value for name, value in session.app.env.items() if name.startswith("WORKFLOW_")}
    assert sent == {
        "WORKFLOW_TARGET_WORLD": WORLD,
        "WORKFLOW_COMPUTE_BASE_URL": session.connection.url,
        "WORKFLOW_COMPUTE_API_KEY": session.connection.api_key,
        "WORKFLOW_COMPUTE_ENVIRONMENT": "",
    }
    assert session.app.env["PATH"].startswith(f"{app}/node_modules/.bin:")
    assert (app / ".workflow-studio/.gitignore").read_text() == "*\n"


def test_the_status_of_the_app_is_the_commands(app: Path, sessions: Sessions) -> None:
    sessions.status = 7
    assert main(["dev", "--command", "node server.js"]) == 7
    assert sessions.begun[0].app is not None
    assert sessions.begun[0].app.command == ["/bin/sh", "-c", "node server.js"]


def test_the_key_stays_and_only_its_owner_reads_it(app: Path, sessions: Sessions) -> None:
    assert main(["dev"]) == main(["dev", "--port", "4567"]) == 0
    first, second = sessions.begun
    assert first.connection.api_key == second.connection.api_key
    assert second.connection.url == "http://localhost:4567"
    assert stat.S_IMODE((app / ".workflow-studio/dev/api-key").stat().st_mode) == 0o600


def test_runs_of_earlier_sessions_are_forgotten_on_request_only(app: Path, sessions: Sessions) -> None:
    database = app / ".workflow-studio/dev/.cache/worker/worker.db"
    database.parent.mkdir(parents=True)
    database.touch()
    assert main(["dev"]) == 0
    assert database.exists()
    assert main(["dev", "--fresh"]) == 0
    assert not database.exists()


def test_an_app_that_somebody_else_starts_finds_its_variables_in_a_file(app: Path, sessions: Sessions) -> None:
    (app / "package.json").write_text("{}")
    assert main(["dev", "--no-app"]) == 0
    assert sessions.begun[0].app is None
    file = app / ".workflow-studio/dev/app.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"WORKFLOW_TARGET_WORLD='{WORLD}'\n" in file.read_text()


def test_other_commands_in_the_folder_find_the_worker_while_it_runs(app: Path, sessions: Sessions) -> None:
    found: list[Any] = []
    sessions.meanwhile = lambda: found.append(connect(app))
    assert main(["dev"]) == 0
    assert found == [sessions.begun[0].connection.__class__(*_parts(sessions), found[0].key_source)]
    with pytest.raises(UsageError):
        connect(app)


def _parts(sessions: Sessions) -> tuple[str, str]:
    connection = sessions.begun[0].connection
    return connection.url, connection.api_key


def test_a_shared_worker(
    app: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(command, "check_access", lambda _, scope: asked.append(scope))
    monkeypatch.setattr(command.getpass, "getuser", lambda: "Ada L.")
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the-key-of-the-team")
    assert main(["dev", "--remote", "https://worker.example.com"]) == 0
    (session,) = sessions.begun
    assert session.worker is None
    assert session.environment == "dev-ada-l"
    assert session.app is not None
    sent = {name: value for name, value in session.app.env.items() if name.startswith("WORKFLOW_")}
    assert sent == {
        "WORKFLOW_TARGET_WORLD": WORLD,
        "WORKFLOW_COMPUTE_BASE_URL": "https://worker.example.com",
        "WORKFLOW_COMPUTE_API_KEY": "the-key-of-the-team",
        "WORKFLOW_COMPUTE_ENVIRONMENT": "dev-ada-l",
    }
    assert asked == ["deploy:write"]
    said = capsys.readouterr().out
    assert "studio environments delete dev-ada-l" in said
    assert "is not sent" not in said


@pytest.mark.parametrize(
    ("names", "shown"), [(("A_KEY", "B"), "(A_KEY, B)"), (tuple("ABCDEFG"), "(A, B, C, D, E and 2 more)")]
)
def test_a_shared_worker_gets_nothing_of_env_files_and_that_is_said(
    app: Path,
    sessions: Sessions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    shown: str,
) -> None:
    monkeypatch.setattr(command, "check_access", lambda *_: None)
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the-key-of-the-team")
    (app / ".env").write_text("".join(f"{name}=a-secret\n" for name in names) + "WORKFLOW_TARGET_WORLD=local\n")
    assert main(["dev", "--remote", "https://worker.example.com", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["session", "note", "note"]
    assert f"is not sent to that worker {shown}" in lines[1]["text"]
    assert "studio deployments env set" in lines[1]["text"]
    assert "a-secret" not in str(lines)


def test_the_key_is_in_the_variable_that_the_app_reads(
    app: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "app_settings", partial(settings_like, key_variable="TEAM_KEY"))
    assert main(["dev"]) == 0
    (session,) = sessions.begun
    assert session.app is not None
    assert session.app.env["TEAM_KEY"] == session.connection.api_key


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mode": "local"}, "mode"),
        ({"is_meant": False, "worker": "https://production"}, "remoteWorkerUrl"),
        ({"environment": "staging"}, "environment"),
    ],
)
def test_settings_that_would_lead_the_app_elsewhere(
    app: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    field: str,
) -> None:
    monkeypatch.setattr(command, "app_settings", partial(settings_like, **changes))
    error = refused(capsys)
    assert error["code"] == "config_wins"
    assert error["message"].startswith(f"/shop/workflow.config.ts sets execution.{field},")


def test_an_app_that_knows_no_environments(
    app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "check_access", lambda *_: None)
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the-key-of-the-team")
    monkeypatch.setattr(command, "app_settings", partial(settings_like, environment=None))
    assert refused(capsys, "--remote", "https://w.test")["code"] == "app_outdated"


def test_another_environment(app: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "check_access", lambda *_: None)
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the-key-of-the-team")
    assert main(["dev", "--remote", "https://w.example.com", "--environment", "feature-7"]) == 0
    assert sessions.begun[0].environment == "feature-7"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--remote", "https://w.test", "--port", "1"), "usage_error"),
        (("--remote", "https://w.test", "--fresh"), "usage_error"),
        (("--profile", "team", "--fresh"), "usage_error"),
        (("--environment", "dev-ada"), "usage_error"),
        (("--remote", "https://w.test"), "api_key_missing"),
        (("--remote", "w.test"), "invalid_url"),
    ],
)
def test_options_that_make_no_sense(
    app: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], code: str
) -> None:
    assert refused(capsys, *options)["code"] == code


def test_a_name_that_no_environment_has(
    app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "the-key-of-the-team")
    error = refused(capsys, "--remote", "https://w.test", "--environment", "Ada!")
    assert error["code"] == "invalid_environment"


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("package.json", "not_an_app"),
        (".copier-answers.yml", "not_scaffolded"),
        ("node_modules/workflow/package.json", "sdk_not_installed"),
    ],
)
def test_what_is_missing_is_said(app: Path, capsys: pytest.CaptureFixture[str], missing: str, code: str) -> None:
    (app / missing).unlink()
    error = refused(capsys)
    assert error["code"] == code
    assert error["hint"]


def test_an_app_without_a_script_for_development(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (app / "package.json").write_text("{}")
    assert refused(capsys)["code"] == "no_dev_script"


def test_without_a_worker_on_this_machine(
    app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert refused(capsys)["code"] == "worker_not_installed"


def test_one_session_in_a_folder(app: Path, sessions: Sessions, capsys: pytest.CaptureFixture[str]) -> None:
    state = app / ".workflow-studio/dev"
    state.mkdir(parents=True)
    with SessionLock(state / "lock"):
        assert refused(capsys)["code"] == "session_running"
    assert sessions.begun == []
