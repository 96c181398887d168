"""The artifact: what is in it, that it is the same every time, and what is refused."""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.scaffolder.build.conftest import CHARGE, ORDER, StubApp, make_stub_app
from workflow_studio.compute.manifest import Manifest
from workflow_studio.scaffolder.build.artifact import build_artifact
from workflow_studio.scaffolder.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node


def failure(app: StubApp) -> BuildError:
    with pytest.raises(BuildError) as caught:
        build_artifact(app.folder)
    return caught.value


def test_the_archive_holds_the_manifest_first_and_nothing_of_the_machine(app: StubApp) -> None:
    built = build_artifact(app.folder)
    assert built.path == app.folder / ".workflow-studio/dist/artifact.tgz"
    with tarfile.open(built.path) as archive:
        members = archive.getmembers()
        content = {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    assert [member.name for member in members] == [
        "manifest.json",
        "flow.js",
        "step.js",
        "webhook.js",
        "workflows.json",
    ]
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert (member.mode, member.isreg(), member.pax_headers) == (0o644, True, {})
    header = built.path.read_bytes()[:10]
    assert header[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "no file name, no time"
    assert Manifest.model_validate_json(content["manifest.json"]) == built.manifest
    assert content["manifest.json"] == built.manifest_path.read_bytes()
    assert built.manifest_path.parent.name == built.manifest.deployment_id
    assert built.size == built.path.stat().st_size


def test_the_manifest_tells_what_is_inside(app: StubApp) -> None:
    (app.folder / "package.json").write_text(json.dumps({"name": "app", "engines": {"node": "^20.19  || >=22.12"}}))
    manifest = build_artifact(app.folder).manifest
    assert manifest.workflows == (ORDER,)
    assert manifest.steps == (CHARGE,)
    assert manifest.sdk.model_dump() == {"workflow": "4.8.9", "core": "4.8.9", "specVersion": 3}
    assert manifest.node == "^20.19 || >=22.12"


@pytest.mark.parametrize("engines", [None, {}, {"node": "latest please"}, {"node": ""}, {"node": 20}, "20"])
def test_a_missing_or_invalid_engine_becomes_20_or_later(app: StubApp, engines: object) -> None:
    (app.folder / "package.json").write_text(json.dumps({"name": "app", "engines": engines}))
    assert build_artifact(app.folder).manifest.node == ">=20"


def test_the_same_code_gives_the_same_bytes_anywhere(app: StubApp, tmp_path: Path) -> None:
    other = make_stub_app(tmp_path / "elsewhere" / "deep" / "app")
    first = build_artifact(app.folder).path.read_bytes()
    assert build_artifact(app.folder).path.read_bytes() == first
    assert build_artifact(other.folder).path.read_bytes() == first


def test_the_order_of_the_sdk_manifest_does_not_matter(app: StubApp) -> None:
    first = build_artifact(app.folder).path.read_bytes()
    manifest = json.loads((app.folder / "node_modules/workflow/bin/plan.json").read_text())["bundles"]["manifest.json"]
    app.plan(bundles={"manifest.json": json.dumps(dict(reversed(json.loads(manifest).items())))})
    assert build_artifact(app.folder).path.read_bytes() == first


def test_other_code_is_another_deployment(app: StubApp) -> None:
    first = build_artifact(app.folder).manifest
    app.plan(bundles={"step.js": f"exports.POST = () => '{CHARGE}' + 1;\n"})
    assert build_artifact(app.folder).manifest.deployment_id != first.deployment_id


def test_the_webhook_handler_is_bundled_as_commonjs(app: StubApp) -> None:
    with gzip.open(build_artifact(app.folder).path) as stream:
        assert b"bundled .well-known/workflow/v1/webhook.js as cjs" in stream.read()


def test_the_app_is_left_as_it_was(app: StubApp) -> None:
    before = app.files()
    build_artifact(app.folder)
    assert app.files() == before
    assert not (app.folder / ".well-known").exists()
    assert (app.folder / ".workflow-studio/.gitignore").read_text() == "*\n"


def test_what_else_is_in_well_known_stays(app: StubApp) -> None:
    (app.folder / ".well-known").mkdir()
    (app.folder / ".well-known/security.txt").write_text("Contact: us")
    build_artifact(app.folder)
    assert app.files() == {"package.json", ".well-known/security.txt"}


def test_an_output_of_the_sdk_that_was_there_stays(app: StubApp) -> None:
    (app.folder / ".well-known/workflow/v1").mkdir(parents=True)
    build_artifact(app.folder)
    assert (app.folder / ".well-known/workflow/v1/flow.js").is_file()


def test_a_failed_build_leaves_nothing_behind_and_keeps_the_last_artifact(app: StubApp) -> None:
    good = build_artifact(app.folder).path.read_bytes()
    app.plan(bundles={"step.js": "import 'x';\n"})
    failure(app)
    assert app.files() == {"package.json"}
    assert (app.folder / ".workflow-studio/dist/artifact.tgz").read_bytes() == good
    assert sorted(path.name for path in (app.folder / ".workflow-studio/dist").iterdir()) == ["artifact.tgz"]


def test_it_can_be_written_elsewhere(app: StubApp, tmp_path: Path) -> None:
    built = build_artifact(app.folder, output_dir=tmp_path / "out")
    assert built.path == tmp_path / "out/dist/artifact.tgz"
    assert not (app.folder / ".workflow-studio").exists()


def test_stages_are_told_as_they_begin(app: StubApp) -> None:
    told: list[str] = []
    build_artifact(app.folder, progress=told.append)
    assert told == ["Building workflows", "Packing the artifact"]


def test_variables_of_the_shell_do_not_move_the_output(
    app: StubApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKFLOW_OBSERVABILITY_CWD", str(tmp_path / "away"))
    build_artifact(app.folder)
    assert not (tmp_path / "away").exists()


def test_the_world_that_the_shell_names_is_not_loaded(app: StubApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_TARGET_WORLD", "workflow-studio/world-remote")
    build_artifact(app.folder)


# Refusals ------------------------------------------------------------------------------------------------------------


def test_the_output_of_a_failed_build_is_shown(app: StubApp) -> None:
    app.plan(says="Cannot find module './prices'", status=2)
    error = failure(app)
    assert error.code == "build_failed"
    assert "exit status 2" in error.message
    assert "Cannot find module './prices'" in str(error.hint)


def test_no_workflow_explains_the_directive(app: StubApp) -> None:
    app.plan(bundles={"manifest.json": json.dumps({"version": "1.0.0", "steps": {}, "workflows": {}})})
    error = failure(app)
    assert error.code == "no_workflows"
    assert "alone on its line" in str(error.hint)


@pytest.mark.parametrize("name", ["flow.js", "step.js", "webhook.js", "manifest.json"])
@pytest.mark.parametrize("content", [None, " \n"])
def test_a_missing_or_empty_file(app: StubApp, name: str, content: str | None) -> None:
    app.plan(bundles={name: content})
    error = failure(app)
    assert error.code == "incomplete_build"
    assert name in error.message


@pytest.mark.parametrize(
    ("bundles", "words"),
    [
        ({"flow.js": f"export const POST = '{ORDER}';"}, "flow.js is not CommonJS"),
        ({"step.js": f"exports.POST = '{CHARGE}"}, "step.js is not CommonJS"),
        ({"step.js": f"exports.GET = '{CHARGE}';"}, "step.js does not export POST"),
        ({"flow.js": "exports.POST = 1;"}, f"flow.js does not define {ORDER}"),
        ({"step.js": "exports.POST = 1;"}, f"step.js does not define {CHARGE}"),
        ({"manifest.json": "[]"}, "not a JSON object"),
        ({"manifest.json": "{"}, "not JSON"),
        ({"manifest.json": '{"workflows": {"a.ts": {"f": {}}}}'}, "form this version does not know"),
    ],
)
def test_bundles_that_are_not_usable(app: StubApp, bundles: dict[str, str], words: str) -> None:
    app.plan(bundles=bundles)
    error = failure(app)
    assert error.code == "incomplete_build"
    assert words in error.message


def test_an_id_that_the_bundle_escapes_is_found(app: StubApp) -> None:
    identifier = "workflow//./routes/${id}/`x`//go"
    manifest = {"workflows": {"a.ts": {"go": {"workflowId": identifier}}}, "steps": {}, "classes": {}}
    flow = "exports.POST = `" + identifier.replace("`", "\\`").replace("${", "\\${") + "`;"
    app.plan(bundles={"manifest.json": json.dumps(manifest), "flow.js": flow})
    assert build_artifact(app.folder).manifest.workflows == (identifier,)


def test_an_app_without_the_sdk(app: StubApp) -> None:
    (app.folder / "node_modules/workflow").rename(app.folder / "node_modules/other")
    error = failure(app)
    assert (error.code, error.hint) == ("sdk_not_installed", "Run: npm install")
    (app.folder / "package.json").write_text("{}")
    assert failure(app).hint == "Run: npm install workflow@4"


def test_a_line_of_the_sdk_that_is_not_supported(app: StubApp) -> None:
    app.package("@workflow/core", "5.0.0-beta.55")
    error = failure(app)
    assert error.code == "unsupported_sdk"
    assert "5.0.0-beta.55" in error.message
    assert "workflow@4" in str(error.hint)


def test_the_core_that_workflow_itself_uses_counts(app: StubApp) -> None:
    app.package("@workflow/core", "3.0.0")
    app.package("workflow/node_modules/@workflow/core", "4.9.1")
    assert build_artifact(app.folder).manifest.sdk.core == "4.9.1"


def test_packages_behind_links_are_found(app: StubApp, tmp_path: Path) -> None:
    """As pnpm lays packages out: each one linked from a store, its dependencies beside it there."""
    store = tmp_path / "store/workflow@4.8.9/node_modules"
    store.mkdir(parents=True)
    modules = app.folder / "node_modules"
    for name in ("workflow", "@workflow", "esbuild"):
        (modules / name).rename(store / name)
    (modules / "workflow").symlink_to(store / "workflow")
    assert build_artifact(app.folder).manifest.sdk.core == "4.8.9"


def test_a_folder_that_is_no_app(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build_artifact(tmp_path)
    assert caught.value.code == "not_an_app"


# Paths of the machine ------------------------------------------------------------------------------------------------


def with_map(code: str, source_map: dict[str, object]) -> str:
    packed = base64.b64encode(json.dumps(source_map).encode()).decode()
    return f"{code}\n//# sourceMappingURL=data:application/json;base64,{packed}\n"


def test_absolute_paths_in_source_maps_become_relative(app: StubApp, tmp_path: Path) -> None:
    def step(folder: Path) -> str:
        sources = [f"{folder}/workflows/order.ts", f"file://{folder}/a%20b.ts", "../lib.ts", "/usr/other.js"]
        source_map = {"version": 3, "sourceRoot": f"{folder}", "sources": sources, "mappings": "AAAA"}
        return with_map(f"exports.POST = () => '{CHARGE}';", source_map)

    app.plan(bundles={"step.js": step(app.folder)})
    built = build_artifact(app.folder)
    other = make_stub_app(tmp_path / "other place")
    other.plan(bundles={"step.js": step(other.folder)})
    assert built.path.read_bytes() == build_artifact(other.folder).path.read_bytes()

    with tarfile.open(built.path) as archive:
        code = archive.extractfile("step.js").read()  # type: ignore[union-attr]
    found = json.loads(base64.b64decode(code.partition(b"base64,")[2]))
    assert found["sources"] == ["workflows/order.ts", "a b.ts", "../lib.ts", "/usr/other.js"]
    assert found["sourceRoot"] == ""


def test_source_maps_without_absolute_paths_stay_byte_for_byte(app: StubApp) -> None:
    code = with_map(f"exports.POST = () => '{CHARGE}';", {"version": 3, "sources": ["a.ts"], "mappings": " AAAA"})
    app.plan(bundles={"step.js": code})
    with tarfile.open(build_artifact(app.folder).path) as archive:
        assert archive.extractfile("step.js").read() == code.encode()  # type: ignore[union-attr]


def test_code_that_holds_the_path_of_the_folder_is_warned_about(app: StubApp) -> None:
    app.plan(bundles={"step.js": f"exports.POST = () => '{CHARGE}' + '<cwd>/x';"})
    built = build_artifact(app.folder)
    assert len(built.warnings) == 1
    assert built.warnings[0].startswith("step.js holds the path of this folder")
