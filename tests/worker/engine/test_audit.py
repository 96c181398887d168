from __future__ import annotations

import pytest

from workflow_studio.worker import origin
from workflow_studio.worker.engine import AuditLog
from workflow_studio.worker.engine.audit import Act, Operation
from workflow_studio.worker.engine.keys import ApiKey

DAY = 24 * 60 * 60 * 1000
KEY = ApiKey("k", "p", "e", frozenset(), 0)


def act(target="t"):
    return Act(KEY, "request", None, lambda: Operation("do_it", target, 200))


async def test_entries_are_kept_for_so_long_and_deleted_a_little_at_a_time(database, clock, monkeypatch):
    monkeypatch.setattr("workflow_studio.worker.engine.audit._PRUNED_AT_ONCE", 2)
    log = AuditLog(database, clock, retention_days=1)
    for number in range(5):
        await log.settle(act(f"old-{number}"), 200, None)
    clock.tick(DAY + 1000)
    for number in range(2):
        await log.settle(act(f"new-{number}"), 200, None)
    assert len((await log.list(100))[0]) == 5 + 2 - 4
    await log.settle(act("last"), 200, None)
    assert [entry.target for entry in (await log.list(100))[0]] == ["last", "new-1", "new-0"]


async def test_entries_of_one_millisecond_stay_in_order(database, clock):
    log = AuditLog(database, clock)
    for number in range(20):
        await log.settle(act(str(number)), 200, None)
    assert [entry.target for entry in (await log.list(100))[0]] == [str(number) for number in reversed(range(20))]


async def test_a_write_that_is_undone_takes_its_entry_with_it_and_the_next_brings_it(database, clock):
    log = AuditLog(database, clock)
    request = origin.Origin("request", act=act())

    def refused(_transaction):
        raise KeyError("no")

    with origin.in_course_of(request):
        with pytest.raises(KeyError):
            await database.write(refused)
        assert (await log.list(100))[0] == []
        await database.write(lambda _transaction: None)
        await database.write(lambda _transaction: None)
        assert [entry.status for entry in (await log.list(100))[0]] == [200]
        await log.settle(request.act, 409, "run_finished")
    assert [(entry.status, entry.code) for entry in (await log.list(100))[0]] == [(409, "run_finished")]
    await database.write(lambda _transaction: None)
    assert len((await log.list(100))[0]) == 1


async def test_long_details_are_left_out(database, clock):
    log = AuditLog(database, clock)
    entry = act()
    entry.details = {"x": "y" * 5000}
    await log.settle(entry, 200, None)
    assert (await log.list(1))[0][0].details == {"omitted": "5009 characters"}
