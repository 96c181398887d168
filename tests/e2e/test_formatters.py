"""Updates of apps whose owners let a formatter rewrite everything, what Studio made included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import run, studio
from tests.support.releases import next_release
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

LIB = "workflow-studio/lib"
CHANGED = ("adapter", "config", "trigger", "packages")
LATER = "exports.later = function () { return { quoted: 'x' } };\n"
FORMATTERS = {
    "prettier-3": (
        "prettier@3",
        (".prettierrc.json", '{"semi": false, "singleQuote": false, "tabWidth": 4, "printWidth": 70}\n'),
        ("prettier", "--write", "."),
    ),
    "prettier-2": (
        "prettier@2",
        ("prettier.config.cjs", "module.exports = { useTabs: true, singleQuote: false, trailingComma: 'none' };\n"),
        ("prettier", "--write", "."),
    ),
    "biome-2": (
        "@biomejs/biome@2",
        ("biome.json", '{"javascript": {"formatter": {"quoteStyle": "double", "semicolons": "asNeeded"}}}\n'),
        ("biome", "format", "--write", "."),
    ),
}


def edits() -> dict[str, object]:
    """What the later version changes: some files, and one more."""
    added = {f"template/_shared/{LIB}/{name}.cjs": lambda text: f"{text}\n{LATER}" for name in CHANGED}
    listed = {"copier.yml": lambda text: text.replace("'access', ", "'access', 'later', ")}
    return {**added, **listed, f"template/_shared/{LIB}/later.cjs": LATER}


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_formatted_app_takes_the_news_without_a_conflict(formatter: str, tmp_path: Path) -> None:
    package, (config, settings), command = FORMATTERS[formatter]
    node = find_node()
    app = tmp_path / "app"
    studio("scaffold", "--new", "app", "--framework", "nitro", "--no-install", cwd=tmp_path)
    (app / config).write_text(settings)
    # Only the formatter is installed: nothing else is run here.
    (app / "package.json").rename(tmp_path / "package.json")
    (app / "package.json").write_text('{"private": true}\n')
    run(*node.npm_command("install", "--no-audit", "--no-fund", package), cwd=app, env=node.environment())
    (tmp_path / "package.json").replace(app / "package.json")

    def let_it_format() -> None:
        run(app / "node_modules/.bin" / command[0], *command[1:], cwd=app, env=node.environment())

    made = (app / LIB / "config.cjs").read_bytes()
    let_it_format()
    assert (app / LIB / "config.cjs").read_bytes() != made
    (app / LIB / "trigger.cjs").write_bytes(b"// Ours.\n" + (app / LIB / "trigger.cjs").read_bytes())
    release = next_release(tmp_path / "release", edits())
    updated = studio("update", cwd=app, env={"STUDIO_TEMPLATE": str(release)})
    outcomes = {change["path"]: change["outcome"] for change in updated["changes"]}
    assert updated["conflicts"] == []
    assert {name: outcomes[f"{LIB}/{name}.cjs"] for name in CHANGED} == {
        name: "merge" if name == "trigger" else "update" for name in CHANGED
    }
    assert outcomes[f"{LIB}/later.cjs"] == "create"
    # Only the files that were written: not every formatter leaves its own output alone.
    written = {name: (app / LIB / f"{name}.cjs").read_bytes() for name in (*CHANGED, "later")}
    let_it_format()
    assert {name: (app / LIB / f"{name}.cjs").read_bytes() for name in written} == written
