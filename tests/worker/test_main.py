"""The worker as a process: it starts, says so, refuses in a sentence, and ends in order."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from tests.support.postgres import database_url, running_server
from tests.worker.artifacts.archives import artifact
from workflow_studio.client import ComputeClient, ComputeClientError, ScopeError, UnauthorizedError
from workflow_studio.worker.main import main

pytestmark = pytest.mark.node


def command(*arguments, data_dir):
    return [sys.executable, "-m", "workflow_studio.worker", "--port", "0", "--data-dir", str(data_dir), *arguments]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_") and name != "PORT"}
    return kept | more


@contextlib.contextmanager
def started(data_dir, *arguments, stderr=subprocess.PIPE, **variables):
    process = subprocess.Popen(
        command(*arguments, data_dir=data_dir),
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"ready at (http://\S+);", line)
        assert found, process.communicate(timeout=10)
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def test_the_first_boot_makes_a_key_and_the_second_keeps_it(tmp_path):
    with started(tmp_path / "data") as (process, url):
        file = tmp_path / "data" / "api-key"
        key = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with ComputeClient(url, key) as client:
            assert client.list_runs().data == ()
        with ComputeClient(url) as client, pytest.raises(UnauthorizedError):
            client.list_runs()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert f"wrote it to {file}" in errors
        assert key not in errors
    with started(tmp_path / "data") as (_, url), ComputeClient(url, key) as client:
        assert client.list_runs().data == ()
        assert file.read_text().strip() == key


def test_a_person_at_a_terminal_is_shown_the_first_key_once(tmp_path):
    person, terminal = pty.openpty()
    with started(tmp_path / "data", stderr=terminal):
        pass
    key = (tmp_path / "data" / "api-key").read_text().strip()
    assert f"It is: {key}" in os.read(person, 65536).decode()
    with started(tmp_path / "data", stderr=terminal):
        pass
    os.close(terminal)
    assert key not in os.read(person, 65536).decode()
    os.close(person)


def test_a_crash_between_writing_the_first_key_and_storing_it_locks_nobody_out(tmp_path):
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "api-key"
    file.write_text("a key that was written down and never stored\n")
    with started(tmp_path / "data") as (_, url), ComputeClient(url, file.read_text().strip()) as client:
        assert client.list_runs().data == ()


def test_keys_of_the_settings_are_used_and_none_is_made(tmp_path):
    keys = '[{"keyId": "app", "scopes": ["runs:read"], "secret": "the-apps-own-secret"}]'
    with started(
        tmp_path / "data",
        WORKFLOW_COMPUTE_API_KEY="the-admins-own-secret",
        WORKFLOW_STUDIO_WORKER_SEED_API_KEYS=keys,
    ) as (_, url):
        assert not (tmp_path / "data" / "api-key").exists()
        with ComputeClient(url, "the-admins-own-secret") as client:
            assert client.list_deployments().data == ()
        with ComputeClient(url, "the-apps-own-secret") as client:
            assert client.list_runs().data == ()
            with pytest.raises(ScopeError) as caught:
                client.list_deployments()
            assert caught.value.required == "deploy:read"


def test_an_archive_goes_over_a_real_connection(tmp_path):
    archive = tmp_path / "artifact.tgz"
    archive.write_bytes(artifact({"flow.js": os.urandom(3_000_000), "step.js": b"", "webhook.js": b""}))
    progress = []
    with started(tmp_path / "data", WORKFLOW_COMPUTE_API_KEY="the-admins-own-secret") as (_, url):
        with ComputeClient(url, "the-admins-own-secret") as client:
            deployment = client.create_deployment(archive, on_progress=lambda *step: progress.append(step))
            assert (tmp_path / "data" / "artifacts" / deployment.deployment_id / "flow.js").stat().st_size == 3_000_000
        assert progress[-1] == (archive.stat().st_size,) * 2
        with ComputeClient(url, "wrong-key", retries=0) as client, pytest.raises(UnauthorizedError):
            client.create_deployment(archive)


def test_a_second_signal_does_not_wait(tmp_path):
    with started(tmp_path / "data", WORKFLOW_COMPUTE_API_KEY="the-admins-own-secret") as (process, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /v1/deployments HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n")
            connection.sendall(b"authorization: Bearer the-admins-own-secret\r\n\r\n")
            time.sleep(0.5)
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            process.terminate()
            assert process.wait(timeout=5) == -signal.SIGTERM


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_in_order_while_a_reader_waits(tmp_path, name):
    with started(
        tmp_path / "data",
        WORKFLOW_COMPUTE_API_KEY="the-admins-own-secret",
        WORKFLOW_STUDIO_WORKER_SHUTDOWN_GRACE="1",
    ) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        body = b"\xa2dnameasfwaitMs\x19\x4e\x20"
        head = (
            "POST /v1/world/streams/read HTTP/1.1\r\nhost: x\r\nauthorization: Bearer the-admins-own-secret\r\n"
            f"content-type: application/cbor\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body)
            process.send_signal(getattr(signal, name))
            _, errors = process.communicate(timeout=15)
        assert process.returncode == 0
        assert "Traceback" not in errors


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Run the worker in this process with arguments that keep it from starting."""
    for name in ("PORT", "WORKFLOW_COMPUTE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        status = main(["--port", "0", "--data-dir", str(tmp_path / "data"), *map(str, arguments)])
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return status, errors

    return run


def test_what_it_cannot_do_is_said_in_a_sentence(tmp_path, monkeypatch, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, errors = refused("--port", taken.getsockname()[1])
    assert (status, "Address already in use" in errors, "--port" in errors) == (1, True, True)
    status, errors = refused("--public-url", "http://worker.example.com")
    assert status == 2
    assert errors.startswith("Error: The setting public_url is wrong: must be https://")
    status, errors = refused("--settings", tmp_path / "missing")
    assert (status, "missing" in errors) == (2, True)
    status, errors = refused("--node", "/nowhere/node")
    assert (status, "/nowhere/node" in errors) == (1, True)
    status, errors = refused("--env-file", tmp_path / "missing")
    assert (status, "missing cannot be used: No such file" in errors) == (1, True)
    assert not (tmp_path / "data").exists(), "a refusal leaves nothing behind"
    (tmp_path / "file").touch()
    status, errors = refused("--data-dir", tmp_path / "file")
    assert (status, f"{tmp_path / 'file'} cannot be used" in errors) == (1, True)
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "tooshort")
    status, errors = refused()
    assert (status, "WORKFLOW_COMPUTE_API_KEY" in errors, "tooshort" in errors) == (2, True, False)


def test_two_workers_cannot_share_a_database(tmp_path, refused):
    with started(tmp_path / "data"):
        status, errors = refused()
    assert status == 1
    assert str(tmp_path / "data") in errors


def test_with_json_it_says_that_it_is_ready_in_one_document(tmp_path):
    process = subprocess.Popen(
        command("--json", data_dir=tmp_path / "data"), env=environment(), stdout=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    process.terminate()
    document = json.loads("".join(lines))
    rest, _ = process.communicate(timeout=30)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", document.pop("url"))
    assert document == {"ok": True, "pid": process.pid, "dataDir": str(tmp_path / "data")}
    assert (process.returncode, rest) == (0, "")


def test_with_json_it_says_why_it_does_not_start(tmp_path, refused, capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--json", "--port", str(taken.getsockname()[1]), "--data-dir", str(tmp_path / "data")]) == 1
    said = capfd.readouterr()
    assert said.err == ""
    document = json.loads(said.out)
    assert document["ok"] is False
    assert document["error"].keys() == {"code", "message", "hint"}
    assert document["error"]["code"] == "port_in_use"


def test_workers_that_are_given_the_url_of_one_postgresql_database_are_one_service(tmp_path, place_of):
    url = place_of("postgresql", tmp_path).location
    with started(tmp_path / "data", WORKFLOW_STUDIO_WORKER_DATABASE_URL=url) as (_, address):
        key = (tmp_path / "data" / "api-key").read_text().strip()
        with ComputeClient(address, key) as client:
            assert client.list_runs().data == ()
        with (
            started(tmp_path / "other", WORKFLOW_STUDIO_WORKER_DATABASE_URL=url) as (_, other),
            ComputeClient(other, key) as client,
        ):
            assert client.list_runs().data == ()
    assert not (tmp_path / "data" / "worker.db").exists()
    with (
        started(tmp_path / "data", WORKFLOW_STUDIO_WORKER_DATABASE_URL=url) as (_, address),
        ComputeClient(address, key) as client,
    ):
        assert client.list_runs().data == ()


def test_a_worker_that_was_killed_is_forgotten_when_it_is_started_again(tmp_path, place_of):
    variables = {
        "WORKFLOW_STUDIO_WORKER_DATABASE_URL": place_of("postgresql", tmp_path).location,
        "WORKFLOW_STUDIO_WORKER_LEASE_SECONDS": "600",
    }
    with started(tmp_path / "data", **variables) as (process, _):
        process.kill()
        process.wait()
    with started(tmp_path / "data", **variables) as (process, address):
        key = (tmp_path / "data" / "api-key").read_text().strip()
        with ComputeClient(address, key) as client:
            (worker,) = client.list_workers().data
        assert (worker.pid, worker.is_this, worker.leads) == (process.pid, True, True)


def test_a_database_that_cannot_be_reached_is_said_so_without_the_password(refused, monkeypatch):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_DATABASE_URL", "postgresql://me:hunter2secret@127.0.0.1:1/x")
    status, errors = refused()
    assert (status, "cannot be reached" in errors, "hunter2secret" in errors) == (1, True, False)
    assert "Traceback" not in errors


def test_a_worker_whose_sessions_were_ended_goes_on_beside_another(tmp_path, place_of):
    place = place_of("postgresql", tmp_path)
    with started(tmp_path / "data", WORKFLOW_STUDIO_WORKER_DATABASE_URL=place.location) as (process, address):
        key = (tmp_path / "data" / "api-key").read_text().strip()
        process.send_signal(signal.SIGSTOP)  # as if its machine hung; else it may be back before the other one comes
        other = place.crash()
        process.send_signal(signal.SIGCONT)
        with ComputeClient(address, key) as client:
            assert client.list_runs().data == ()
        asyncio.run(other.close())
        assert process.poll() is None


def test_a_worker_outlives_a_restart_of_its_database(tmp_path):
    with running_server("-c", "fsync=off") as server:
        url = database_url(server.folder)
        with started(tmp_path / "data", WORKFLOW_STUDIO_WORKER_DATABASE_URL=url) as (process, address):
            key = (tmp_path / "data" / "api-key").read_text().strip()
            with ComputeClient(address, key, retries=0) as client:
                assert client.list_runs().data == ()
                server.stop()
                with pytest.raises(ComputeClientError):
                    client.list_runs()
                server.start()
                assert client.list_runs().data == ()
            process.terminate()
            process.communicate(timeout=30)
            assert process.returncode == 0
