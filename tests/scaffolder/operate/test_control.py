"""``studio deployments``, ``keys`` and ``audit``: the whole output and exit code, against a real worker."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.scaffolder.operate.support import studio, studio_json
from workflow_studio.client import ComputeClient
from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scaffolder.operate.conftest import LiveWorker

    Capture = pytest.CaptureFixture[str]

UNKNOWN = "dep_" + "0" * 32
SECRET = re.compile(r"wfs_\S+")


@pytest.fixture(scope="module")
def first(server: LiveWorker) -> str:
    return server.deploy(salt="first")


@pytest.fixture(scope="module")
def second(server: LiveWorker, first: str) -> str:
    return server.deploy(salt="second")


# Deployments --------------------------------------------------------------------------------------------------------


def test_deployments_are_listed_newest_first(worker: LiveWorker, first: str, second: str, capsys: Capture) -> None:
    out, err = studio(capsys, "deployments", "list")
    assert out == [
        "deployment status live runs workflows workflow uploaded activated active in",
        f"{second} active 0 1 4.8.9 T T production",
        f"{first} retired 0 1 4.8.9 T T",
    ]
    assert err == []
    document = studio_json(capsys, "deployments", "list")
    assert [entry["deploymentId"] for entry in document["deployments"]] == [second, first]
    assert studio(capsys, "compute", "list") == (out, [])


def test_a_deployment_is_shown_whole(worker: LiveWorker, second: str, capsys: Capture) -> None:
    out, _ = studio(capsys, "deployments", "show", second)
    digest = studio_json(capsys, "deployments", "show", second)["deployment"]["digest"]
    assert out == [
        f"Deployment {second}",
        "Status active",
        "Active in production",
        "Live runs 0",
        f"Digest {digest}",
        "Made with workflow 4.8.9, @workflow/core 4.8.9",
        "Node.js >=20",
        "Uploaded T by admin",
        "Activated T by admin",
        "",
        "kind id",
        "workflow workflow//./w//f",
        "step step//./w//s",
    ]


def test_activate_and_go_back(worker: LiveWorker, first: str, second: str, capsys: Capture) -> None:
    out, _ = studio(capsys, "deployments", "activate", first)
    assert out == [first]
    out, _ = studio(capsys, "deployments", "rollback")
    assert out == [second]


def test_delete_asks_a_person_and_refuses_to_guess(worker: LiveWorker, second: str, capsys: Capture) -> None:
    gone = worker.deploy(salt="to delete", activate=False)
    error = studio_json(capsys, "deployments", "delete", gone, expect=2)["error"]
    assert (error["code"], error["hint"]) == ("confirmation_needed", "Add --yes if that is what you want.")
    out, err = studio(capsys, "deployments", "delete", gone, expect=2)
    assert out == []
    assert err == [
        f"Error: Delete {gone} from the worker at {worker.url}? There is no terminal to ask at.",
        "Add --yes if that is what you want.",
    ]
    assert studio(capsys, "deployments", "delete", gone, "--yes") == ([f"{gone} deleted"], [])
    assert studio_json(capsys, "deployments", "show", gone, expect=1)["error"]["code"] == "deployment_not_found"
    assert studio_json(capsys, "deployments", "delete", second, "--yes", expect=1)["error"]["hint"]


@pytest.mark.parametrize("command", ["show", "activate", "delete --yes", "env list"])
def test_a_deployment_that_is_not_there(worker: LiveWorker, capsys: Capture, command: str) -> None:
    error = studio_json(capsys, "deployments", *command.split(), UNKNOWN, expect=1)["error"]
    assert error["code"] == "deployment_not_found"
    assert error["hint"]


# Variables ----------------------------------------------------------------------------------------------------------


def test_variables_come_from_the_environment_a_file_or_standard_input(
    worker: LiveWorker, second: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRIPE_KEY", "the-stripe-secret")
    out, err = studio(capsys, "deployments", "env", "set", second, "STRIPE_KEY")
    assert out == ["variable set by", "STRIPE_KEY T admin"]
    assert err == ["Set STRIPE_KEY."]
    (tmp_path / "production.env").write_text("A='the-file-secret'\nB=2\n")
    document = studio_json(capsys, "deployments", "env", "set", second, "--env-file", "production.env")
    assert [variable["name"] for variable in document["variables"]] == ["A", "B", "STRIPE_KEY"]
    monkeypatch.setattr("sys.stdin", io.StringIO("the-piped-secret\n"))
    studio(capsys, "deployments", "env", "set", second, "C", "--stdin")
    out, _ = studio(capsys, "deployments", "env", "unset", second, "A", "B", "C")
    assert out == ["variable set by", "STRIPE_KEY T admin"]
    listed = json.dumps(studio_json(capsys, "deployments", "env", "list", second))
    assert "secret" not in listed
    out, err = studio(capsys, "deployments", "env", "unset", second, "STRIPE_KEY")
    assert (out, err) == ([], ["Unset STRIPE_KEY.", "The deployment has no variables."])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "usage_error"),
        (("KEY=the-secret",), "secret_on_command_line"),
        (("NOT_SET_ANYWHERE",), "variable_missing"),
        (("A", "B", "--stdin"), "usage_error"),
        (("--env-file", "broken.env"), "invalid_env_file"),
    ],
)
def test_what_cannot_be_set_is_refused_without_showing_it(
    worker: LiveWorker, second: str, capsys: Capture, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "broken.env").write_text("A=1\n\nthe secret B=2\n")
    error = studio_json(capsys, "deployments", "env", "set", second, *arguments, expect=2)["error"]
    assert error["code"] == code
    assert "the-secret" not in json.dumps(error)
    if code == "invalid_env_file":
        assert error["message"] == "broken.env:3 is wrong."


# Keys ---------------------------------------------------------------------------------------------------------------


def test_the_secret_of_a_new_key_is_alone_on_standard_output_and_works(worker: LiveWorker, capsys: Capture) -> None:
    (secret,), err = studio(capsys, "keys", "create", "--scope", "runs:read", "--name", "dashboard")
    assert SECRET.fullmatch(secret)
    assert re.fullmatch(r"key_\w+ may runs:read; it expires never\.", err[0])
    assert err[1:] == ["Keep the secret now: it is not shown again."]
    with ComputeClient(worker.url, secret) as client:
        assert client.get_current_key().name == "dashboard"


def test_a_key_from_its_first_day_to_its_last(worker: LiveWorker, capsys: Capture) -> None:
    made = studio_json(capsys, "keys", "create", "--scope", "deploy:read", "--name", "ci", "--expires-in-days", "90")
    key = made["key"]["keyId"]
    assert SECRET.fullmatch(made["key"]["secret"])

    out, err = studio(capsys, "keys", "show", key)
    assert out == [
        f"Key {key}",
        "Name ci",
        "State live",
        "Scopes deploy:read",
        "Project default",
        "Environment production",
        "Created T by admin",
        "Expires T",
        "Last used never",
    ]
    assert err == []

    (secret,), err = studio(capsys, "keys", "rotate", key, "--overlap", "3600")
    replacing = err[0].split()[0]
    assert SECRET.fullmatch(secret)
    assert err[1] == f"It replaces {key}, which goes on until T."

    assert studio_json(capsys, "keys", "revoke", key, expect=2)["error"]["code"] == "confirmation_needed"
    assert studio(capsys, "keys", "revoke", key, "--yes") == ([f"{key} revoked"], [])
    document = studio_json(capsys, "keys", "list", "--state", "live")
    live = [entry["keyId"] for entry in document["keys"]]
    assert replacing in live
    assert key not in live
    assert "secret" not in json.dumps(document)
    out, _ = studio(capsys, "keys", "list", "--state", "revoked")
    assert out == [
        "key name state scopes project environment expires last used",
        f"{key} ci revoked deploy:read default production T never",
    ]


def test_the_key_in_use_can_be_shown(worker: LiveWorker, capsys: Capture) -> None:
    assert studio_json(capsys, "keys", "show", "current")["key"]["keyId"] == "admin"


@pytest.mark.parametrize(
    "arguments", [("create",), ("create", "--scope", "everything"), ("list", "--state", "asleep"), ("rotate",)]
)
def test_a_command_line_that_makes_no_sense(capsys: Capture, arguments: tuple[str, ...]) -> None:
    assert main(["keys", *arguments]) == 2
    assert "Run `studio keys " in capsys.readouterr().err


def test_only_an_admin_may(worker: LiveWorker, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "key-with-runs:read-only")
    for command in (("keys", "list"), ("keys", "create", "--scope", "admin"), ("audit", "list")):
        error = studio_json(capsys, *command, expect=1)["error"]
        assert (error["code"], "admin" in error["message"] + error["hint"]) == ("missing_scope", True)


# Audit --------------------------------------------------------------------------------------------------------------


def test_the_audit_log_tells_who_did_what(worker: LiveWorker, second: str, capsys: Capture) -> None:
    main(["deployments", "activate", second])
    out, err = studio(capsys, "audit", "list", "--target", second, "--action", "activate_deployment", "--limit", "1")
    assert out == ["at key action target result from", f"T admin activate_deployment {second} 200 127.0.0.1"]
    assert err == ["These are the newest 1; --limit shows more."]
    main(["deployments", "activate", UNKNOWN])
    (entry,) = studio_json(capsys, "audit", "list", "--target", UNKNOWN, "--limit", "1", "--since", "1h")["entries"]
    assert (entry["actor"], entry["status"], entry["code"]) == ("admin", 404, "deployment_not_found")
    out, err = studio(capsys, "audit", "list", "--actor", "nobody")
    assert (out, err) == ([], ["There is no such entry."])


# Workers ------------------------------------------------------------------------------------------------------------


def test_the_workers_of_the_service_are_shown(worker: LiveWorker, capsys: Capture) -> None:
    (only,) = studio_json(capsys, "worker", "status")["workers"]
    assert only["workerId"] == worker.engine.workers.id
    assert only["leads"]
    assert only["isThis"]
    out, err = studio(capsys, "worker", "status")
    assert out[0] == "worker host process version registered heard of in flight"
    assert out[1].startswith(f"{only['workerId']} {only['host']} {only['pid']} ")
    assert out[1].endswith(" 0 leads, answers")
    assert err == []


# Limits -------------------------------------------------------------------------------------------------------------


def test_limits_are_set_listed_and_removed(worker: LiveWorker, capsys: Capture) -> None:
    assert studio(capsys, "limits", "list") == ([], ["Nothing is limited."])
    out, err = studio(capsys, "limits", "set", "key:*", "2")
    assert (out, err) == (["limit steps set by", "key:* 2 T admin"], ["key:* is 2 now."])
    (limit,) = studio_json(capsys, "limits", "list")["limits"]
    assert (limit["name"], limit["most"], limit["fromSettings"]) == ("key:*", 2, False)
    assert studio(capsys, "limits", "remove", "key:*") == ([], ["key:* is removed.", "Nothing is limited."])


def test_what_is_no_limit_is_refused_before_the_worker_is_asked(worker: LiveWorker, capsys: Capture) -> None:
    assert main(["limits", "set", "everything", "2", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_limit"
