"""``studio build`` and ``studio compute build``: the whole output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from tests.scaffolder.build.conftest import StubApp

pytestmark = pytest.mark.node


def test_it_prints_the_deployment_and_the_artifact(
    app: StubApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(app.folder)
    assert main(["build"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("Deployment dep_")
    assert lines[1].startswith("Artifact   .workflow-studio/dist/artifact.tgz (")
    assert lines[2:] == ["Contents   1 workflow, 1 step, workflow 4.8.9, Node.js >=20"]
    assert [line.split(":")[0].removesuffix(" ...") for line in err.splitlines()] == [
        "Building workflows",
        "Building workflows",
        "Packing the artifact",
        "Packing the artifact",
    ]


@pytest.mark.parametrize("command", [["build"], ["compute", "build"]])
def test_json_is_one_document(app: StubApp, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main([*command, "-C", str(app.folder), "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == ""
    assert document.pop("seconds") >= 0
    assert document.pop("digest").startswith("sha256:")
    deployment = document.pop("deploymentId")
    assert document.pop("size") > 0
    assert document == {
        "ok": True,
        "artifact": str(app.folder / ".workflow-studio/dist/artifact.tgz"),
        "manifest": str(app.folder / f".workflow-studio/tmp/{deployment}/manifest.json"),
        "workflows": ["workflow//./workflows/order//order"],
        "steps": ["step//./workflows/order//charge"],
        "sdk": {"workflow": "4.8.9", "core": "4.8.9", "specVersion": 3},
        "node": ">=20",
    }


def test_a_failure_is_a_message_a_hint_and_a_code(app: StubApp, capsys: pytest.CaptureFixture[str]) -> None:
    app.plan(says="Something is wrong", status=1)
    assert main(["build", "-C", str(app.folder)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-3:] == [
        f"Error: `workflow build` failed in {app.folder} (exit status 1).",
        "Its output:",
        "Something is wrong",
    ]
    assert main(["build", "-C", str(app.folder), "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "build_failed"


def test_a_folder_that_is_no_app_is_refused(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("empty")
    assert main(["build", "-C", str(folder)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"Error: There is no package.json in {folder}.",
        "Run the command in the folder of a JavaScript app, or name it with --directory.",
    ]
