from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.scaffolder.update.conftest import CHANGED, ROUTE, outcomes
from workflow_studio.scaffolder.scaffold.update._formatter import Formatter, find_formatter

# A Prettier of its own: it writes double quotes, the options it was given, and every call of it to a file.
PRETTIER = """
const { appendFileSync } = require('node:fs');
const { basename, join } = require('node:path');
appendFileSync(join(__dirname, 'starts'), '1');
exports.getFileInfo = async (path, { ignorePath }) => ({
  ignored: Boolean(ignorePath) && basename(path) === 'ignored.cjs',
  inferredParser: path.endsWith('.cjs') || path.endsWith('.ts') ? 'babel' : null,
});
exports.resolveConfig = async (path, { editorconfig }) => ({ editorconfig, of: basename(path) });
exports.format = async (text, options) => {
  if (text.includes('{{{')) throw new SyntaxError('no');
  return text.replaceAll("'", '"').replace('OPTIONS', JSON.stringify(options));
};
"""


def install_prettier(folder):
    package = folder / "node_modules/prettier"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "prettier", "version": "3.0.0", "main": "index.cjs"}')
    (package / "index.cjs").write_text(PRETTIER)
    return package


def names(root):
    return [tool.name for tool in find_formatter(root).tools]


@pytest.fixture(autouse=True)
def no_ruff(monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == "ruff" else which(name, **options))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "repository/.git").mkdir(parents=True)
    root = tmp_path / "repository/apps/web"
    root.mkdir(parents=True)
    return root


class TestFinding:
    def test_nothing_without_configuration(self, root):
        install_prettier(root)
        assert names(root) == []

    def test_nothing_without_the_tool(self, root):
        (root / ".prettierrc").write_text("{}")
        (root / "biome.json").write_text("{}")
        assert names(root) == []

    @pytest.mark.parametrize("name", [".prettierrc", ".prettierrc.json", "prettier.config.mjs"])
    def test_prettier_by_its_file(self, root, name):
        install_prettier(root)
        (root / name).write_text("{}")
        assert names(root) == ["Prettier"]

    def test_prettier_by_package_json_of_the_workspace_above(self, root):
        repository = root.parents[1]
        install_prettier(repository)
        (repository / "package.json").write_text('{"devDependencies": {"prettier": "3"}}')
        assert names(root) == ["Prettier"]

    def test_nothing_of_what_is_outside_the_repository(self, root):
        outside = root.parents[2]
        install_prettier(outside)
        (outside / ".prettierrc").write_text("{}")
        assert names(root) == []

    def test_biome(self, root):
        script = root / "node_modules/@biomejs/biome/bin/biome"
        script.parent.mkdir(parents=True)
        script.write_text("")
        (root / "biome.jsonc").write_text("{}")
        assert names(root) == ["Biome"]

    def test_ruff_of_the_apps_environment(self, root):
        program = root / ".venv/bin/ruff"
        program.parent.mkdir(parents=True)
        program.write_text("")
        assert names(root) == []
        (root / "pyproject.toml").write_text("[tool.ruff]\nline-length = 120\n")
        assert names(root) == ["Ruff"]


@pytest.mark.node
class TestFormatting:
    @pytest.fixture
    def formatter(self, root):
        self.package = install_prettier(root)
        (root / ".prettierrc").write_text("{}")
        return find_formatter(root)

    def test_every_file_with_its_options_in_one_process(self, root, formatter):
        files = [("a.cjs", b"'a' OPTIONS\n"), ("lib/b.cjs", b"'b'\n"), ("c.bin", b"'c'\n")]
        first, second, third = formatter.format(files)
        options = json.loads(first.removeprefix(b'"a" '))
        assert options == {"editorconfig": True, "of": "a.cjs", "filepath": str(root / "a.cjs")}
        assert (second, third) == (b'"b"\n', b"'c'\n")
        assert formatter.format(files[1:]) == [second, third]
        assert (self.package / "starts").read_text() == "1"

    def test_ignored_and_broken_files_stay_as_they_are(self, root, formatter):
        (root.parents[1] / ".prettierignore").write_text("ignored.cjs\n")
        files = [("ignored.cjs", b"'a'\n"), ("broken.cjs", b"'{{{'\n"), ("c.cjs", b"'c'\n")]
        assert formatter.format(files) == [b"'a'\n", b"'{{{'\n", b'"c"\n']
        assert formatter.failed == set()

    def test_tool_that_fails_is_named_and_changes_nothing(self, formatter):
        (self.package / "index.cjs").write_text("throw new Error('no');")
        assert formatter.format([("a.cjs", b"'a'\n")]) == [b"'a'\n"]
        assert formatter.failed == {"Prettier"}

    def test_app_it_formatted_takes_the_news_and_keeps_edits(self, app, update):
        install_prettier(app)
        (app / ".prettierrc").write_text("{}")
        for path in [*app.glob("workflow-studio/**/*.cjs"), *app.glob("*.ts")]:
            path.write_text(path.read_text().replace("'", '"'))
        (app / CHANGED).write_text("// Ours.\n" + (app / CHANGED).read_text())
        code, document = update()
        assert (code, document["conflicts"], document["notes"]) == (0, [], [])
        assert outcomes(document)["workflow-studio/lib/reading.cjs"] == "rename"
        text = (app / CHANGED).read_text()
        assert text.startswith("// Ours.\n")
        assert text.endswith("// News.\n")
        assert "'" not in "".join(line for line in text.splitlines() if line.startswith("const "))
        assert ROUTE not in outcomes(document)

    def test_tool_that_cannot_be_run_is_mentioned(self, app, update):
        (install_prettier(app) / "index.cjs").write_text("throw new Error('no');")
        (app / ".prettierrc").write_text("{}")
        (app / CHANGED).write_text("// Ours.\n" + (app / CHANGED).read_text())
        code, document = update()
        assert code == 0
        assert any("Prettier could not be run" in note for note in document["notes"])


def test_ruff_formats_python_alone(root):
    python = Path(sys.executable)
    program = python.with_name("ruff").with_suffix(python.suffix if python.suffix == ".exe" else "")
    own = root / ".venv" / program.parent.name / program.name
    own.parent.mkdir(parents=True)
    shutil.copy(program, own)
    (root / "ruff.toml").write_text("")
    made = find_formatter(root).format([("a.py", b"x = 'y'\n"), ("b.toml", b"x = 'y'\n")])
    assert made == [b'x = "y"\n', b"x = 'y'\n"]


def test_without_a_formatter_texts_stay():
    assert Formatter().format([("a", b"x"), ("a", b"x")]) == [b"x", b"x"]
