"""What was added to the files of the corpus can be taken out of them again."""

from __future__ import annotations

import functools

import pytest

from tests.scaffolder.scaffold.support import (
    cases,
    executable,
    execute,
    executed,
    refusals,
    unwrapped,
    without,
    wraps_of,
)
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold._record import read_record, record_edits
from workflow_studio.scaffolder.scaffold.edits import Source
from workflow_studio.scaffolder.scaffold.edits._strip import strip_modules

EDITED = [case for case in cases() if case.id not in refusals()]
SCENARIOS = ("build", "dev")


def is_studios(module):
    return module.startswith("workflow-studio")


def is_sdks(module):
    return module.startswith(("workflow", "@workflow/"))


def recorded(case, root):
    """Return what is recorded of the edit of a file."""
    path = root / case.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.before)
    plan = Plan(root)
    plan.write(case.path, case.edit())
    record_edits(plan, "workflow-studio/", [case.path])
    return read_record(plan.read("workflow-studio/scaffold.patch"))


# Each starts git, so it is not done for all of them.
@pytest.mark.parametrize("case", EDITED[::4], ids=lambda case: case.id)
def test_record_restores_the_file_byte_for_byte(case, tmp_path):
    edited = case.edit()
    sections = recorded(case, tmp_path)
    if edited == case.before:
        assert sections == []
    else:
        assert [section.undo(edited) for section in sections] == [case.before]


@pytest.mark.parametrize("case", EDITED[::10], ids=lambda case: case.id)
def test_record_restores_a_file_that_was_edited_in_other_places_since(case, tmp_path):
    for section in recorded(case, tmp_path):
        eol = b"\r\n" if b"\r\n" in case.before else b"\n"
        added = b"// mine" + eol
        tail = eol * (not case.before.endswith(b"\n"))
        if not tail:
            assert section.undo(case.edit() + added * 3) == case.before + added * 3


def stripped(case, is_one):
    try:
        return strip_modules(Source.load(case.path, case.edit()), is_one).dump()
    except EditRefusedError as error:
        return error


@functools.cache
def executed_without_sdk():
    files = [(case, stripped(case, is_sdks)) for case in EDITED]
    return execute([executable(case, "stripped", data) for case, data in files if isinstance(data, bytes)])


# Files in which the owner uses the SDK in ways that no edit makes: what stays, or why the file is left alone.
KEPT = {
    "next/already-with-workflow.ts": "other arguments",
    "next/dynamic-import.js": 'import("workflow/next")',
    "next/inline-require.js": "require('workflow/next')",
    "sveltekit/merges-into-import.ts": "plugins: [sveltekit()]",
    "sveltekit/merges-into-import--no-trailing-commas.ts": "plugins: [sveltekit()]",
}


@pytest.mark.parametrize("case", [case for case in EDITED if case.id in KEPT], ids=lambda case: case.id)
def test_own_use_of_the_sdk_stays_or_is_named(case):
    left = stripped(case, is_sdks)
    assert KEPT[case.id] in (left.decode() if isinstance(left, bytes) else left.why)


@pytest.mark.node
@pytest.mark.parametrize("case", [case for case in EDITED if case.id not in KEPT], ids=lambda case: case.id)
def test_without_a_record_the_file_comes_to_what_it_came_to_before(case):
    data = stripped(case, is_sdks)
    assert isinstance(data, bytes), data
    assert strip_modules(Source.load(case.path, data), is_sdks).dump() == data
    for scenario in SCENARIOS:
        before, after = (
            executed()[f"{case.id} before"][scenario],
            executed_without_sdk()[f"{case.id} stripped"][scenario],
        )
        assert after.get("error") is None
        assert wraps_of(after["value"]) == []
        edits = case.config.edits
        assert without(unwrapped(after["value"]), edits) == without(unwrapped(before["value"]), edits)


@pytest.mark.parametrize("case", EDITED, ids=lambda case: case.id)
def test_without_studio_the_sdk_stays(case):
    data = stripped(case, is_studios)
    assert isinstance(data, bytes), data
    assert b"workflow-studio" not in data
    assert data.count(b"workflow/") >= min(case.before.count(b"workflow/"), 1)
