"""Signs of life: a worker that is started again takes up at once what the one before it left."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workflow_studio.worker.engine import Engine, signs
from workflow_studio.worker.engine.signs import Signs

_HOLD = """
import sys
from pathlib import Path
from workflow_studio.worker.engine.signs import Signs
Signs(Path(sys.argv[1])).give(sys.argv[2])
print("given", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "workers"


@pytest.fixture
def living(folder):
    """Return a function that makes a process which gives a worker's sign."""
    made = []

    def live(worker_id):
        command = [sys.executable, "-c", _HOLD, str(folder), worker_id]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made.append(process)
        assert process.stdout.readline() == b"given\n"
        return process

    yield live
    for process in made:
        process.kill()
        process.communicate()


def killed(process):
    process.kill()
    process.wait()


def test_a_worker_that_was_killed_has_ended_and_one_that_lives_has_not(folder, living):
    process = living("wrk_a")
    mine = Signs(folder)
    mine.give("wrk_b")
    assert mine.ended() == set()
    killed(process)
    assert mine.ended() == {"wrk_a"}
    mine.clear({"wrk_a"}, {"wrk_a", "wrk_b"})
    assert mine.ended() == set()
    assert [path.name.partition("@")[0] for path in folder.iterdir()] == ["wrk_b"]
    mine.withdraw()
    assert list(folder.iterdir()) == []


def test_nothing_is_concluded_of_workers_of_another_machine_or_boot(folder, living, monkeypatch):
    killed(living("wrk_a"))
    monkeypatch.setattr(signs, "_boot", lambda: "another")
    mine = Signs(folder)
    assert mine.ended() == set()
    mine.clear(mine.ended(), {"wrk_a"})
    assert len(list(folder.iterdir())) == 1
    mine.clear(mine.ended(), set())
    assert list(folder.iterdir()) == []


def test_where_no_files_can_be_locked_others_wait_for_the_lease(tmp_path, caplog):
    (tmp_path / "workers").write_text("a file where the folder would be")
    Signs(tmp_path / "workers").give("wrk_a")
    assert "wait for the end of this worker's lease" in caplog.text


async def test_the_work_of_a_worker_of_this_machine_is_taken_over_when_it_is_killed(
    place_of, tmp_path, helpers, clock, folder, living
):
    _, driver, make_manifest = helpers
    place = place_of("postgresql", tmp_path)
    databases = [place.open(), place.open()]
    try:
        first, second = (Engine(database, clock=clock, signs_folder=folder) for database in databases)
        deployment, _ = await first.deployments.register(make_manifest())
        await first.deployments.activate(deployment.id)
        before, after = (driver(engine, clock, deployment.id) for engine in (first, second))
        neighbour = living(first.workers.id)
        # The process holds the sign for it.
        first.workers._signs = Signs(None)
        await first.workers.register()
        await before.publish_step(await before.new_run())
        delivery = await before.claim_one()
        await second.workers.register()
        assert second.workers.others == 1
        killed(neighbour)
        await second.workers.beat()
        assert (second.workers.others, second.workers.taken_over, second.workers.leads) == (0, 1, True)
        again = await after.claim_one()
        assert (again.message_id, again.attempt) == (delivery.message_id, 2)
        assert [path.name.partition("@")[0] for path in folder.iterdir()] == [second.workers.id]
        await second.workers.leave()
        assert not await first.workers.beat(), "a worker that was taken for dead learns so"
    finally:
        for database in databases:
            await database.close()
