"""Which changes call for a build."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_studio.scaffolder.dev.relevance import NOTHING, Change, Facts, Kind, Known, facts_of

APP = Path("/app")
MARKED = Facts(marks=True)

STEP = "export async function charge() {\n  'use step';\n  return 1;\n}\n"


def relevant(known: Known, path: str, kind: Kind = "modified", now: Facts = NOTHING) -> bool:
    return bool(known.relevant([(Change(APP / path, kind), now)]))


@pytest.mark.parametrize(
    "code",
    [
        STEP,
        STEP.replace("'", '"'),
        STEP.replace("use step", "use workflow"),
        STEP.replace("';", "'"),
        STEP.replace("\n", "\r\n"),
        "'use step'\nexport const a = 1;",
        "/* about */\n'use workflow';\n",
        "const text = `a`;\n" + STEP,
        "import { WORKFLOW_SERIALIZE } from '@workflow/serde';",
        "class P { static [Symbol.for('workflow-serialize')](p) {} }",
        "class P { static [WORKFLOW_DESERIALIZE](p) {} }",
    ],
)
def test_code_with_a_directive_alone_on_its_line_or_a_class_to_pass_on_marks_workflow_code(code: str) -> None:
    assert facts_of(code).marks


@pytest.mark.parametrize(
    "code",
    [
        "",
        "export async function charge() { 'use step'; return 1; }",
        "// 'use step';\n",
        "/*\n'use step';\n*/\n",
        "const example = `\n'use workflow';\n`;\n",
        "const words = 'use step' + 'use workflow';",
        "'use steps';\n",
        "'use step\";\n",
        "'use client';\nexport default function Page() {}",
        "import { start } from 'workflow/api';",
    ],
)
def test_other_code_does_not_mark_workflow_code(code: str) -> None:
    assert not facts_of(code).marks


def test_imports_from_elsewhere_are_noted() -> None:
    code = "import a from 'a';\nimport './b';\nconst c = require(\"c\");\nawait import( 'd/e' );\n"
    assert facts_of(code + "import fs from 'node:fs';\nexport * from '../f';").imports == {"a", "c", "d/e", "../f"}


@settings(deadline=None)
@given(st.text(), st.text(alphabet=" \t"), st.sampled_from(["'", '"']), st.sampled_from(["workflow", "step"]))
def test_a_directive_is_found_whatever_follows_it(rest: str, indent: str, quote: str, kind: str) -> None:
    assert facts_of(f"{indent}{quote}use {kind}{quote};\n{rest}").marks


@settings(deadline=None)
@given(st.text())
def test_no_text_imports_from_its_own_folder(code: str) -> None:
    assert not any(specifier.startswith("./") for specifier in facts_of(f"import './a';{code}").imports)


def test_an_input_of_the_last_build_matters_whatever_it_is() -> None:
    known = Known(inputs=frozenset({APP / "lib/prices.json"}), every_source=False)
    assert relevant(known, "lib/prices.json")
    assert not relevant(known, "lib/others.json")


def test_a_file_matters_when_it_marks_workflow_code_or_did() -> None:
    known = Known(every_source=False)
    assert not relevant(known, "a.ts")
    assert relevant(known, "a.ts", now=MARKED)
    assert relevant(known, "a.ts")  # the directive is gone: so is the workflow
    assert not relevant(known, "a.ts")


def test_the_removal_of_workflow_code_matters_and_that_of_a_page_does_not() -> None:
    known = Known(facts={APP / "a.ts": MARKED, APP / "page.tsx": NOTHING}, every_source=False)
    assert relevant(known, "a.ts", "removed")
    assert not relevant(known, "page.tsx", "removed")
    assert known.facts == {}


def test_configuration_matters() -> None:
    known = Known(configs=frozenset({APP / "package.json"}), every_source=False)
    assert relevant(known, "package.json")


@pytest.mark.parametrize("path", ["lib/price.ts", "lib/price.mjs", "lib/price/index.js"])
def test_a_new_file_that_an_import_may_now_mean_matters(path: str) -> None:
    known = Known(inputs=frozenset({APP / "lib/price/index.ts"}), every_source=False)
    assert relevant(known, path, "added")
    assert not relevant(Known(every_source=False), path, "added")


@pytest.mark.parametrize(
    ("path", "matters"), [("a.ts", True), ("b.json", True), ("c.css", False), ("d.png", False), ("e.md", False)]
)
def test_any_code_matters_after_a_build_that_broke(path: str, *, matters: bool) -> None:
    assert relevant(Known(every_source=True), path) is matters


def test_an_import_that_no_other_file_has_matters() -> None:
    known = Known(facts={APP / "a.ts": Facts(imports=frozenset({"react"}))}, every_source=False)
    assert not relevant(known, "page.tsx", "added", Facts(imports=frozenset({"react"})))
    assert relevant(known, "page.tsx", now=Facts(imports=frozenset({"react", "agents"})))
    assert not relevant(known, "page.tsx", now=Facts(imports=frozenset({"react", "agents"})))
    assert relevant(known, "page.tsx", now=Facts(imports=frozenset({"react"})))


paths = st.sampled_from([APP / name for name in ("a.ts", "b/index.js", "b.ts", "c.json", "d.css")])
facts = st.builds(Facts, marks=st.booleans(), imports=st.frozensets(st.sampled_from(["x", "y"])))
changes = st.lists(st.tuples(st.builds(Change, paths, st.sampled_from(["added", "modified", "removed"])), facts))


@settings(deadline=None)
@given(changes, st.frozensets(paths))
def test_what_went_in_always_matters_and_the_facts_are_those_of_the_last_look(
    seen: list[tuple[Change, Facts]], inputs: frozenset[Path]
) -> None:
    known = Known(inputs=inputs, every_source=False)
    found = known.relevant(seen)
    assert {change for change, _ in seen if change.path in inputs} <= set(found)
    assert set(found) <= {change for change, _ in seen}
    last = {change.path: (change.kind, now) for change, now in seen}
    code = {path: now for path, (kind, now) in last.items() if kind != "removed" and path.suffix in {".ts", ".js"}}
    assert known.facts == code
