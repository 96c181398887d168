"""The artifact of a real app, made by the published Workflow SDK."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from workflow_studio.scaffolder.build.artifact import build_artifact
from workflow_studio.scaffolder.errors import BuildError
from workflow_studio.scaffolder.node import find_node
from workflow_studio.worker import execution

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.timeout(600)]

HOST = Path(execution.__file__).with_name("host")
ORDER = """
import { sleep } from 'workflow';

async function price(item: string): Promise<number> {
  'use step';
  return item.length;
}

export async function order(items: string[]): Promise<number> {
  'use workflow';
  const prices = await Promise.all(items.map(price));
  await sleep('1s');
  return prices.reduce((sum, price) => sum + price, 0);
}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"workflow": "4.8.9"}}))
    node = find_node()
    command = node.npm_command("install", "--prefer-offline", "--no-audit", "--no-fund")
    subprocess.run(command, cwd=folder, env=node.environment(), check=True, capture_output=True)
    return folder


@pytest.fixture
def app(installed: Path, tmp_path: Path) -> Path:
    return copy_of(installed, tmp_path / "app")


def copy_of(installed: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(installed / "package.json", folder)
    subprocess.run(["cp", "-al", installed / "node_modules", folder / "node_modules"], check=True)
    (folder / "workflows").mkdir()
    (folder / "workflows/order.ts").write_text(ORDER)
    return folder


def test_two_folders_give_the_same_bytes_without_a_path_in_them(app: Path, installed: Path, tmp_path: Path) -> None:
    other = copy_of(installed, tmp_path / "another/place")
    built = build_artifact(app)
    assert built.warnings == ()
    assert built.path.read_bytes() == build_artifact(other).path.read_bytes()
    assert built.manifest.workflows == ("workflow//./workflows/order//order",)
    assert "step//./workflows/order//price" in built.manifest.steps
    assert built.manifest.sdk.spec_version == 3
    assert {path.name for path in app.iterdir()} == {
        "package.json",
        "node_modules",
        "workflows",
        ".workflow-studio",
        ".swc",
        ".gitignore",
    }


@pytest.fixture(scope="module")
def unpacked(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an unpacked artifact."""
    folder = tmp_path_factory.mktemp("built")
    with tarfile.open(build_artifact(copy_of(installed, folder / "app")).path) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (folder / "unpacked/package.json").write_text('{"type": "commonjs"}')
    return folder / "unpacked"


def test_the_bundles_load_where_there_are_no_packages(unpacked: Path) -> None:
    script = """
      const world = { createQueueHandler: () => () => {}, specVersion: 3 };
      for (const name of ['cache', 'stubbedCache']) globalThis[Symbol.for('@workflow/world//' + name)] = world;
      const types = (name) => Object.entries(require('./' + name)).map(([key, value]) => key + ':' + typeof value);
      console.log(JSON.stringify([types('step.js'), types('flow.js'), types('webhook.js')]));
    """
    done = subprocess.run([find_node().node, "-e", script], cwd=unpacked, capture_output=True, text=True, check=True)
    step, flow, webhook = (set(names) for names in json.loads(done.stdout))
    assert all("POST:function" in names for names in (step, flow, webhook))


def test_the_source_maps_lead_to_the_files_as_they_were_written_and_quote_nothing(unpacked: Path) -> None:
    script = """
      const { readSourceMap } = require(process.argv[1]);
      const code = require('node:fs').readFileSync('step.js', 'utf8');
      const lines = code.split('\\n');
      const at = lines.findIndex((text) => text.trim() === 'return item.length;');
      console.log(JSON.stringify(readSourceMap(code)(at + 1, lines[at].indexOf('return') + 1)));
      const [, map] = lines.findLast((text) => text.startsWith('//# sourceMappingURL')).split(',');
      console.log(Buffer.from(map, 'base64').toString());
    """
    command = [find_node().node, "-e", script, HOST / "source-map.cjs"]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=True)
    found, source_map = done.stdout.split("\n", 1)
    line = ORDER.splitlines().index("  return item.length;") + 1
    assert json.loads(found) == {"file": "workflows/order.ts", "line": line, "column": 3}
    assert "sourcesContent" not in json.loads(source_map)


def test_a_directive_that_does_not_stand_alone_is_no_workflow(app: Path) -> None:
    (app / "workflows/order.ts").write_text("export async function order() { 'use workflow'; return 1; }\n")
    with pytest.raises(BuildError) as caught:
        build_artifact(app)
    assert caught.value.code == "no_workflows"
    assert not (app / ".well-known").exists()


def test_code_that_cannot_be_bundled_fails_with_the_reason(app: Path) -> None:
    (app / "workflows/order.ts").write_text(ORDER.replace("'workflow';", "'workflow';\nimport './missing';", 1))
    with pytest.raises(BuildError) as caught:
        build_artifact(app)
    assert caught.value.code == "build_failed"
    assert "missing" in str(caught.value.hint)
    assert not (app / ".well-known").exists()
