"""When to build what."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workflow_studio.scaffolder.dev.build_queue import LIMIT_SECONDS, QUIET_SECONDS, BuildQueue
from workflow_studio.scaffolder.dev.relevance import Change, Kind

ORDER = Path("/app/order.ts")


def save(queue: BuildQueue, now: float, kind: Kind = "modified") -> None:
    queue.offer([Change(ORDER, kind)], calls_for_build=True, now=now)


def run(saves: list[float], build_seconds: float) -> list[float]:
    """Return when builds begin, given when files are saved and how long a build takes."""
    queue, begun, free, waiting = BuildQueue(), [], 0.0, sorted(saves)
    now = 0.0
    while True:
        while waiting and waiting[0] <= now:
            save(queue, waiting.pop(0))
        due = queue.due_in(now)
        if due == 0.0 and now >= free:
            queue.take(now)
            begun.append(now)
            free = now + build_seconds
        times = [*waiting[:1], *([] if due is None else [max(now + due, free)])]
        if not times:
            return begun
        now = min(time for time in times if time > now or due == 0.0)


def test_the_first_save_is_built_at_once() -> None:
    queue = BuildQueue()
    assert queue.due_in(0.0) is None
    save(queue, 1.0)
    assert queue.due_in(1.0) == 0.0


def test_what_does_not_matter_waits_for_what_does() -> None:
    queue = BuildQueue()
    queue.offer([Change(Path("/app/page.tsx"), "added")], calls_for_build=False, now=0.0)
    assert queue.due_in(9.0) is None
    save(queue, 9.0)
    assert {change.path.name for change in queue.take(9.0)} == {"page.tsx", "order.ts"}


def test_a_file_that_came_and_changed_has_come() -> None:
    queue = BuildQueue()
    save(queue, 0.0, "added")
    save(queue, 0.1)
    assert queue.take(0.2) == (Change(ORDER, "added"),)
    save(queue, 1.0)
    save(queue, 1.1, "removed")
    assert queue.take(1.2) == (Change(ORDER, "removed"),)


def test_a_burst_of_saves_makes_two_builds_however_far_apart_they_are() -> None:
    for gap in (0.0, 0.01, 0.05, 0.1):
        for build_seconds in (0.05, 0.3, 1.0, 5.0):
            begun = run([at * gap for at in range(20)], build_seconds)
            assert len(begun) <= 2, (gap, build_seconds, begun)


def test_a_save_long_after_a_build_is_not_waited_for() -> None:
    assert run([0.0, 10.0], 0.3) == [0.0, 10.0]


class QueueMachine(RuleBasedStateMachine):
    """The queue against what anybody would keep of it: a set of changes and two times."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = BuildQueue()
        self.now = 0.0
        self.paths: set[Path] = set()
        self.first: float | None = None

    @rule(seconds=st.floats(0, 3))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule(names=st.sets(st.sampled_from("abc")), kind=st.sampled_from(get_args(Kind)), matters=st.booleans())
    def files_change(self, names: set[str], kind: Kind, *, matters: bool) -> None:
        paths = {Path("/app") / name for name in names}
        self.queue.offer([Change(path, kind) for path in paths], calls_for_build=matters, now=self.now)
        self.paths |= paths
        if matters and self.first is None:
            self.first = self.now

    @precondition(lambda self: self.queue.due_in(self.now) == 0.0)
    @rule()
    def a_build_begins(self) -> None:
        assert {change.path for change in self.queue.take(self.now)} == self.paths
        self.paths = set()
        self.first = None

    @invariant()
    def something_is_due_exactly_if_something_matters_and_never_later_than_allowed(self) -> None:
        due = self.queue.due_in(self.now)
        assert (due is None) == (self.first is None)
        if due is not None and self.first is not None:
            assert 0.0 <= due <= min(QUIET_SECONDS, max(0.0, self.first + LIMIT_SECONDS - self.now)) + 1e-9


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
