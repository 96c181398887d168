"""What ``--check`` finds without starting a worker."""

import base64
import json
import os
import socket
import sqlite3

import pytest

from tests.support.databases import PostgresPlace
from workflow_studio.worker.main import main
from workflow_studio.worker.store import Database

pytestmark = pytest.mark.node

MASTER_KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("WORKFLOW_") or name in {"PORT", "NODE_ENV"}]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def production(monkeypatch):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_PUBLIC_URL", "https://worker.test")
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_MASTER_KEY", MASTER_KEY)


def check(capsys, *arguments, expect=0):
    code = main(["--check", "--port", "0", *arguments])
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    assert code == expect, document
    assert document["ok"] is (expect != 1)
    assert document["status"] == ["valid", "invalid", "warnings"][expect]
    return document


def codes(document):
    return [finding["code"] for finding in document["findings"]]


def test_settings_of_a_production_worker_are_valid_and_nothing_is_made(capsys, production, tmp_path):
    document = check(capsys, "--data-dir", "data")
    assert document["findings"] == []
    assert list(tmp_path.iterdir()) == []
    facts = document["settings"]
    assert facts["dataDir"] == str(tmp_path / "data")
    assert (facts["database"], facts["encrypted"], facts["publicUrl"]) == ("sqlite", True, "https://worker.test")
    assert MASTER_KEY not in json.dumps(document)


def test_a_worker_without_settings_gets_two_warnings(capsys):
    assert codes(check(capsys, expect=2)) == ["no_public_url", "no_master_key"]


def test_in_development_that_is_fine(capsys, monkeypatch):
    monkeypatch.setenv("NODE_ENV", "development")
    assert codes(check(capsys)) == []


@pytest.mark.usefixtures("production")
class TestWarnings:
    def test_plain_http_for_others(self, capsys, monkeypatch):
        assert codes(check(capsys, "--host", "0.0.0.0", expect=2)) == ["plain_http"]
        assert codes(check(capsys, "--host", "0.0.0.0", "--require-https")) == []
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_TRUSTED_PROXIES", "*")
        assert codes(check(capsys, "--host", "0.0.0.0", "--require-https", expect=2)) == ["any_proxy"]

    def test_a_setting_that_does_not_exist(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_PROT", "1")
        (tmp_path / "worker.env").write_text("WORKFLOW_STUDIO_WORKER_CONCURRENCE=2\n")
        document = check(capsys, "--settings", "worker.env", expect=2)
        assert codes(document) == ["unknown_setting"] * 2
        assert "WORKFLOW_STUDIO_WORKER_CONCURRENCE" in document["findings"][0]["message"]

    def test_a_folder_that_others_can_read(self, capsys, tmp_path):
        (tmp_path / "data").mkdir(mode=0o755)
        assert codes(check(capsys, "--data-dir", "data", expect=2)) == ["data_folder_open"]

    def test_a_port_that_is_taken(self, capsys):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            assert codes(check(capsys, "--port", port, expect=2)) == ["port_in_use"]

    async def test_a_database_that_a_worker_uses(self, capsys, tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        database = Database.open(tmp_path / "data/worker.db")
        try:
            assert codes(check(capsys, "--data-dir", "data", expect=2)) == ["database_in_use"]
        finally:
            await database.close()
        assert check(capsys, "--data-dir", "data")["settings"]["schema"]

    async def test_a_database_of_an_older_worker(self, capsys, tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        await Database.open(tmp_path / "data/worker.db").close()
        set_revision(tmp_path / "data/worker.db", "0001")
        assert codes(check(capsys, "--data-dir", "data", expect=2)) == ["migration_pending"]


def set_revision(path, revision):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.execute("UPDATE schema_serves SET revision = ?", (revision,))
    connection.commit()
    connection.close()


@pytest.mark.usefixtures("production")
class TestErrors:
    def test_every_setting_that_is_wrong_is_named(self, capsys, monkeypatch):
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_CONCURRENCY", "none")
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_MASTER_KEY", "too-short-secret")
        document = check(capsys, expect=1)
        assert codes(document) == ["invalid_settings"] * 2
        assert "too-short-secret" not in json.dumps(document)

    def test_a_settings_file_that_is_not_there(self, capsys):
        assert codes(check(capsys, "--settings", "missing.env", expect=1)) == ["file_error"]

    def test_no_node(self, capsys):
        assert codes(check(capsys, "--node", "/nonexistent", expect=1)) == ["node_not_found"]

    @pytest.mark.parametrize(("text", "code"), [("A B=1\n", "invalid_env_file"), (None, "file_error")])
    def test_an_env_file_that_cannot_be_used(self, capsys, tmp_path, text, code):
        if text is not None:
            (tmp_path / "app.env").write_text(text)
        document = check(capsys, "--env-file", "app.env", expect=1)
        assert codes(document) == [code]
        assert "app.env" in document["findings"][0]["message"]

    def test_a_data_folder_that_is_a_file(self, capsys, tmp_path):
        (tmp_path / "data").touch()
        assert codes(check(capsys, "--data-dir", "data", expect=1))[0] == "data_folder"

    def test_an_address_of_another_machine(self, capsys):
        assert "cannot_listen" in codes(check(capsys, "--host", "192.0.2.1", expect=1))

    def test_a_file_that_is_no_database(self, capsys, tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        (tmp_path / "data/worker.db").write_bytes(b"not a database" * 100)
        assert codes(check(capsys, "--data-dir", "data", expect=1)) == ["database_failed"]

    async def test_a_database_of_a_newer_worker(self, capsys, tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        await Database.open(tmp_path / "data/worker.db").close()
        set_revision(tmp_path / "data/worker.db", "9999")
        assert codes(check(capsys, "--data-dir", "data", expect=1)) == ["database_failed"]

    def test_keys_that_are_the_same(self, capsys, monkeypatch):
        key = {"keyId": "a", "scopes": ["admin"], "secret": "the-secret-of-the-tests"}
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_SEED_API_KEYS", json.dumps([key, {**key, "keyId": "b"}, key]))
        document = check(capsys, expect=1)
        assert sorted(codes(document)) == ["duplicate_key", "duplicate_secret"]
        assert "the-secret-of-the-tests" not in json.dumps(document)

    def test_a_database_server_that_is_not_there(self, capsys, monkeypatch):
        url = "postgresql://ada:the-password@127.0.0.1:1/none"
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", url)
        document = check(capsys, expect=1)
        assert codes(document) == ["database_failed"]
        assert "the-password" not in json.dumps(document)


async def test_what_is_in_a_postgres_database(postgres, capsys, monkeypatch, production):
    place = PostgresPlace(postgres, "checked")
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", place.location)
    try:
        assert check(capsys)["settings"]["schema"] is None
        database = place.open()
        try:
            document = check(capsys)  # another worker may take part
        finally:
            await database.close()
        assert document["settings"]["database"] == "postgresql"
        assert document["settings"]["schema"]
    finally:
        place.drop()
