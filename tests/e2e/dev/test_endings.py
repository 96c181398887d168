"""Whatever ends a session or a part of it, no process is left; and sessions that share a worker."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.dev.apps import NITRO, prepared
from tests.e2e.dev.checks import of_run
from tests.e2e.dev.support import DevSession, edit, gone, pid_of
from tests.e2e.support import KEY
from workflow_studio.client import ComputeClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

    Begin = Callable[..., DevSession]

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.timeout(400)]
LOOP = NITRO.workflow("loop")


@pytest.fixture(scope="module")
def folders(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two copies of one app, as two people have them."""
    base = tmp_path_factory.mktemp("dev")
    app = prepared(NITRO, prepared_app)
    return NITRO.copy(app, base / "ada"), NITRO.copy(app, base / "bob")


@pytest.fixture
def begin() -> Iterator[Begin]:
    begun: list[DevSession] = []

    def start(folder: Path, *options: str, key: str | None = None) -> DevSession:
        env = {"WORKFLOW_COMPUTE_API_KEY": key} if key else {}
        begun.append(DevSession(NITRO, folder, *options, env=env, key=key))
        return begun[-1]

    yield start
    for session in begun:
        session.close()


def test_a_killed_worker_comes_back_and_a_crashed_app_ends_the_session(
    begin: Begin, folders: tuple[Path, Path]
) -> None:
    session = begin(folders[0])
    session.start()
    token = "through-the-crash"
    run_id = session.begin("waiting", token)["runId"]
    session.wait_for(lambda line: of_run(line, run_id, "hook_created"))
    pids = session.processes()
    os.kill(pid_of(pids, "workflow_studio.worker"), signal.SIGKILL)
    session.wait_for(lambda line: line["type"] == "lost" and line["source"] == "worker")
    session.wait_for(lambda line: line["type"] == "ready" and line["source"] == "worker")
    with session.client() as client:
        client.resume_run(run_id, "still there", token=token)
    assert session.result(run_id)[1] == "still there"
    assert session.greeted() == "hello ada, version one"
    session.wait_for(lambda line: of_run(line, run_id, "run_completed"))

    pids |= session.processes()
    os.kill(pid_of(pids, "nitro"), signal.SIGKILL)
    assert session.ended() not in {0, None}
    assert any(line["type"] == "lost" and line["source"] == "app" for line in session.seen)
    assert gone(pids)


def test_nothing_is_left_of_a_session_that_is_killed_and_the_next_one_begins_at_once(
    begin: Begin, folders: tuple[Path, Path]
) -> None:
    first = begin(folders[0])
    first.start()
    pids = first.processes() - {first.process.pid}
    first.process.kill()
    first.process.wait()
    second = begin(folders[0], "--no-app")
    second.wait_for(lambda line: line["type"] == "deployed", seconds=120)
    assert gone(pids)
    pids = second.processes()
    assert second.interrupt() == 0
    assert gone(pids)


def test_two_people_on_one_worker_do_not_take_each_others_deployment(
    begin: Begin, folders: tuple[Path, Path], worker: Worker
) -> None:
    ada = begin(folders[0], "--remote", worker.url, "--environment", "dev-ada", key=KEY)
    bob = begin(folders[1], "--remote", worker.url, "--environment", "dev-bob", "--no-app", key=KEY)
    bob.wait_for(lambda line: line["type"] == "deployed", seconds=120)
    ada.start()
    edit(folders[1] / "workflows/loop.ts", "version one", "version of bob")
    of_bob = bob.deployed()
    edit(folders[0] / "workflows/loop.ts", "version one", "version of ada")
    of_ada = ada.deployed()
    assert of_ada != of_bob

    run_of_ada = ada.begin("loop", "ada")["runId"]
    with ComputeClient(worker.url, KEY, environment="dev-bob") as client:
        run_of_bob = client.trigger(LOOP, ["bob"]).run_id
        assert client.get_active_deployment().deployment_id == of_bob
    assert ada.result(run_of_ada) == "hello ada, version of ada"
    assert ada.result(run_of_bob) == "hello bob, version of bob"
    for session, own, other in ((ada, run_of_ada, run_of_bob), (bob, run_of_bob, run_of_ada)):
        session.wait_for(lambda line, own=own: of_run(line, own, "run_completed"))
        assert not [line for line in session.seen if of_run(line, other)]

    pids = ada.processes() | bob.processes()
    assert ada.interrupt() == bob.interrupt() == 0
    assert gone(pids)
    assert "dev-ada" in ada.seen[-1]["text"]
    with ComputeClient(worker.url, KEY, environment="dev-ada") as client:
        assert client.get_active_deployment().deployment_id == of_ada
