"""A build becomes the active deployment."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from workflow_studio.client import ComputeClientError, TransportError
from workflow_studio.compute.manifest import Manifest, SdkVersions
from workflow_studio.scaffolder.build.archive import describe_file
from workflow_studio.scaffolder.dev.hot_deploy import HotDeployer
from workflow_studio.scaffolder.dev.outcomes import Built

if TYPE_CHECKING:
    from workflow_studio.client import AsyncComputeClient

FILES = {"flow.js": b"flow", "step.js": b"step", "webhook.js": b"webhook", "workflows.json": b"{}"}


def built(**changed: str) -> Built:
    files = {**FILES, **{name.replace("_", "."): text.encode() for name, text in changed.items()}}
    manifest = Manifest.describe(
        files=tuple(describe_file(path, content) for path, content in files.items()),
        workflows=("workflow//./a//a",),
        steps=(),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.6.0", spec_version=3),
        node=">=20",
    )
    return Built(manifest=manifest, files=files, inputs=frozenset(), seconds=0.1)


def refusal(code: str) -> ComputeClientError:
    return ComputeClientError("Refused.", code=code)


@dataclass
class Worker:
    """What a worker does with deployments."""

    there: set[str] = field(default_factory=set)
    active: str | None = None
    busy: set[str] = field(default_factory=set)
    uploads: list[tuple[set[str], str | None]] = field(default_factory=list)
    archives: list[bytes] = field(default_factory=list)

    async def get_active_deployment(self) -> Any:
        if self.active is None:
            raise refusal("no_active_deployment")
        return SimpleNamespace(deployment_id=self.active)

    async def create_deployment(self, archive: bytes, *, base: str | None = None) -> None:
        if base is not None and base not in self.there:
            raise refusal("base_not_found")
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            names = opened.getnames()
            content = opened.extractfile(names[0])
            assert content is not None
            self.there.add(Manifest.model_validate_json(content.read()).deployment_id)
        self.uploads.append((set(names[1:]), base))
        self.archives.append(archive)

    async def activate_deployment(self, deployment_id: str) -> None:
        if deployment_id not in self.there:
            raise refusal("deployment_not_found")
        self.active = deployment_id

    async def delete_deployment(self, deployment_id: str) -> None:
        if deployment_id in self.busy:
            raise refusal("deployment_in_use")
        if deployment_id == self.active:
            raise refusal("deployment_active")
        self.there.remove(deployment_id)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def deployer_to(worker: Worker, **options: Any) -> HotDeployer:
    return HotDeployer(cast("AsyncComputeClient", worker), **options)


async def test_a_build_is_sent_and_activated(worker: Worker) -> None:
    build = built()
    deployed = await deployer_to(worker).deploy(build)
    assert worker.active == deployed.deployment_id == build.manifest.deployment_id
    assert deployed.uploaded_bytes > 0
    assert not deployed.unchanged
    assert worker.uploads == [(set(FILES), None)]


async def test_what_stays_on_this_machine_is_not_compressed(worker: Worker) -> None:
    build = built(step_js="again and " * 1000)
    await deployer_to(worker, is_here=True).deploy(build)
    worker.there.clear()
    worker.active = None
    await deployer_to(worker).deploy(build)
    here, elsewhere = worker.archives
    assert b"again and " * 1000 in here
    assert b"again and " * 1000 not in elsewhere


async def test_only_what_changed_is_sent_after_that(worker: Worker) -> None:
    deployer = deployer_to(worker)
    first = await deployer.deploy(built())
    second = await deployer.deploy(built(step_js="another step"))
    assert worker.uploads[1] == ({"step.js"}, first.deployment_id)
    assert worker.active == second.deployment_id


async def test_all_is_sent_to_a_worker_that_has_forgotten_the_deployment_before(worker: Worker) -> None:
    deployer = deployer_to(worker)
    await deployer.deploy(built())
    worker.there.clear()
    await deployer.deploy(built(step_js="another step"))
    assert worker.uploads[1] == (set(FILES), None)


async def test_the_same_again_sends_and_activates_nothing(worker: Worker) -> None:
    deployer = deployer_to(worker)
    await deployer.deploy(built())
    deployed = await deployer.deploy(built())
    assert (deployed.unchanged, deployed.uploaded_bytes, len(worker.uploads)) == (True, 0, 1)


async def test_what_somebody_else_made_active_is_replaced(worker: Worker) -> None:
    deployer = deployer_to(worker)
    await deployer.deploy(built())
    worker.active = "dep_other"
    deployed = await deployer.deploy(built())
    assert worker.active == deployed.deployment_id
    assert len(worker.uploads) == 1


async def test_an_undo_only_activates(worker: Worker) -> None:
    deployer = deployer_to(worker)
    first = await deployer.deploy(built())
    await deployer.deploy(built(step_js="another step"))
    undone = await deployer.deploy(built())
    assert (undone.deployment_id, undone.uploaded_bytes, undone.unchanged) == (first.deployment_id, 0, False)
    assert worker.active == first.deployment_id


async def test_old_deployments_of_the_session_go_when_no_run_needs_them(worker: Worker) -> None:
    worker.there.add("dep_of_somebody_else")
    deployer = deployer_to(worker, keep=2)
    ids = [(await deployer.deploy(built(step_js=str(at)))).deployment_id for at in range(2)]
    worker.busy.add(ids[0])
    ids += [(await deployer.deploy(built(step_js=str(at)))).deployment_id for at in range(2, 5)]
    assert worker.there == {ids[0], *ids[-2:], "dep_of_somebody_else"}
    worker.busy.clear()
    ids.append((await deployer.deploy(built(step_js="5"))).deployment_id)
    assert worker.there == {*ids[-2:], "dep_of_somebody_else"}


async def test_a_refusal_is_told_and_leaves_the_active_deployment(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployer = deployer_to(worker)
    first = await deployer.deploy(built())

    async def refuse(*_arguments: object, **_options: object) -> None:
        raise refusal("invalid_artifact")

    monkeypatch.setattr(worker, "create_deployment", refuse)
    with pytest.raises(ComputeClientError):
        await deployer.deploy(built(step_js="another step"))
    assert worker.active == first.deployment_id


async def test_a_worker_that_does_not_answer_is_told(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise TransportError("Gone.", code="unreachable")

    monkeypatch.setattr(worker, "get_active_deployment", fail)
    with pytest.raises(TransportError):
        await deployer_to(worker).deploy(built())
