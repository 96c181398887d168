"""The recipes in deploy/ can be used as they are: tools that read them accept them, and what they name exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import crossplane
import kubernetes_validate
import pytest
import yaml

from tests.worker.routes.conftest import FakePool
from workflow_studio.worker.app import create_app
from workflow_studio.worker.settings import ENV_PREFIX, WorkerSettings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
RECIPES = [path for path in DEPLOY.rglob("*") if path.is_file()]
PAGES = sorted((ROOT / "docs/operations").glob("*.md"))
DOCKERFILE = DEPLOY / "docker/Dockerfile"
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes/worker.yaml").read_text(encoding="utf-8")))
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text(encoding="utf-8"))
UNIT = DEPLOY / "systemd/workflow-studio.service"
TO_END = 5
"""Seconds that executors and the database get beyond the grace."""


def bin_of(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_every_setting_they_name_is_one() -> None:
    known = {f"{ENV_PREFIX}{name}".upper() for name in WorkerSettings.model_fields}
    named = {
        name for path in (*RECIPES, *PAGES) for name in re.findall(rf"{ENV_PREFIX}[A-Z_]+", path.read_text("utf-8"))
    }
    assert len(named) > 8
    assert named - known == set()


def test_every_address_they_ask_is_one() -> None:
    paths = set(create_app(WorkerSettings(), pool=FakePool()).openapi()["paths"]) | {"/metrics"}
    asked = {
        path
        for recipe in RECIPES
        for path in re.findall(r"(/v1/[\w/-]+|/metrics)\b", recipe.read_text("utf-8"))
        if "prometheus" not in str(recipe)
    }
    assert asked == {"/v1/health", "/v1/health/ready", "/metrics"}
    assert asked <= paths


def manifest(kind: str) -> Any:
    (found,) = [entry for entry in MANIFESTS if entry["kind"] == kind]
    return found


def environment() -> dict[str, str]:
    (container,) = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    return {entry["name"].removeprefix(ENV_PREFIX): entry["value"] for entry in container["env"]}


def test_kubernetes_would_take_the_manifests() -> None:
    for entry in MANIFESTS:
        kubernetes_validate.validate(entry, "1.31", strict=True)


def test_a_pod_is_given_the_time_that_the_worker_takes_to_end() -> None:
    spec = manifest("Deployment")["spec"]["template"]["spec"]
    takes = float(environment()["SHUTDOWN_DELAY"]) + float(environment()["SHUTDOWN_GRACE"]) + TO_END
    assert spec["terminationGracePeriodSeconds"] > takes
    probe = spec["containers"][0]["readinessProbe"]
    # Before the worker refuses connections, two probes have heard that it is not ready.
    assert float(environment()["SHUTDOWN_DELAY"]) > probe["periodSeconds"] * probe["failureThreshold"]


def test_the_settings_of_the_pods_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(ENV_PREFIX + name, value)
    monkeypatch.setenv("PORT", "")
    assert WorkerSettings().shutdown_delay == 10


def test_services_and_budgets_are_about_the_pods() -> None:
    labels = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        manifest("Deployment")["spec"]["selector"]["matchLabels"],
        manifest("Service")["spec"]["selector"],
        manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    ports = {port["name"] for port in manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert manifest("Service")["spec"]["ports"][0]["targetPort"] in ports


def test_pods_and_containers_run_as_a_user_without_rights_and_write_to_their_folders_only() -> None:
    spec = manifest("Deployment")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    worker = COMPOSE["services"]["worker"]
    assert (worker["read_only"], worker["cap_drop"]) == (True, ["ALL"])
    user = re.search(r"^USER (\d+):\d+$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert user
    assert int(user[1]) == spec["securityContext"]["runAsUser"] != 0


def test_compose_names_files_and_parts_that_exist() -> None:
    docker = DEPLOY / "docker"
    build = COMPOSE["services"]["worker"]["build"]
    assert (docker / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
    proxied = [Path(volume.split(":")[0]) for volume in COMPOSE["services"]["proxy"]["volumes"] if "../" in volume]
    assert [path for path in proxied if not (docker / path).is_file()] == []
    secrets = {name for service in COMPOSE["services"].values() for name in service.get("secrets", ())}
    assert secrets == set(COMPOSE["secrets"])
    example = (docker / "worker.env.example").read_text("utf-8")
    assert all(line.startswith("#") or line.endswith("=") or "PASSWORD" in line for line in example.splitlines())


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    made = subprocess.run([bin_of("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout) == (0, "")


def test_what_the_image_copies_is_sent_to_it() -> None:
    sent = [
        line[1:]
        for line in (DEPLOY / "docker/Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line[0] == "!"
    ]
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert sorted(copied) == sorted(sent)
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_nginx_would_read_its_configuration(tmp_path: Path) -> None:
    whole = tmp_path / "nginx.conf"
    whole.write_text("events {} http { include %s; }" % (DEPLOY / "proxy/nginx.conf"), encoding="utf-8")
    read = crossplane.parse(str(whole))
    assert (read["status"], read["errors"]) == ("ok", [])
    assert "upstream" in json.dumps(read)


def test_the_unit_gives_the_worker_the_time_it_takes_to_end() -> None:
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    settings = WorkerSettings.model_fields
    assert stop
    assert int(stop[1]) > settings["shutdown_delay"].default + settings["shutdown_grace"].default + TO_END


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="only a machine with systemd can check its units")
def test_systemd_would_take_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text("utf-8").replace("/opt/workflow-studio/bin/python", sys.executable)
    unit.write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in made.stderr.splitlines() if UNIT.name in line and "User" not in line]
    assert complaints == []


@pytest.mark.e2e
def test_what_the_image_installs_is_a_worker(tmp_path: Path) -> None:
    """Does what the Dockerfile does, in folders of its own."""
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    source, target = tmp_path / "src", tmp_path / "opt"
    for path, to in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", text, re.MULTILINE):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / to, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, source / to)
    install = next(line for line in re.findall(r"^RUN (.+)$", text, re.MULTILINE) if "pip install" in line)
    install = install.replace("/opt/workflow-studio", str(target)).replace(
        "python -m venv", f"{sys.executable} -m venv"
    )
    subprocess.run(["sh", "-ec", install], cwd=source, check=True, capture_output=True, timeout=600)
    entry = json.loads(re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[0])
    entry[0] = str(target / "bin/python")
    checked = subprocess.run(
        [*entry, "--check", "--data-dir", str(tmp_path / "data"), "--port", "0"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    document = json.loads(checked.stdout)
    assert document["ok"], document
    assert shlex.split(document["settings"]["node"]["path"])[0].startswith(str(target)), "the image has its own Node.js"
