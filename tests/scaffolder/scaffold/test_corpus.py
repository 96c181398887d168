"""Every config file and module of the corpus is edited right, or left alone: never edited wrong."""

from __future__ import annotations

import difflib
import json

import pytest

from tests.scaffolder.scaffold.support import (
    CORPUS,
    KINDS,
    callee_of,
    cases,
    executed,
    files_of,
    is_item,
    name_of,
    objects_of,
    of_other_modules,
    refusals,
    unwrapped,
    without,
    wraps_of,
)
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import (
    ArrayItem,
    CallBehind,
    ModuleImport,
    OtherModule,
    Property,
    Source,
    Wrap,
)
from workflow_studio.scaffolder.scaffold.edits._syntax import walk

EDITED = [case for case in cases() if case.id not in refusals()]
REFUSED = [case for case in cases() if case.id in refusals()]
SCENARIOS = ("build", "dev")
_ADDED = ("workflow/", "workflow-studio/", "@workflow/", "nitro/vite", "@astrojs/node")
# Kinds of files that an app has together count together.
COUNTED = {
    "vite.config": ("sveltekit", "vite", "tanstack-start", "react-router"),
    **{kind: (kind,) for kind in KINDS if kind not in {"sveltekit", "vite", "tanstack-start", "react-router"}},
}


@pytest.mark.parametrize("kind", COUNTED)
def test_corpus_has_sixty_files_of_every_kind(kind):
    assert sum(len(files_of(folder)) for folder in COUNTED[kind]) >= 60


def test_every_refusal_is_of_a_file_that_is_there():
    assert {path for path in refusals() if not (CORPUS / path).is_file()} == set()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_unclear_file_is_refused_with_reason_and_line(case):
    expected = refusals()[case.id]
    with pytest.raises(EditRefusedError) as caught:
        case.edit()
    assert expected["why"] in caught.value.why
    assert caught.value.line == expected["line"]


@pytest.mark.parametrize("case", EDITED, ids=lambda case: case.id)
def test_file_is_edited_once_and_keeps_its_text_and_style(case):
    edited = case.edit()
    assert case.edit(edited) == edited
    _check_lines(case, edited)
    assert _comments(case, edited) == _comments(case, case.before)
    if b"\r\n" in case.before:
        assert edited.count(b"\r\n") == edited.count(b"\n")
    else:
        assert b"\r" not in edited
    assert edited.startswith(b"\xef\xbb\xbf") == case.before.startswith(b"\xef\xbb\xbf")
    assert edited.endswith(b"\n") == case.before.endswith(b"\n")


def _check_lines(case, edited):
    before, after = case.before.splitlines(keepends=True), edited.splitlines(keepends=True)
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    removed = [line for tag, start, end, _, _ in blocks if tag != "equal" for line in before[start:end]]
    assert len(removed) <= 2 + len(case.config.edits), removed


def _comments(case, data):
    source = Source.load(case.path, data)
    return [source.text(node) for node in walk(source.root) if node.type == "comment"]


@pytest.mark.node
@pytest.mark.parametrize("case", EDITED, ids=lambda case: case.id)
def test_edited_file_comes_to_what_it_came_to_and_what_was_added(case):
    """Both are executed, with stubs for what they import."""
    for scenario in SCENARIOS:
        before, after = (executed()[f"{case.id} {when}"][scenario] for when in ("before", "after"))
        assert [before.get("error"), after.get("error")] == [None, None]
        _check_wraps(case.config.edits, before, after)
        for edit in case.config.edits:
            if isinstance(edit, ArrayItem):
                _check_item(edit, after)
            elif isinstance(edit, Property):
                _check_property(edit, after)
            elif isinstance(edit, CallBehind):
                _check_call(edit, after)
            elif isinstance(edit, ModuleImport):
                _check_module(edit, before, after)
            elif isinstance(edit, OtherModule):
                assert f'"{edit.old}#' not in json.dumps(after)
        assert _rest(case.config.edits, after) == _rest(case.config.edits, before)
        assert _other_calls(case.config.edits, after) == _other_calls(case.config.edits, before)


def _check_wraps(edits, before, after):
    wanted = [name_of(wrapper.symbol) for edit in edits if isinstance(edit, Wrap) for wrapper in edit.wrappers]
    was, found = wraps_of(before["value"]), wraps_of(after["value"])
    assert sorted(found) == sorted({*was, *wanted})
    if not was:
        assert found == wanted


def _check_item(edit, after):
    """Check that one list of the config holds the item, once, where it has to stand."""
    lists = [found[edit.key] for found in objects_of(unwrapped(after["value"])) if edit.key in found]
    held = [items for items in lists if isinstance(items, list) and any(is_item(edit.item, item) for item in items)]
    assert len(held) == 1, lists
    (place,) = [index for index, item in enumerate(held[0]) if is_item(edit.item, item)]
    others = {name_of(symbol) for symbol in (*edit.before, *edit.behind)}
    found = [index for index, item in enumerate(held[0]) if callee_of(item) in others]
    assert all(place < index if edit.before else place > index for index in found)


def _check_property(edit, after):
    values = [_at(found, edit.path) for found in objects_of(unwrapped(after["value"]))]
    values = [value for value in values if value is not None]
    assert values == [edit.value] if edit.required else values


def _check_call(edit, after):
    """Check that the call comes right behind the one that makes its argument."""
    calls = after["calls"]
    (made,) = [i for i, call in enumerate(calls) if callee_of(call) == f"{name_of(edit.maker)}.{edit.method}"] or [None]
    own = [index for index, call in enumerate(calls) if callee_of(call) == name_of(edit.symbol)]
    # A module may make its app only when a function of it is called.
    assert own == ([] if made is None else [made + 1])
    assert [calls[index]["args"] for index in own] == [[calls[made]] for _ in own]


def _check_module(edit, before, after):
    was, found = (_modules(result) for result in (before, after))
    assert [item for item in found if not is_item(edit.item, item)] == [
        item for item in was if not is_item(edit.item, item)
    ]
    assert len(found) - len([item for item in found if not is_item(edit.item, item)]) == 1


def _modules(result):
    """Return what the modules of a file import."""
    modules = [call["args"][0] for call in result["calls"] if (callee_of(call) or "").endswith(("#Module", ".Module"))]
    return [item for module in modules for item in module.get("imports", [])]


def _rest(edits, result):
    return without(unwrapped(result["value"]), edits)


def _other_calls(edits, result):
    calls = [of_other_modules(callee_of(call) or "", edits) for call in result["calls"]]
    return [name for name in calls if not name.startswith(_ADDED)]


def _at(value, path):
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
