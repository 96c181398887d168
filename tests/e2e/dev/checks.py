"""What every framework's app has to do in a session of ``studio dev``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.e2e.dev.support import edit, gone, save
from tests.e2e.support import wait_until

if TYPE_CHECKING:
    from tests.e2e.dev.support import DevApp, DevSession


@pytest.mark.e2e
@pytest.mark.node
@pytest.mark.timeout(400)
class DevChecks:
    """One session, in which one thing after the other is tried; the last one ends it."""

    app: ClassVar[DevApp]

    def test_a_run_is_shown_with_its_steps_and_what_they_print(self, session: DevSession) -> None:
        run_id = session.begin("loop", "ada")["runId"]
        assert session.result(run_id) == "hello ada, version one"
        session.wait_for(lambda line: of_run(line, run_id, "run_completed"))
        told = [line["entry"] for line in session.seen if of_run(line, run_id)]
        assert [entry["type"] for entry in told if entry["type"] in {"run_created", "step_completed", "output"}] == [
            "run_created",
            "output",
            "step_completed",
        ]
        (done,) = (entry for entry in told if entry["type"] == "step_completed")
        assert (done["stepName"].rpartition("//")[2], done["attempt"]) == ("answer", 1)
        assert done["durationMs"] >= 0
        assert [entry["text"] for entry in told if entry["type"] == "output"] == ["answering ada"]

    def test_an_error_is_shown_at_its_place_in_the_file(self, session: DevSession) -> None:
        run_id = session.begin("failing")["runId"]
        failed = session.wait_for(lambda line: of_run(line, run_id, "step_failed"))["entry"]
        assert failed["error"]["message"] == "broken on purpose"
        text = (session.folder / self.app.workflows / "loop.ts").read_text().splitlines()
        line = next(number for number, line in enumerate(text, 1) if "broken on purpose" in line)
        stack = failed["error"]["stack"]
        assert f"{self.app.workflows}/loop.ts:{line}:" in stack, stack

    def test_a_changed_step_is_live_and_the_app_was_not_restarted(self, session: DevSession) -> None:
        before = session.begin("loop", "ada")
        servers = session.processes()
        edit(session.folder / self.app.workflows / "loop.ts", "version one", "version two")
        session.deployed()
        assert session.greeted() == "hello ada, version two"
        assert session.begin("loop", "ada")["pid"] == before["pid"]
        assert before["pid"] in servers & session.processes()

    def test_a_changed_import_is_live(self, session: DevSession) -> None:
        edit(session.folder / self.app.workflows / "words.ts", "hello", "good evening")
        session.deployed()
        assert session.greeted() == "good evening ada, version two"

    def test_the_frameworks_own_reload_works_and_builds_nothing(self, session: DevSession) -> None:
        session.read_available()
        seen = len(session.seen)
        edit(session.folder / self.app.route, "page one", "page two")
        wait_until(lambda: session.page() == "page two", what="the new page")
        # What a build would be called for by the edits before is told before what this one calls for.
        edit(session.folder / self.app.workflows / "loop.ts", "version two", "version three")
        session.deployed()
        assert [line["changed"] for line in session.builds(seen)] == [[f"{self.app.workflows}/loop.ts"]]

    def test_a_burst_of_saves_gives_two_builds_at_most(self, session: DevSession) -> None:
        session.read_available()
        seen = len(session.seen)
        file = session.folder / self.app.workflows / "loop.ts"
        text = file.read_text()
        for number in range(20):
            save(file, text.replace("version three", f"version {number}"))
        last = "good evening ada, version 19"

        def is_live() -> bool:
            with session.client() as client:
                run_id = client.trigger(self.app.workflow("loop"), ["ada"]).run_id
            return bool(session.result(run_id) == last)

        session.deployed()
        wait_until(is_live, what="the last of the saves")
        assert 1 <= len(session.builds(seen)) <= 2

    def test_a_broken_build_says_where_and_the_good_one_stays(self, session: DevSession) -> None:
        file = session.folder / self.app.workflows / "loop.ts"
        active = [line["deploymentId"] for line in session.seen if line["type"] == "deployed"][-1]
        good = file.read_text()
        save(file, good.replace("  return await answer(who);", "  return await answer(who;"))
        broken = session.wait_for(lambda line: line["type"] == "broken")
        assert broken["active"] == active
        line = good[: good.index("  return await answer(who);")].count("\n") + 1
        problem = broken["problems"][0]
        assert (problem["file"], problem["line"]) == (f"{self.app.workflows}/loop.ts", line)
        assert problem["lineText"].strip() == "return await answer(who;"
        with session.client() as client:
            run_id = client.trigger(self.app.workflow("loop"), ["ada"]).run_id
            assert client.get_active_deployment().deployment_id == active
        assert session.result(run_id) == "good evening ada, version 19"
        save(file, good)
        session.wait_for(lambda line: line["type"] == "deployed")

    def test_a_run_under_way_ends_on_the_code_it_began_on(self, session: DevSession) -> None:
        token = f"swap-{self.app.name}"
        with session.client() as client:
            run_id = client.trigger(self.app.workflow("waiting"), [token]).run_id
        session.wait_for(lambda line: of_run(line, run_id, "hook_created"))
        edit(session.folder / self.app.workflows / "loop.ts", "version 19", "the new version")
        session.deployed()
        with session.client() as client:
            client.resume_run(run_id, "go on", token=token)
        assert session.result(run_id) == [
            "good evening before, version 19",
            "go on",
            "good evening after, version 19",
        ]
        wait_until(lambda: session.greeted() == "good evening ada, the new version", what="the app's own route")

    def test_ctrl_c_ends_everything(self, session: DevSession) -> None:
        pids = session.processes()
        assert len(pids) > 4
        assert session.interrupt() == 0
        assert gone(pids)


def of_run(line: Any, run_id: str, kind: str | None = None) -> bool:
    """Whether a line is about something that happened in a run."""
    entry = line.get("entry") or {}
    return entry.get("runId") == run_id and kind in {None, entry["type"]}
