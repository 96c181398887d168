from __future__ import annotations

import difflib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.edits._syntax import walk
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED


def _load_corpus():
    # The tests are not a package: a module beside them is loaded by its path.
    spec = importlib.util.spec_from_file_location("scaffold_corpus", Path(__file__).with_name("corpus.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


corpus = _load_corpus()


def edit(case, text=None):
    source = Source.load(case.path, (case.text if text is None else text).encode())
    return SUPPORTED[case.framework].configs[0].edit(source).dump().decode()


@pytest.mark.parametrize("case", corpus.CASES, ids=lambda case: case.name)
class TestEveryConfigThatCanBeEdited:
    def test_gets_what_it_needs_once(self, case):
        result = edit(case)
        for text in case.expect:
            assert result.count(text) == 1, result

    def test_second_edit_changes_nothing(self, case):
        once = edit(case)
        assert edit(case, once) == once

    def test_result_parses(self, case):
        assert not Source.load(case.path, edit(case).encode()).root.has_error

    def test_every_original_line_but_the_touched_ones_stays(self, case):
        before, after = case.text.splitlines(keepends=True), edit(case).splitlines(keepends=True)
        removed = [line for line in difflib.ndiff(before, after) if line.startswith("- ")]
        assert len(removed) <= case.touched, removed

    def test_comments_stay_in_order(self, case):
        def comments(text):
            source = Source.load(case.path, text.encode())
            return [source.text(node) for node in walk(source.root) if node.type == "comment"]

        assert comments(edit(case)) == comments(case.text)

    def test_line_endings_stay_as_they_are(self, case):
        result = edit(case)
        if "\r\n" in case.text:
            assert result.count("\r\n") == result.count("\n")
        else:
            assert "\r" not in result


@pytest.mark.node
def test_javascript_engine_accepts_every_edited_file(tmp_path):
    script = tmp_path / "check.mjs"
    script.write_text(
        "import vm from 'node:vm';\nimport fs from 'node:fs';\n"
        "for (const [path, text, isModule] of JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))) {\n"
        "  try { isModule ? new vm.SourceTextModule(text) : new vm.Script(`(function(){${text}\n})`); }\n"
        "  catch (error) { console.log(path, String(error)); }\n}\n",
        "utf-8",
    )
    cases = [case for case in corpus.CASES if not case.path.endswith("ts")]
    files = [[case.name, edit(case).removeprefix("\ufeff"), "module.exports" not in case.text] for case in cases]
    listed = tmp_path / "cases.json"
    listed.write_text(json.dumps(files), "utf-8")
    result = subprocess.run(
        [str(find_node().node), "--experimental-vm-modules", "--no-warnings", str(script), str(listed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("case", corpus.REFUSALS, ids=lambda case: case.name)
def test_unclear_config_is_refused_with_reason_and_line(case):
    with pytest.raises(EditRefusedError) as caught:
        edit(case)
    assert case.why in caught.value.why
    assert caught.value.line == case.line


def test_all_edits_together_are_recognised_in_every_new_config():
    for config in (config for framework in SUPPORTED.values() for config in framework.configs):
        if config.new is not None:
            path, text = config.new
            assert config.edit(Source.load(path, text.encode())).dump() == text.encode()


def test_snippet_of_every_framework_parses():
    for config in (config for framework in SUPPORTED.values() for config in framework.configs):
        Source.load("snippet.ts", config.snippet.encode())


def test_binary_and_non_utf8_files_are_refused():
    for data in (b"export default {}\0", b"\xff\xfe\x00"):
        with pytest.raises(EditRefusedError):
            Source.load("next.config.mjs", data)


def test_deep_nesting_is_not_a_crash():
    text = "export default " + "(" * 3000 + "{}" + ")" * 3000 + ";\n"
    assert (
        "withWorkflow(withWorkflowStudioNext(((("
        in SUPPORTED["nextjs"].configs[0].edit(Source.load("next.config.mjs", text.encode())).dump().decode()
    )
