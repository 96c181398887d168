"""Profiles: which worker and which key they name, and what is refused."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.connection import connect
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.profiles import profiles_path, read_profiles

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

FILE = """
default_profile = "staging"

[profiles.staging]
url = "https://staging.test/"
api_key_env = "STAGING_KEY"

[profiles.production]
url = "https://production.test"
api_key_env = "PRODUCTION_KEY"

[profiles.home]
url = "http://localhost:9000"

[profiles.ada]
url = "https://staging.test"
environment = "dev-ada"
"""
KEYS = {"STAGING_KEY": "staging-key", "PRODUCTION_KEY": "production-key", "WORKFLOW_COMPUTE_API_KEY": "default-key"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    monkeypatch.setenv("WORKFLOW_STUDIO_CONFIG", str(path))
    return path


def test_a_profile_may_name_the_environment(tmp_path: Path, file: Path) -> None:
    variables = KEYS | {"WORKFLOW_COMPUTE_ENVIRONMENT": "of-the-variable"}
    assert connect(tmp_path, profile="ada", environment=variables).environment == "dev-ada"
    assert connect(tmp_path, profile="ada", worker_environment="mine", environment=variables).environment == "mine"
    assert connect(tmp_path, profile="staging", environment=variables).environment == "of-the-variable"
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_ENVIRONMENT=of-the-app\n")
    assert connect(tmp_path, profile="staging", environment=KEYS).environment is None


def refusal(tmp_path: Path, **options: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        connect(tmp_path, environment={}, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.usefixtures("file")
class TestChoosing:
    def test_the_option_names_a_worker_and_its_key(self, tmp_path: Path) -> None:
        found = connect(tmp_path, profile="production", environment=KEYS)
        assert (found.url, found.api_key, found.key_source) == (
            "https://production.test",
            "production-key",
            "PRODUCTION_KEY",
        )

    def test_the_option_comes_before_the_environment(self, tmp_path: Path) -> None:
        environment = KEYS | {
            "WORKFLOW_STUDIO_PROFILE": "staging",
            "WORKFLOW_COMPUTE_BASE_URL": "https://environment.test",
        }
        assert connect(tmp_path, profile="production", environment=environment).url == "https://production.test"
        assert connect(tmp_path, environment=environment).url == "https://staging.test"
        assert connect(tmp_path, url="https://option.test", environment=environment).url == "https://option.test"

    def test_the_default_profile_comes_last(self, tmp_path: Path) -> None:
        assert connect(tmp_path, environment=KEYS).url == "https://staging.test"
        environment = KEYS | {"WORKFLOW_COMPUTE_BASE_URL": "https://environment.test"}
        assert connect(tmp_path, environment=environment).url == "https://environment.test"

    def test_a_profile_gets_no_other_workers_key(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_API_KEY=key-of-the-app\nPRODUCTION_KEY=another\n")
        error = refusal(tmp_path, profile="production")
        assert error.code == "api_key_missing"
        assert "PRODUCTION_KEY (in the environment)" in str(error.hint)

    def test_a_profile_without_a_variable_uses_the_usual_one(self, tmp_path: Path) -> None:
        assert connect(tmp_path, profile="home", environment=KEYS).api_key == "default-key"

    def test_an_unknown_profile_is_named_with_those_there_are(self, tmp_path: Path) -> None:
        error = refusal(tmp_path, profile="prod")
        assert error.code == "unknown_profile"
        assert "home, production, staging" in str(error.hint)

    def test_a_url_and_a_profile_contradict_each_other(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, profile="production", url="https://other.test").code == "usage_error"


class TestTheFile:
    def test_no_file_is_no_profile(self, tmp_path: Path) -> None:
        assert read_profiles(tmp_path / "missing.toml").profiles == {}

    def test_it_is_in_the_users_configuration_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("WORKFLOW_STUDIO_CONFIG", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert profiles_path().parts[-2:] == ("workflow-studio", "config.toml")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('[profiles.a]\nurl = "https://a.test"\napi_key = "the-secret-key"', "would be a key in a file"),
            ('[profiles.a]\nurl = "https://a.test"\napi_key_env = "the-secret-key"', "never a key"),
            ('[profiles.a]\nurl = "https://a.test"\nport = 1', "is not known"),
            ("[profiles.a]\n", "profiles.a.url"),
            ("profiles = 1", "profiles"),
            ("[profiles", "cannot be used"),
            ("\x00", "cannot be used"),
        ],
    )
    def test_one_that_is_wrong_is_named_and_no_key_is_shown(self, file: Path, text: str, reason: str) -> None:
        file.write_text(text)
        with pytest.raises(UsageError, match=reason) as caught:
            read_profiles()
        assert str(file) in caught.value.message
        assert "the-secret-key" not in caught.value.message

    def test_one_that_is_no_text_is_named(self, file: Path) -> None:
        file.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(UsageError, match="UTF-8"):
            read_profiles()

    def test_a_broken_file_does_not_matter_where_no_profile_is_wanted(self, file: Path, tmp_path: Path) -> None:
        file.write_text("[profiles")
        assert connect(tmp_path, url="https://a.test", api_key="k", environment={}).url == "https://a.test"


class TestHandingOverAKey:
    @pytest.fixture(autouse=True)
    def nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        for name in ("WORKFLOW_COMPUTE_API_KEY", "WORKFLOW_STUDIO_PROFILE", "WORKFLOW_STUDIO_CONFIG"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "http://127.0.0.1:1")

    def test_standard_input_is_read_before_the_worker_is_asked(
        self, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("a-key-on-standard-input\n"))
        assert main(["runs", "list", "--api-key-stdin", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "unreachable"

    def test_an_empty_standard_input_is_a_usage_error(self, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        assert main(["runs", "list", "--api-key-stdin", "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "api_key_missing"

    def test_a_key_on_the_command_line_works_with_a_warning_and_is_not_repeated(self, capsys: Capture) -> None:
        assert main(["runs", "list", "--api-key", "the-secret-key"]) == 1
        err = capsys.readouterr().err
        assert err.startswith("Warning: --api-key shows the key to every user of this machine")
        assert "the-secret-key" not in err

    def test_without_a_terminal_nothing_is_asked(self, capsys: Capture) -> None:
        assert main(["runs", "list"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Error: There is no API key for the worker at http://127.0.0.1:1.\n")
