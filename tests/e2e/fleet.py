"""Many runs at once, the people who start and answer them, and what may be said of them when all is over."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import Counter, defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import Connection, create_engine, text

from tests.e2e.support import App, Worker, wait_until
from tests.support.invariants import violations
from workflow_studio.compute import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKFLOW = "workflow//./workflows/features//voyage"
LEGS = ("fore", "main", "mizzen", "home", "tell")
"""The steps of each run."""

_PATIENCE = 300
_CBOR = {"content-type": "application/cbor", "accept": "application/cbor"}


@dataclass
class Ledger:
    """What the steps wrote down about themselves: ``begin|end <number of the run> <leg> <nonce> <process>``."""

    path: Path

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def ended(self) -> int:
        """How many steps have come to their end, each counted once."""
        return len({(number, leg) for what, number, leg, *_ in self.lines() if what == "end"})


@contextlib.contextmanager
def copied_store(worker: Worker, folder: Path) -> Iterator[Connection]:
    """Look into a copy of what a worker that has ended left on the disk: the next one must find it untouched."""
    folder.mkdir()
    for file in (worker.cwd / "data").glob("worker.db*"):
        if not file.name.endswith((".lock", "-shm")):
            shutil.copy(file, folder / file.name)
    engine = create_engine(f"sqlite:///{folder / 'worker.db'}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
        shutil.rmtree(folder)


@dataclass
class Fleet:
    """Runs of the workflow ``voyage``, and people who do not give up while the worker is away.

    Attributes:
        started: The ids of the runs whose start was acknowledged, by the run's number.
        unsure: The numbers of those that were not: they may be there or not.
    """

    app: App
    worker: Worker
    ledger: Ledger
    step_ms: int
    started: dict[int, str] = field(default_factory=dict)
    unsure: set[int] = field(default_factory=set)
    _people: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))
    _starting: list[Future[None]] = field(default_factory=list)
    _answering: list[Future[None]] = field(default_factory=list)
    _answered: set[str] = field(default_factory=set)
    _finished: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self._finished.set()
        self._people.shutdown(cancel_futures=True)

    def start(self, numbers: range) -> None:
        """Start runs, and come back when all are acknowledged or given up."""
        list(self._people.map(self._start, numbers))

    def start_meanwhile(self, numbers: range) -> None:
        """Have runs started, whatever happens meanwhile."""
        self._starting += [self._people.submit(self._start, number) for number in numbers]

    def answer_meanwhile(self) -> None:
        """From now on, have each run that asks answered, whatever happens meanwhile."""
        self._answering.append(self._people.submit(self._answer_all))

    def _start(self, number: int) -> None:
        arguments = [str(self.ledger.path), number, self.step_ms]
        if number % 5 == 0:
            try:
                self.started[number] = self.app.begin("voyage", *arguments)
            except (AssertionError, httpx.TransportError):
                # Nobody was told that it is started, so it may be there or not; the app's route has no key to repeat.
                self.unsure.add(number)
            return

        def post() -> Any:
            answer = self.worker.http.post(
                "/v1/runs",
                json={"workflowName": WORKFLOW, "input": arguments},
                headers={"idempotency-key": f"voyage-{number}"},
            )
            return answer.json()["runId"] if answer.status_code == 201 else None

        self.started[number] = wait_until(post, seconds=_PATIENCE, what=f"the start of run {number}")

    def _answer_all(self) -> None:
        while not self._finished.wait(0.25):
            with contextlib.suppress(httpx.TransportError):
                list(self._people.map(self._answer, self._open_hooks()))

    def _open_hooks(self) -> list[dict[str, Any]]:
        # Asking for each run's hooks one by one would keep the worker busy with nothing else.
        answer = self.worker.http.post("/v1/world/hooks/list", content=wire.encode({"limit": 1000}), headers=_CBOR)
        hooks: list[dict[str, Any]] = wire.decode(answer.content)["data"] if answer.status_code == 200 else []
        return [hook for hook in hooks if hook["hookId"] not in self._answered]

    def _answer(self, hook: dict[str, Any]) -> None:
        """Tell a run where to go: every third through the app's own ``resumeHook()``."""
        token: str = hook["token"]
        number = int(token.removeprefix("voyage-"))
        port = {"port": f"port of {number}"}
        if number % 3 == 0:
            answer = self.app.resume(token, port)
        else:
            body = {"runId": hook["runId"], "token": token, "payload": port}
            answer = self.worker.http.post("/v1/runs/resume", json=body)
        if answer.status_code == 200:
            self._answered.add(hook["hookId"])

    def progress(self, steps: int) -> None:
        """Wait until so many more steps have come to their end."""
        goal = self.ledger.ended() + steps
        wait_until(lambda: self.ledger.ended() >= goal, seconds=_PATIENCE, what=f"the end of {steps} more steps")

    def finish(self) -> None:
        """Wait until everything is started and no run is unfinished."""
        for start in self._starting:
            start.result(_PATIENCE)
        wait_until(
            lambda: not (self._runs(status="pending") or self._runs(status="running")),
            seconds=_PATIENCE,
            what="the end of all runs",
        )
        self._finished.set()
        for answers in self._answering:
            answers.result(_PATIENCE)

    def _runs(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.worker.get("/v1/runs", workflowName=WORKFLOW, limit="1000", **query)
            found += page["data"]
            if not page["hasMore"]:
                return found
            query["cursor"] = page["cursor"]

    def check(self, *, interruptions: int) -> None:
        """Compare what people were told, what the steps wrote down and what the worker recorded."""
        runs = self._runs(resolveData="all")
        odd = [run for run in runs if run["status"] != "completed"]
        assert not odd, f"{len(odd)} runs did not complete, such as {odd[0]}"
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for run in runs:
            found[run["output"]["number"]].append(run)
        for number, run_id in self.started.items():
            assert [run["runId"] for run in found[number]] == [run_id], "what was acknowledged is there, once"
        assert set(found) <= set(self.started) | self.unsure
        assert all(len(same) == 1 for same in found.values()), "what was not acknowledged is there once at most"

        begun: Counter[tuple[str, str]] = Counter()
        returned: set[tuple[str, str, str]] = set()
        for what, number_, leg, nonce, _process in self.ledger.lines():
            if what == "begin":
                begun[number_, leg] += 1
            else:
                returned.add((number_, leg, nonce))
        for number, (run,) in found.items():
            assert run["output"]["port"] == f"port of {number}"
            results = [result.split() for result in run["output"]["sailed"]]
            assert [leg for leg, _ in results] == list(LEGS)
            for leg, nonce in results:
                assert (str(number), leg, nonce) in returned, "a recorded result is one that a step really returned"
        assert max(begun.values()) <= 1 + interruptions

    def check_logs(self, folder: Path) -> None:
        """Look at the event logs themselves; the worker has ended."""
        with copied_store(self.worker, folder) as connection:
            self.check_log_rows(connection)
            assert connection.execute(text("SELECT count(*) FROM messages")).scalar_one() == 0, "nothing is left to do"

    @staticmethod
    def check_log_rows(connection: Connection) -> None:
        """Look at the event logs in a database."""
        assert violations(connection) == []
        query = "SELECT count(*) FROM runs WHERE workflow_name = :name"
        runs = connection.execute(text(query), {"name": WORKFLOW}).scalar_one()
        query = (
            "SELECT run_id, correlation_id FROM events WHERE event_type = 'step_completed' "
            "AND run_id IN (SELECT run_id FROM runs WHERE workflow_name = :name)"
        )
        completions = Counter(tuple(row) for row in connection.execute(text(query), {"name": WORKFLOW}))
        assert len(completions) == len(LEGS) * runs
        assert set(completions.values()) == {1}, "no step's result is recorded twice"

    def check_streams(self, folder: Path) -> None:
        """Look whether each run's stream has come to its end. A step that is begun again writes its chunk again."""
        with copied_store(self.worker, folder) as connection:
            runs = connection.execute(text("SELECT count(*) FROM runs")).scalar_one()
            told = "SELECT count(*) FROM streams WHERE chunk_count >= 1 AND closed_at IS NOT NULL"
            assert connection.execute(text(told)).scalar_one() == runs
