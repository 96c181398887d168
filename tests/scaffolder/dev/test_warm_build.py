"""Warm builds are the builds that ``studio build`` makes, whatever was edited in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Final, Self

import pytest

from tests.scaffolder.build.conftest import BUNDLES, StubApp, make_stub_app
from tests.support.sdk import installed_sdk
from workflow_studio.scaffolder.build.artifact import build_artifact
from workflow_studio.scaffolder.dev import warm_build
from workflow_studio.scaffolder.dev.build_host import OUTPUT_DIR, HostBuild
from workflow_studio.scaffolder.dev.build_loop import BuildLoop
from workflow_studio.scaffolder.dev.outcomes import Broken, BuildStarted, Built
from workflow_studio.scaffolder.dev.relevance import Change
from workflow_studio.scaffolder.dev.source_index import SourceIndex
from workflow_studio.scaffolder.dev.warm_build import WarmBuilder, config_files
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from workflow_studio.compute.manifest import Manifest
    from workflow_studio.scaffolder.dev.outcomes import BuildOutcome

pytestmark = pytest.mark.node

ORDER: Final = """
import { sleep } from 'workflow';
import { price } from '../lib/price';
import rates from '../lib/rates.json';
import { taxed } from '../../shared/src/tax';

async function charge(amount: number): Promise<number> {
  'use step';
  return taxed(amount * rates.eur);
}

export async function order(items: string[]): Promise<number> {
  'use workflow';
  await sleep('1s');
  return charge(items.map(price).reduce((sum, each) => sum + each, 0));
}
"""
PARCEL: Final = """
import { WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from '@workflow/serde';

export class Parcel {
  constructor(readonly weight: number) {}
  static [WORKFLOW_SERIALIZE](parcel: Parcel) {
    return { weight: parcel.weight };
  }
  static [WORKFLOW_DESERIALIZE](data: { weight: number }) {
    return new Parcel(data.weight);
  }
}

export async function send(weight: number): Promise<Parcel> {
  'use workflow';
  return pack(weight);
}

async function pack(weight: number): Promise<Parcel> {
  'use step';
  return new Parcel(weight);
}
"""


PRICE: Final = "export const price = (item: string) => item.length;\n"
RATES: Final = '{ "eur": 2 }'
TAX: Final = "export const taxed = (amount: number) => amount * 1.2;\n"
STEP_EDITED: Final = ORDER.replace("rates.eur)", "rates.eur + 1)")
# What a workflow's code goes through on its way into the bundle: escapes, other alphabets, templates in templates.
WORKFLOW_EDITED: Final = STEP_EDITED.replace(
    "  await sleep", "  const text = `é \\\\ ${`$` + '\\u2028'} \\``;\n  await sleep"
)

EDITS: Final[dict[str, dict[str, str | None]]] = {
    "a step": {"app/workflows/order.ts": STEP_EDITED},
    "a workflow": {"app/workflows/order.ts": WORKFLOW_EDITED},
    "what is imported": {"app/lib/rates.json": '{ "eur": 3 }', "shared/src/tax.ts": TAX.replace("1.2", "1.3")},
    "a new file with a class": {"app/workflows/parcel.ts": PARCEL},
    "a module that moved and a file that went": {
        "app/lib/price.ts": None,
        "app/lib/price/index.ts": PRICE.replace("length", "length * 2"),
        "app/workflows/parcel.ts": None,
    },
}
"""Edits that follow on each other, by what they are: text by path, none for a file that is removed."""


def write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    write(folder / "package.json", json.dumps({"name": "app", "dependencies": {"workflow": "4.8.9"}}))
    write(folder / "workflows/order.ts", ORDER)
    write(folder / "lib/price.ts", PRICE)
    write(folder / "lib/rates.json", RATES)
    write(folder / "app/page.tsx", "export default () => 'Hello';\n")
    write(tmp_path / "shared/src/tax.ts", TAX)
    os.utime(tmp_path / "shared/src/tax.ts", (0, 0))  # written just now, it could be newer than the build that read it
    (folder / "node_modules").symlink_to(installed_sdk())
    return folder


def good(outcome: BuildOutcome) -> Built:
    assert isinstance(outcome, Built), outcome
    return outcome


def files_of(manifest: Manifest) -> dict[str, str]:
    return {"deployment": manifest.deployment_id, **{file.path: file.sha256 for file in manifest.files}}


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_after_every_edit_a_warm_build_is_the_same_as_a_cold_one(app: Path) -> None:
    index = SourceIndex(app)
    index.look([*index.files_below(app), app.parent / "shared/src/tax.ts"])
    async with WarmBuilder(app, find_node()) as builder:
        first = good(await builder.build())
        assert first.warnings == ()
        assert files_of(first.manifest) == files_of(build_artifact(app).manifest)
        names = {str(path.relative_to(app.parent)) for path in first.inputs}
        assert names == {"app/workflows/order.ts", "app/lib/price.ts", "app/lib/rates.json", "shared/src/tax.ts"}
        ids = [first.manifest.deployment_id]
        for name, files in EDITS.items():
            for path, text in files.items():
                write(app.parent / path, text)
            changes = tuple(change for change, _facts in index.look([app.parent / path for path in files]))
            assert len(changes) == len(files)
            built = good(await builder.build(changes))
            assert files_of(built.manifest) == files_of(build_artifact(app).manifest), name
            ids.append(built.manifest.deployment_id)
        assert len(set(ids)) == len(ids)
        assert (app / ".gitignore").read_text() == "/.swc\n"  # the cold builds' doing


async def next_build(outcomes: AsyncIterator[BuildOutcome]) -> BuildOutcome:
    async with asyncio.timeout(120):
        assert isinstance(await anext(outcomes), BuildStarted)
        return await anext(outcomes)


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_the_loop_builds_what_matters_once_and_tells_where_code_is_broken(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_build, "TRIED_BUILDERS", frozenset())  # so the first build is compared with a cold one
    order = app / "workflows/order.ts"
    async with BuildLoop(app, find_node()) as loop:
        outcomes = loop.outcomes()
        first = good(await next_build(outcomes))
        assert first.warnings == ()
        assert order in first.inputs

        write(app / "app/page.tsx", "export default () => 'Hello again';\n")
        write(order, STEP_EDITED)
        async with asyncio.timeout(120):
            started = await anext(outcomes)
        assert started == BuildStarted((order,))
        assert good(await anext(outcomes)).manifest != first.manifest

        for problem in (
            (ORDER.replace("'1s');", "'1s';"), "workflows/order.ts", 14, "Expected"),
            (ORDER.replace("lib/price'", "lib/prize'"), "workflows/order.ts", 3, "../lib/prize"),
            (ORDER.replace("await sleep('1s')", "readFileSync('/')"), "workflows/order.ts", 14, "node:fs"),
        ):
            code, file, line, message = problem
            write(order, f"import {{ readFileSync }} from 'node:fs';{code}" if message == "node:fs" else code)
            broken = await next_build(outcomes)
            assert isinstance(broken, Broken)
            assert [(found.file, found.line) for found in broken.problems] == [(file, line)]
            assert message in broken.problems[0].message
            assert broken.problems[0].line_text == order.read_text().splitlines()[line - 1]

        write(order, ORDER)
        assert good(await next_build(outcomes)).manifest == first.manifest


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_a_build_process_is_replaced_when_it_dies_and_when_the_configuration_changes(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []
    spawn = asyncio.create_subprocess_exec

    async def spawn_and_note(*command: object, **options: object) -> asyncio.subprocess.Process:
        process = await spawn(*command, **options)  # type: ignore[arg-type]
        pids.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn_and_note)
    async with WarmBuilder(app, find_node()) as builder:
        first = good(await builder.build())
        os.kill(pids[0], signal.SIGKILL)
        assert good(await builder.build(())).manifest == first.manifest
        assert len(pids) == 2
        config = app / "tsconfig.json"
        write(config, '{ "compilerOptions": { "paths": { "@/*": ["./*"] } } }')
        write(app / "workflows/order.ts", ORDER.replace("../lib/price'", "@/lib/price'"))
        built = good(await builder.build((Change(config, "added"), Change(app / "workflows/order.ts", "modified"))))
        assert app / "lib/price.ts" in built.inputs
        assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_workflow_sdk_that_cannot_be_kept_warm_is_built_cold_with_a_note(stub: StubApp) -> None:
    async with WarmBuilder(stub.folder, find_node()) as builder:
        built = good(await builder.build())
        assert built.manifest == build_artifact(stub.folder).manifest
        assert "Builds take longer" in built.warnings[-1]
        assert good(await builder.build(())).warnings == ()
        assert not builder.knows_inputs


async def test_an_sdk_whose_warm_builds_are_others_is_built_cold(
    stub: StubApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Host:
        """Makes what the SDK's command makes, with one line more."""

        def __init__(self, app_dir: Path, *_arguments: object) -> None:
            self.made = app_dir / OUTPUT_DIR

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_exception: object) -> None:
            return None

        async def build(self, _changes: object) -> HostBuild:
            for name, text in {**BUNDLES, "webhook.bundle.js": "exports.POST = 1;"}.items():
                write(self.made / name, text + "\n" * (name == "step.js"))
            return HostBuild(problems=())

    monkeypatch.setattr(warm_build, "BuildHost", Host)
    async with WarmBuilder(stub.folder, find_node()) as builder:
        built = good(await builder.build())
        assert built.manifest == build_artifact(stub.folder).manifest
        assert "came out differently" in built.warnings[-1]
        assert good(await builder.build(())).manifest == built.manifest
        assert not builder.knows_inputs


async def test_a_cold_build_that_fails_is_told_with_what_the_sdk_printed(stub: StubApp) -> None:
    stub.plan(status=1, says="It broke here.")
    async with WarmBuilder(stub.folder, find_node()) as builder:
        broken = await builder.build()
    assert isinstance(broken, Broken)
    assert "`workflow build` failed" in broken.problems[0].message
    assert "It broke here." in broken.output


async def test_an_app_without_the_sdk_is_told_and_built_once_it_has_it(stub: StubApp, tmp_path: Path) -> None:
    sdk = stub.folder / "node_modules/workflow"
    sdk.rename(tmp_path / "workflow")
    async with WarmBuilder(stub.folder, find_node()) as builder:
        broken = await builder.build()
        assert isinstance(broken, Broken)
        assert "not installed" in broken.problems[0].message
        (tmp_path / "workflow").rename(sdk)
        good(await builder.build(()))


@pytest.fixture
def stub(tmp_path: Path) -> StubApp:
    """An app whose SDK has a command, and nothing of what is within."""
    stub = make_stub_app(tmp_path / "stub")
    stub.package("@swc/core", "1.15.3")
    return stub


def test_the_configuration_is_that_of_the_app_its_workspace_and_the_packages_it_reads(tmp_path: Path) -> None:
    app, package = tmp_path / "apps/web", tmp_path / "packages/tax"
    write(tmp_path / "pnpm-lock.yaml", "")
    write(package / "package.json", "{}")
    app.mkdir(parents=True)
    found = config_files(app, frozenset({app / "workflows/order.ts", package / "src/tax.ts"}))
    assert {app / "package.json", app / "tsconfig.json", tmp_path / "pnpm-lock.yaml", package / "package.json"} <= found
    write(app / "package-lock.json", "{}")
    assert tmp_path / "pnpm-lock.yaml" not in config_files(app, frozenset())
