"""Every Flask module and every Django settings module of the corpus is edited right, or left alone: never wrong."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import flask
import pytest

from tests.scaffolder.scaffold.python_corpus import FOLDER, cases, executed, name_of, refusals
from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import FASTAPI_APP, FLASK_APP, Source, add_app_call, add_first

if TYPE_CHECKING:
    from pathlib import Path

APP = "workflow_studio_app"
MIDDLEWARE = f"{APP}.middleware.WorkflowStudioMiddleware"
CONFIG = f"{APP}.apps.WorkflowStudioConfig"


def edit(kind: str, data: bytes) -> bytes:
    source = Source.load("module.py", data)
    if kind == "flask":
        return add_app_call(source, "add_workflow_studio", APP, FLASK_APP).dump()
    return add_first(add_first(source, "INSTALLED_APPS", APP, CONFIG), "MIDDLEWARE", MIDDLEWARE).dump()


def added_lines(before: bytes, after: bytes) -> list[str]:
    """Return the lines that are new; fail if one is gone or changed, but for members of a list on one line."""
    old, new = (data.decode("utf-8-sig").splitlines() for data in (before, after))
    return [line[2:] for line in difflib.ndiff(old, new) if line.startswith("+ ")]


def both_kinds(*, refused: bool) -> list[Any]:
    return [
        pytest.param(path, id=name_of(path)) for kind in ("flask", "django") for path in cases(kind, refused=refused)
    ]


@pytest.mark.parametrize("kind", ["flask", "django"])
def test_there_are_sixty_files_of_every_kind(kind: str) -> None:
    assert len(list((FOLDER / kind).iterdir())) >= 60


def test_every_refusal_is_of_a_file() -> None:
    assert {name for name in refusals() if not (FOLDER / f"{name}.py.txt").is_file()} == set()


@pytest.mark.parametrize("path", both_kinds(refused=True))
def test_what_is_unclear_is_left_alone_and_the_place_is_named(path: Path) -> None:
    expected = refusals()[name_of(path)]
    with pytest.raises(EditRefusedError) as caught:
        edit(path.parent.name, path.read_bytes())
    assert expected["why"] in caught.value.why
    assert caught.value.line == expected["line"]


@pytest.mark.parametrize("path", both_kinds(refused=False))
def test_an_edit_is_made_once_and_keeps_the_bytes_that_it_does_not_add(path: Path) -> None:
    before = path.read_bytes()
    after = edit(path.parent.name, before)
    assert edit(path.parent.name, after) == after
    assert before.startswith(b"\xef\xbb\xbf") == after.startswith(b"\xef\xbb\xbf")
    assert (b"\r\n" in before) == (b"\r\n" in after)
    assert b"\r\n" not in after or after.count(b"\r\n") == after.count(b"\n")
    assert before.endswith(b"\n") == after.endswith(b"\n")
    pieces = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if len(before) < 3_000 else []
    assert {tag for tag, *_ in pieces} <= {"equal", "insert"}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in cases("flask", refused=False)])
def test_an_edited_flask_module_hands_its_app_over_and_does_what_it_did(path: Path) -> None:
    before = path.read_bytes()
    after = edit("flask", before)
    handed: list[Any] = []
    executed(after, {"add_workflow_studio": handed.append})
    assert handed
    assert all(isinstance(app, flask.Flask) for app in handed)
    assert len(handed) == len({id(app) for app in handed}), "once each"
    scope = executed(before, {"add_workflow_studio": lambda _: None})
    again = executed(after, {"add_workflow_studio": lambda _: None})
    assert scope.keys() - {"__builtins__"} <= again.keys()
    apps = [name for name, value in scope.items() if isinstance(value, flask.Flask)]
    for name in apps:
        assert sorted(map(str, again[name].url_map.iter_rules())) == sorted(map(str, scope[name].url_map.iter_rules()))
        assert again[name].config == scope[name].config
    for line in added_lines(before, after):
        assert "add_workflow_studio" in line or "studio(" in line


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in cases("django", refused=False)])
def test_edited_settings_have_our_entries_and_say_what_they_said(path: Path) -> None:
    before, after = (executed(data, {}) for data in (path.read_bytes(), edit("django", path.read_bytes())))
    for name, entry in (("INSTALLED_APPS", APP), ("MIDDLEWARE", MIDDLEWARE)):
        found = [str(item) for item in after[name]]
        ours = [item for item in found if item in {entry, CONFIG}]
        assert len(ours) == 1
        assert type(after[name]) is type(before[name])
        rest = [str(item) for item in before[name] if item not in {entry, CONFIG}]
        assert [item for item in found if item not in ours] == rest
    kept = {name for name in before if name.isupper()} - {"INSTALLED_APPS", "MIDDLEWARE"}
    changed = {name for name in kept if repr(before[name]) != repr(after[name]) and "Mock" not in repr(before[name])}
    # The lists that INSTALLED_APPS and MIDDLEWARE are made of.
    assert all(set(after[name]) - set(before[name]) <= {APP, MIDDLEWARE} for name in changed)
    if "insert" not in path.name and "half" not in path.name and "self-reference" not in path.name:
        assert after["MIDDLEWARE"][0] in {MIDDLEWARE, "debug_toolbar.middleware.DebugToolbarMiddleware"}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in cases("flask", refused=False)])
def test_a_fastapi_module_of_the_same_shape_is_edited_the_same_way(path: Path) -> None:
    def other(data: bytes) -> bytes:
        return data.replace(b"flask", b"fastapi").replace(b"Flask", b"FastAPI")

    before = path.read_bytes()
    source = Source.load("module.py", other(before))
    edited = add_app_call(source, "add_workflow_studio", APP, FASTAPI_APP).dump()
    assert edited == other(edit("flask", before))
