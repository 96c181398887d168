"""Where the worker's URL and key come from, and what is said when something is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workflow_studio.client import ComputeClientError, ScopeError, TransportError, UnauthorizedError
from workflow_studio.scaffolder.connection import connect, explain
from workflow_studio.scaffolder.errors import DeployError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"WORKFLOW_COMPUTE_BASE_URL": "https://env.test", "WORKFLOW_COMPUTE_API_KEY": "env-key"}


def test_options_come_before_the_environment(tmp_path: Path) -> None:
    found = connect(tmp_path, url="https://option.test/", api_key="option-key", environment=ENVIRONMENT)
    assert (found.url, found.api_key) == ("https://option.test", "option-key")


def test_the_environment_comes_before_the_files(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_BASE_URL=https://file.test\nWORKFLOW_COMPUTE_API_KEY=file-key\n")
    found = connect(tmp_path, environment=ENVIRONMENT)
    assert (found.url, found.api_key) == ("https://env.test", "env-key")


def test_the_local_file_comes_before_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_BASE_URL=https://file.test\nWORKFLOW_COMPUTE_API_KEY=file-key\n")
    (tmp_path / ".env.local").write_text("export WORKFLOW_COMPUTE_API_KEY='local $KEY'  # mine\n")
    found = connect(tmp_path, environment={"KEY": "must not be put in"})
    assert (found.url, found.api_key) == ("https://file.test", "local $KEY")


def test_an_empty_entry_of_a_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_BASE_URL=https://file.test\nWORKFLOW_COMPUTE_API_KEY=file-key\n")
    (tmp_path / ".env.local").write_text("WORKFLOW_COMPUTE_API_KEY=\n")
    assert connect(tmp_path, environment={}).api_key == "file-key"


def test_the_worker_of_this_folder_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / ".workflow-studio/worker").mkdir(parents=True)
    (tmp_path / ".workflow-studio/worker/api-key").write_text("made-up-key\n")
    found = connect(tmp_path, environment={})
    assert (found.url, found.api_key) == ("http://localhost:8787", "made-up-key")
    assert connect(tmp_path, url="http://127.0.0.1:9000", environment={}).api_key == "made-up-key"


def test_the_key_of_this_folder_never_leaves_this_machine(tmp_path: Path) -> None:
    (tmp_path / ".workflow-studio/worker").mkdir(parents=True)
    (tmp_path / ".workflow-studio/worker/api-key").write_text("made-up-key")
    with pytest.raises(UsageError) as caught:
        connect(tmp_path, url="https://worker.test", environment={})
    assert caught.value.code == "api_key_missing"
    assert "WORKFLOW_COMPUTE_API_KEY" in str(caught.value.hint)


def test_the_environment_of_the_worker_comes_from_the_option_the_variable_or_the_files(tmp_path: Path) -> None:
    assert connect(tmp_path, environment=ENVIRONMENT).environment is None
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_ENVIRONMENT=of-the-file\n")
    assert connect(tmp_path, environment=ENVIRONMENT).environment == "of-the-file"
    variables = ENVIRONMENT | {"WORKFLOW_COMPUTE_ENVIRONMENT": "of-the-variable"}
    assert connect(tmp_path, environment=variables).environment == "of-the-variable"
    assert connect(tmp_path, worker_environment="mine", environment=variables).environment == "mine"


def test_what_is_no_environment_says_where_it_comes_from(tmp_path: Path) -> None:
    variables = ENVIRONMENT | {"WORKFLOW_COMPUTE_ENVIRONMENT": "No Name"}
    for option, source in ((None, "WORKFLOW_COMPUTE_ENVIRONMENT"), ("-", "--environment")):
        with pytest.raises(UsageError) as caught:
            connect(tmp_path, worker_environment=option, environment=variables)
        assert (caught.value.code, caught.value.message.startswith(source)) == ("invalid_environment", True)


@pytest.mark.parametrize("url", ["worker.test", "ftp://worker.test", "http://", "localhost:8787"])
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(tmp_path, url=url, api_key="key", environment={})
    assert caught.value.code == "invalid_url"


def test_the_key_is_not_in_the_representation(tmp_path: Path) -> None:
    assert "secret-key" not in repr(connect(tmp_path, api_key="secret-key", environment={}))


def test_a_key_that_cannot_be_sent_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught, connect(tmp_path, api_key="ключ", environment={}).client() as client:
        client.list_deployments()
    assert caught.value.code == "invalid_api_key"
    assert "ключ" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (UnauthorizedError("No.", code="unauthorized"), "Give the worker's key with WORKFLOW_COMPUTE_API_KEY"),
        (ScopeError("No.", code="missing_scope", required="deploy:write"), "Use a key with the scope deploy:write."),
        (
            TransportError("Out of reach.", code="unreachable", recovery="Check that it runs."),
            "Check that a worker runs at http://w.test (studio worker start)",
        ),
        (ComputeClientError("Bad.", code="invalid_artifact"), "Build it again: studio build"),
        (ComputeClientError("Bad.", code="new_code", correlation_id="c-1"), "correlation id c-1"),
        (ComputeClientError("Bad.", code="invalid_artifact", recovery="Do that."), "Do that."),
    ],
)
def test_every_refusal_comes_with_its_code_and_a_hint(error: ComputeClientError, hint: str) -> None:
    shown = explain(error, "http://w.test")
    assert isinstance(shown, DeployError)
    assert shown.code == error.code
    assert hint in str(shown.hint)


def test_an_unreachable_worker_is_named() -> None:
    assert "http://w.test" in explain(TransportError("Out of reach.", code="unreachable"), "http://w.test").message
