"""The app of the documentation's page about testing, with the Workflow SDK installed and the artifact built once."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.support.sdk import SDK_VERSION, installed_sdk
from workflow_studio.scaffolder.testing.throwaway import built_once

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[3] / "docs/testing.md"
_FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.DOTALL | re.MULTILINE)

# What the page has no place for.
MORE = """
import { FatalError, sleep } from 'workflow';
import { start } from 'workflow/api';

export async function values() {
  'use workflow';
  return { date: new Date(0), big: 12n, map: new Map([['a', 1]]), set: new Set([1]), bytes: new Uint8Array([1, 2]) };
}

export async function racing() {
  'use workflow';
  return await Promise.race([slowly(), sleep('1s').then(() => 'the sleep')]);
}

async function slowly() {
  'use step';
  console.log('slowly');
  await new Promise((resolve) => setTimeout(resolve, 300));
  return 'the step';
}

export async function sleeping(times: number) {
  'use workflow';
  for (let time = 0; time < times; time += 1) await sleep('30d');
  return times;
}

export async function nested() {
  'use workflow';
  return await waited(3);
}

async function waited(times: number) {
  'use step';
  const run = await start(sleeping, [times]);
  return await run.returnValue;
}

export async function refused(reason: string) {
  'use workflow';
  await refuse(reason);
}

async function refuse(reason: string) {
  'use step';
  console.log('about to refuse');
  throw new FatalError(reason);
}
"""


def files_of_the_page() -> dict[str, str]:
    """Return the files that the page shows, by their paths."""
    return dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def page() -> dict[str, str]:
    return files_of_the_page()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, page: dict[str, str]) -> Path:
    """Return the folder of the app, which the processes of the test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shop"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = folder.with_name("unfinished-shop")
            (made / "workflows").mkdir(parents=True)
            (made / "node_modules").symlink_to(installed_sdk())
            package = {"name": "shop", "private": True, "type": "module", "dependencies": {"workflow": SDK_VERSION}}
            (made / "package.json").write_text(json.dumps(package))
            (made / "workflows/approval.ts").write_text(page["workflows/approval.ts"])
            (made / "workflows/more.ts").write_text(MORE)
            made.rename(folder)
    return folder


@pytest.fixture(scope="session")
def artifact(shop: Path) -> Path:
    folder = shop.with_name("artifact-of-the-shop")
    folder.mkdir(exist_ok=True)
    return built_once(shop, folder)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    import time  # noqa: PLC0415

    def wait(probe: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not probe():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
