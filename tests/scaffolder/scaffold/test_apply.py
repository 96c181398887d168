from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from workflow_studio.scaffolder.errors import PlanOutdatedError, ScopeOfProjectError
from workflow_studio.scaffolder.scaffold import _apply
from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._plan import Action, Plan
from workflow_studio.scaffolder.scaffold._project import resolve_inside


def tree(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old\n")
    (tmp_path / "same.txt").write_bytes(b"same\n")
    plan = Plan(tmp_path)
    plan.write("a.txt", b"new\n")
    plan.write("same.txt", b"same\n")
    plan.write("deep/er/b.txt", b"made\n")
    plan.keep("gone.txt", "yours")
    return plan


def test_only_what_differs_is_written(plan, tmp_path):
    assert apply(plan) == ["a.txt", "deep/er/b.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"new\n"
    assert (tmp_path / "deep/er/b.txt").read_bytes() == b"made\n"
    assert not (tmp_path / "gone.txt").exists()
    assert not list(tmp_path.rglob("*.tmp"))


def test_actions_name_what_would_happen(plan):
    actions = {path: change.action for path, change in plan.changes.items()}
    assert actions == {
        "a.txt": Action.UPDATE,
        "same.txt": Action.UNCHANGED,
        "deep/er/b.txt": Action.CREATE,
        "gone.txt": Action.KEEP,
    }


def test_diff_is_one_git_reads(plan):
    assert plan.changes["a.txt"].diff() == "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n"
    assert plan.changes["deep/er/b.txt"].diff().startswith("--- /dev/null\n+++ b/deep/er/b.txt\n")
    assert plan.changes["same.txt"].diff() == ""


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_everything_is_put_back_when_a_write_fails(plan, tmp_path, monkeypatch, failure):
    before = tree(tmp_path)
    replace = _apply._replace
    calls = []

    def fail_at_the_second(path, data):
        calls.append(path)
        if len(calls) == 2:
            raise failure
        replace(path, data)

    monkeypatch.setattr(_apply, "_replace", fail_at_the_second)
    with pytest.raises(type(failure)):
        apply(plan)
    assert tree(tmp_path) == before


def test_file_changed_since_the_plan_stops_everything(plan, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"meanwhile\n")
    with pytest.raises(PlanOutdatedError, match=r"a\.txt"):
        apply(plan)
    assert not (tmp_path / "deep").exists()


def test_file_that_appeared_since_the_plan_is_not_overwritten(plan, tmp_path):
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/b.txt").write_bytes(b"theirs")
    with pytest.raises(PlanOutdatedError):
        apply(plan)
    assert (tmp_path / "deep/er/b.txt").read_bytes() == b"theirs"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_stay(plan, tmp_path):
    (tmp_path / "a.txt").chmod(0o750)
    apply(plan)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o750
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "deep/er/b.txt").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "C:\\x", "a\\..\\b", "c:x"])
def test_paths_that_lead_out_are_refused(tmp_path, path):
    with pytest.raises(ScopeOfProjectError):
        resolve_inside(tmp_path, path)


def test_symbolic_links_that_lead_out_are_not_followed(tmp_path):
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    (project / "folder").symlink_to(outside)
    (project / "file").symlink_to(outside / "file")
    plan = Plan(project)
    for path in ("folder/file", "folder/new", "file"):
        with pytest.raises(ScopeOfProjectError, match="symbolic link"):
            plan.write(path, b"x")
    assert (outside / "file").read_bytes() == b"secret"
    assert sorted(path.name for path in outside.iterdir()) == ["file"]


def test_link_made_between_plan_and_write_is_not_followed(tmp_path):
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    plan = Plan(project)
    plan.write("folder/new", b"x")
    (project / "folder").symlink_to(outside)
    with pytest.raises(ScopeOfProjectError):
        apply(plan)
    assert list(outside.iterdir()) == []


def test_link_inside_the_project_writes_its_target(tmp_path):
    (tmp_path / "real.json").write_bytes(b"{}")
    (tmp_path / "link.json").symlink_to("real.json")
    plan = Plan(tmp_path)
    plan.write("link.json", b"[]")
    apply(plan)
    assert (tmp_path / "link.json").is_symlink()
    assert Path(tmp_path / "real.json").read_bytes() == b"[]"


@pytest.fixture
def deletion(tmp_path):
    for name in ("old/er/a.txt", "old/b.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"bye\n")
    (tmp_path / "c.txt").chmod(0o750)
    plan = Plan(tmp_path)
    plan.delete("old/er/a.txt", "gone from the template")
    plan.delete("c.txt")
    plan.delete("never-there.txt")
    return plan


def test_what_is_deleted_goes_with_the_folders_it_leaves_empty(deletion, tmp_path):
    assert apply(deletion) == ["old/er/a.txt", "c.txt"]
    assert tree(tmp_path) == {"old": None, "old/b.txt": b"bye\n"}


def test_deletion_is_an_action_with_a_diff_and_reads_as_no_file(deletion):
    change = deletion.changes["old/er/a.txt"]
    assert (change.action, deletion.changes["never-there.txt"].action) == (Action.DELETE, Action.UNCHANGED)
    assert change.diff() == "--- a/old/er/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n"
    assert deletion.read("old/er/a.txt") is None


def test_last_word_counts_when_a_file_is_written_and_deleted(deletion, tmp_path):
    deletion.write("c.txt", b"stays\n")
    deletion.write("new.txt", b"x")
    deletion.delete("new.txt")
    apply(deletion)
    assert (tmp_path / "c.txt").read_bytes() == b"stays\n"
    assert not (tmp_path / "new.txt").exists()


def test_deleted_files_come_back_as_they_were_when_a_later_write_fails(deletion, tmp_path, monkeypatch):
    before = tree(tmp_path)

    def fail(path, data):
        raise OSError("disk full")

    monkeypatch.setattr(_apply, "_replace", fail)
    deletion.write("z.txt", b"new")
    with pytest.raises(OSError, match="disk full"):
        apply(deletion)
    assert tree(tmp_path) == before
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "c.txt").stat().st_mode) == 0o750


def test_file_edited_since_the_plan_is_not_deleted(deletion, tmp_path):
    (tmp_path / "c.txt").write_bytes(b"edited\n")
    with pytest.raises(PlanOutdatedError):
        apply(deletion)
    assert (tmp_path / "old/er/a.txt").exists()


def test_deleting_a_link_keeps_what_it_leads_to(tmp_path):
    (tmp_path / "real.json").write_bytes(b"{}")
    (tmp_path / "link.json").symlink_to("real.json")
    plan = Plan(tmp_path)
    plan.delete("link.json")
    apply(plan)
    assert tree(tmp_path) == {"real.json": b"{}"}
