"""What people and programs see of a session."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from workflow_studio.compute.api import Failure
from workflow_studio.compute.api.activity import ActivityEntry
from workflow_studio.compute.ids import DeploymentId, RunId
from workflow_studio.compute.manifest import Manifest, SdkVersions
from workflow_studio.scaffolder.build.archive import describe_file
from workflow_studio.scaffolder.dev.display import SessionFacts, TextDisplay, display_for
from workflow_studio.scaffolder.dev.outcomes import Broken, Built, Deployed, Problem
from workflow_studio.scaffolder.errors import StudioError
from workflow_studio.scaffolder.output import Output

if TYPE_CHECKING:
    from workflow_studio.scaffolder.dev.display import Display

ID = "dep_f01f9eb651271ee0ce1adaebfc7a0dbe"
BUILT = Built(
    Manifest.describe(
        files=tuple(describe_file(name, b"") for name in ("flow.js", "graph.json", "step.js", "webhook.js")),
        workflows=("workflow//./workflows/order//fulfilOrder",),
        steps=(),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        node=">=20",
    ),
    {},
    frozenset(),
    0.94,
)


@pytest.fixture
def output() -> Output:
    output = Output()
    output._consoles[False] = Console(file=io.StringIO(), width=40, highlight=False, soft_wrap=True)
    return output


def printed(output: Output) -> list[str]:
    file = output.stdout.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def entry(kind: str, **more: Any) -> ActivityEntry:
    return ActivityEntry(
        type=kind,
        cursor="c",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id=RunId("wrun_01M80XQYNRBNH57T2YDGPQ2JK6"),
        workflow_name="workflow//./workflows/order//fulfilOrder",
        deployment_id=DeploymentId(ID),
        **more,
    )


def at(seconds: int) -> datetime:
    return datetime(2026, 1, 1, 12, 0, seconds).astimezone()


CHARGE = {"step_id": "step_1", "step_name": "step//./workflows/order//charge"}
DECLINED = Failure(
    message="The card was declined\n\nLearn more: https://bank",
    stack="Error: The card was declined\n"
    "    at process (node:internal/x:1:2)\n"
    "    at pay (node_modules/pay/index.js:3:4)\n"
    "    at charge (workflows/order.ts:31:11)\n"
    "    at workflows/order.ts:40:1\n",
)


def a_session(display: Display) -> None:
    """Everything that can happen."""
    display.session(SessionFacts(Path("/home/ada/shop"), "npm run dev", "http://localhost:8787"))
    display.build_started(())
    display.ready("worker", "http://localhost:8787")
    display.line("app", "\x1b[2J\x1b[32m  ready\x1b[0m in 300 ms")
    display.line("app", "")
    display.ready("app", "http://localhost:3000")
    display.deployed(BUILT, Deployed(ID, 1_500_000, 0.104))
    display.build_started(tuple(f"workflows/{name}.ts" for name in "abcde"))
    display.broken(
        Broken((Problem('Expected ";" but found "x"', "workflows/order.ts", 12, 10, "\tconst 全 x = 1;"),)), active=ID
    )
    display.build_started(("workflows/order.ts",))
    display.deployed(BUILT, Deployed(ID, 0, 0.01, unchanged=True))
    display.refused(StudioError("The worker is full.", hint="Make room."))
    for happened in (
        entry("run_created"),
        entry("run_started"),
        entry("step_created", **CHARGE),
        entry("step_started", **CHARGE, attempt=1),
        entry("output", **CHARGE, attempt=1, position=1, level="warn", text="slow \x1b[2Jbank"),
        entry("output", position=2, level="info", text="in the workflow"),
        entry("step_retrying", **CHARGE, attempt=1, error=DECLINED, retry_after=at(2)),
        entry("step_completed", **CHARGE, attempt=2, duration_ms=14),
        entry("wait_created", resume_at=at(5)),
        entry("wait_completed", duration_ms=3000),
        entry("hook_created", token="order:7"),
        entry("hook_received", token="order:7"),
        entry("run_completed", duration_ms=4010),
        entry("step_failed", **CHARGE, attempt=4, error=DECLINED),
        entry("run_failed", duration_ms=61_000, error=DECLINED, missed=True),
        entry("run_cancelled"),
        entry("something_new"),
    ):
        display.activity(happened)
    display.lost("worker", "ended (exit status 137)")
    display.note("The end.")


def test_a_session_in_text(output: Output) -> None:
    a_session(TextDisplay(output))
    assert printed(output) == [
        "app          shop, started with npm run dev",
        "worker       http://localhost:8787, on this machine for this session",
        "end          Ctrl-C",
        "",
        "build   building the workflows",
        "worker  ready at http://localhost:8787",
        "app       ready in 300 ms",
        "app     ready at http://localhost:3000",
        f"build   deployed {ID} (0.9 s build, 0.1 s upload and activation)",
        "build   workflows/a.ts, workflows/b.ts, workflows/c.ts and 2 more changed",
        f"build   failed; {ID} stays active",
        'build     workflows/order.ts:12:10  Expected ";" but found "x"',
        "build       12 │  const 全 x = 1;",
        "build          │           ^",
        "build   workflows/order.ts changed",
        f"build   {ID} is active already (0.9 s build)",
        "build   not deployed: The worker is full.",
        "build   Make room.",
        "run     2JK6 fulfilOrder started, wrun_01M80XQYNRBNH57T2YDGPQ2JK6",
        "run     2JK6 fulfilOrder charge: slow bank",
        "run     2JK6 fulfilOrder in the workflow",
        "run     2JK6 fulfilOrder charge failed, attempt 1, again at 12:00:02: The card was declined",
        "run            Learn more: https://bank",
        "run            at workflows/order.ts:31:11",
        "run     2JK6 fulfilOrder charge done after 14 ms, attempt 2",
        "run     2JK6 fulfilOrder sleeps until 12:00:05",
        "run     2JK6 fulfilOrder waits for the hook order:7",
        "run     2JK6 fulfilOrder hook received order:7",
        "run     2JK6 fulfilOrder completed after 4.01 s",
        "run     2JK6 fulfilOrder charge failed, attempt 4: The card was declined",
        "run            Learn more: https://bank",
        "run            at workflows/order.ts:31:11",
        "run     Some of what happened is left out: it was too much at once.",
        "run     2JK6 fulfilOrder failed after 1 m 1 s: The card was declined",
        "run            Learn more: https://bank",
        "run            at workflows/order.ts:31:11",
        "run     2JK6 fulfilOrder cancelled",
        "run     2JK6 fulfilOrder something_new",
        "worker  ended (exit status 137)",
        "studio  The end.",
    ]


def test_the_caret_stands_below_the_place(output: Output) -> None:
    TextDisplay(output).broken(Broken((Problem("no", "a.ts", 3, 1, "oops"),)), active=None)
    head, place, line, caret = printed(output)
    assert (head, place) == ("build   failed", "build     a.ts:3:1  no")
    assert caret.index("^") == line.index("oops")


def test_what_the_sdk_printed_is_shown_when_no_message_has_a_place(output: Output) -> None:
    TextDisplay(output).broken(Broken((Problem("It failed"),), "first\nsecond \x1b[31mred\n"), active=None)
    assert printed(output) == ["build   failed", "build     It failed", "build   first", "build   second red"]


def test_many_messages_are_cut(output: Output) -> None:
    TextDisplay(output).broken(Broken(tuple(Problem(str(n), "a.ts") for n in range(8))), active=None)
    assert printed(output)[-2:] == ["build     a.ts  4", "build   and 3 more messages"]


def test_colours_of_the_app_stay_and_nothing_else_of_its_escapes() -> None:
    output = Output()
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False)
    output._consoles[False] = console
    TextDisplay(output).line("app", "\x1b[2J\x1b[1;1H\x1b[31mred\x1b[0m \x1b]0;title\x07\x1bc\x07plain")
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "\x1b[31mred\x1b[0m" in shown
    assert shown.replace("\x1b[34m", "").replace("\x1b[31m", "").replace("\x1b[0m", "") == "app     red plain\n"


def test_a_session_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    a_session(display_for(Output(json_mode=True)))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(datetime.fromisoformat(line.pop("at")).tzinfo for line in lines)
    kinds = [line["type"] for line in lines]
    assert kinds[:8] == ["session", "build_started", "ready", "line", "line", "ready", "deployed", "build_started"]
    assert lines[0] == {
        "type": "session",
        "app": "/home/ada/shop",
        "command": "npm run dev",
        "worker": "http://localhost:8787",
    }
    assert lines[6] == {
        "type": "deployed",
        "deploymentId": ID,
        "unchanged": False,
        "uploadedBytes": 1_500_000,
        "buildSeconds": 0.94,
        "deploySeconds": 0.104,
        "workflows": ["workflow//./workflows/order//fulfilOrder"],
        "warnings": [],
    }
    (broken,) = (line for line in lines if line["type"] == "broken")
    assert broken["active"] == ID
    assert broken["problems"] == [
        {
            "message": 'Expected ";" but found "x"',
            "file": "workflows/order.ts",
            "line": 12,
            "column": 10,
            "lineText": "\tconst 全 x = 1;",
        }
    ]
    entries = [line["entry"] for line in lines if line["type"] == "activity"]
    assert len(entries) == 17
    assert entries[6]["error"]["message"].startswith("The card was declined")
    assert lines[-1] == {"type": "note", "text": "The end."}
