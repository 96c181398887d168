import base64
import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from workflow_studio.worker.settings import load_settings

PREFIX = "WORKFLOW_STUDIO_WORKER_"
SECRET = "a-long-enough-secret"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("PORT", "WORKFLOW_COMPUTE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_everything_has_a_default():
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8787)
    assert settings.external_url == "http://localhost:8787"
    assert settings.database == Path(".workflow-studio/worker/worker.db")
    assert settings.artifact_dir == Path(".workflow-studio/worker/artifacts")
    assert settings.master_key_bytes() is None


def test_arguments_come_before_variables_and_those_before_a_file(monkeypatch, tmp_path):
    file = tmp_path / "worker.env"
    file.write_text(f"{PREFIX}PORT=1\n{PREFIX}HOST=file\n{PREFIX}CONCURRENCY=5\n")
    monkeypatch.setenv(f"{PREFIX}PORT", "2")
    monkeypatch.setenv(f"{PREFIX}HOST", "variable")
    settings = load_settings(file, port=3, host=None)
    assert (settings.port, settings.host, settings.concurrency) == (3, "variable", 5)


def test_the_platforms_port_counts_where_no_other_is_set(monkeypatch):
    monkeypatch.setenv("PORT", "10")
    assert load_settings().port == 10
    monkeypatch.setenv(f"{PREFIX}PORT", "11")
    assert load_settings().port == 11


def test_keys_are_read_from_json(monkeypatch):
    monkeypatch.setenv(
        f"{PREFIX}SEED_API_KEYS",
        f'[{{"keyId": "app", "projectId": "p", "environment": "e", "scopes": ["world:proxy"], "secret": "{SECRET}"}}]',
    )
    (key,) = load_settings().seed_api_keys
    assert (key.key_id, key.project_id, key.environment, key.scopes) == ("app", "p", "e", ("world:proxy",))
    assert key.secret.get_secret_value() == SECRET


def test_secrets_are_never_shown():
    key = base64.b64encode(b"k" * 32).decode()
    settings = load_settings(
        master_key=key,
        compute_api_key=SECRET,
        seed_api_keys=[{"keyId": "app", "scopes": ["admin"], "secret": SECRET}],
        database_url=f"postgresql://user:{SECRET}@host/database",
    )
    assert settings.database == f"postgresql://user:{SECRET}@host/database"
    assert settings.master_key_bytes() == b"k" * 32
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in text
        assert key not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("master_key", SECRET),
        ("master_key", base64.b64encode(SECRET.encode()).decode()),
        ("compute_api_key", "short-secret"),
        ("seed_api_keys", [{"keyId": "a", "scopes": ["admin"], "secret": "short-secret"}]),
        ("seed_api_keys", [{"keyId": "a", "scopes": ["admi"], "secret": SECRET}]),
        ("seed_api_keys", [{"keyId": "a", "scopes": [], "secret": SECRET}]),
        ("seed_api_keys", [{"keyId": "", "scopes": ["admin"], "secret": SECRET}]),
        ("port", 70_000),
        ("concurrency", 0),
        ("limits", {"workflow": 1}),
        ("limits", {"tenant:a": 1}),
        ("limits", {"key:*": 0}),
        ("public_url", "http://worker.example.com"),
        ("public_url", "http://localhost:8787/prefix"),
        ("public_url", "https://key@worker.example.com"),
        ("public_url", "worker.example.com"),
        ("database_url", f"mysql://user:{SECRET}@host/database"),
    ],
)
def test_values_that_cannot_work_are_refused_without_being_shown(name, value):
    with pytest.raises(ValidationError) as caught:
        load_settings(**{name: value})
    assert SECRET not in str(caught.value)
    assert "short-secret" not in str(caught.value)


def test_json_that_is_broken_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv(f"{PREFIX}SEED_API_KEYS", f"[{SECRET}")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in str(caught.value)


def test_a_settings_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"worker\.env"):
        load_settings(tmp_path / "worker.env")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://worker.example.com/base/", "https://worker.example.com/base"),
        ("http://localhost:9000/", "http://localhost:9000"),
        ("", "http://localhost:8787"),
    ],
)
def test_the_public_address_has_no_slash_at_the_end(given, used):
    assert load_settings(public_url=given).external_url == used


@pytest.mark.parametrize(
    ("given", "milliseconds"), [("30d", 30 * 86_400_000), ("2w", 14 * 86_400_000), ("90s", 90_000), ("forever", None)]
)
def test_how_long_something_is_kept_has_a_unit(monkeypatch, given, milliseconds):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_RETAIN_COMPLETED", given)
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_RETAIN_WORKFLOWS", json.dumps({"workflow//a": given}))
    settings = load_settings()
    assert settings.retention.outcomes["completed"] == milliseconds
    assert settings.retention.workflows == {"workflow//a": milliseconds}


@pytest.mark.parametrize("given", ["30", "0d", "-1d", "1 day", "d", "P30D"])
def test_how_long_something_is_kept_is_not_guessed(monkeypatch, given):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_RETAIN_FAILED", given)
    with pytest.raises(ValidationError, match="such as 30d"):
        load_settings()


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3://key:secret@bucket", "file://relative", "memory:///"])
def test_an_object_store_has_an_address_without_credentials(monkeypatch, url):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_OBJECTS_URL", url)
    with pytest.raises(ValidationError) as caught:
        load_settings()
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({}, 524_288),
        ({"large_payload_bytes": 0}, None),
        ({"large_payload_bytes": 4096, "database_url": "postgresql://host/db"}, 4096),
        ({"database_url": "postgresql://host/db"}, None),
        ({"objects_url": "s3://bucket"}, 1_048_576),
        ({"objects_url": "s3://bucket", "database_url": "postgresql://host/db"}, 1_048_576),
        ({"objects": "package.module:factory", "database_url": "postgresql://host/db"}, 1_048_576),
        ({"objects_url": "s3://bucket", "large_payload_bytes": 0}, None),
    ],
)
def test_large_payloads_are_objects_by_themselves_where_all_workers_reach_them(given, limit):
    assert load_settings(**given).payload_limit == limit
