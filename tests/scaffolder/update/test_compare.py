"""What becomes of each file: the template before and after, and a project, as trees written out."""

from __future__ import annotations

import pytest

from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold.update._compare import Comparison, Versions

ANSWERS = ".copier-answers.yml"
TEXT = b"".join(b"line %d\n" % number for number in range(1, 11))
LATER = TEXT.replace(b"line 9\n", b"line 9, later\n")
EDITED = TEXT.replace(b"line 2\n", b"line 2, mine\n")
BOTH = LATER.replace(b"line 2\n", b"line 2, mine\n")
CLASH = TEXT.replace(b"line 9\n", b"line 9, mine\n")


@pytest.fixture
def update(tmp_path):
    """Update a project of files from one version to the next; gives outcomes and the files after it."""

    def run(old, new, mine, *, once=None, formatted=None, restore=()):
        for path, content in mine.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        plan = Plan(tmp_path)
        options = {"formatted": formatted} if formatted else {}
        versions = Versions("v0.1.0", "v0.2.0", old, new, lambda: {**new, **(once or {})}, **options)
        comparison = Comparison(plan, versions)
        comparison.run(apart=ANSWERS)
        for path in restore:
            comparison.restore(path, new[path])
        apply(plan)
        entries = {path: str(entry.outcome) for path, entry in comparison.entries.items()}
        run.entries = comparison.entries
        run.plan = plan
        after = {
            path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        }
        return entries, after

    return run


def test_untouched_file_becomes_the_new_one(update):
    assert update({"a": TEXT}, {"a": LATER}, {"a": TEXT}) == ({"a": "update"}, {"a": LATER})


def test_untouched_file_keeps_its_line_endings(update):
    crlf = TEXT.replace(b"\n", b"\r\n")
    _, after = update({"a": TEXT}, {"a": LATER}, {"a": crlf})
    assert after == {"a": LATER.replace(b"\n", b"\r\n")}


def test_edits_and_news_come_together(update):
    assert update({"a": TEXT}, {"a": LATER}, {"a": EDITED}) == ({"a": "merge"}, {"a": BOTH})


def test_edits_stay_where_the_template_has_no_news(update):
    assert update({"a": TEXT}, {"a": TEXT}, {"a": EDITED}) == ({"a": "unchanged"}, {"a": EDITED})


def test_news_the_user_has_already_change_nothing(update):
    assert update({"a": TEXT}, {"a": LATER}, {"a": LATER}) == ({"a": "unchanged"}, {"a": LATER})


def test_clash_is_a_conflict_with_its_line(update):
    entries, after = update({"a": TEXT}, {"a": LATER}, {"a": CLASH})
    assert entries == {"a": "conflict"}
    assert update.entries["a"].conflicts == (9,)
    assert b"line 9, mine\n" in after["a"]
    assert b"line 9, later\n" in after["a"]


def test_binary_file_both_sides_changed_stays_the_users_and_is_reported(update):
    entries, after = update({"a": b"\0old"}, {"a": b"\0new"}, {"a": b"\0mine"})
    assert (entries, after) == ({"a": "conflict"}, {"a": b"\0mine"})
    assert "--restore a" in update.entries["a"].note


def test_new_file_is_made(update):
    assert update({}, {"a/b": TEXT}, {}) == ({"a/b": "create"}, {"a/b": TEXT})


def test_file_of_the_user_where_the_template_makes_one_now_is_never_overwritten(update):
    """Without a common ancestor a peer took the template's file, and what the user had was gone."""
    entries, after = update({}, {"a": TEXT}, {"a": b"mine\n"})
    assert (entries, after) == ({"a": "conflict"}, {"a": b"mine\n"})


def test_file_the_user_deleted_stays_deleted(update):
    assert update({"a": TEXT}, {"a": LATER}, {}) == ({"a": "skip-deleted-by-you"}, {})
    assert "--restore a" in update.entries["a"].note


def test_file_the_user_deleted_is_no_news_when_the_template_has_none(update):
    assert update({"a": TEXT}, {"a": TEXT}, {}) == ({}, {})


def test_file_the_template_dropped_goes(update):
    assert update({"x/a": TEXT, "b": TEXT}, {"b": TEXT}, {"x/a": TEXT, "b": TEXT}) == (
        {"x/a": "delete", "b": "unchanged"},
        {"b": TEXT},
    )


def test_file_the_template_dropped_stays_when_the_user_edited_it(update):
    assert update({"a": TEXT}, {}, {"a": EDITED}) == ({"a": "keep-modified"}, {"a": EDITED})


def test_file_a_new_app_gets_once_from_now_on_is_the_users(update):
    assert update({"a": TEXT}, {}, {"a": TEXT}, once={"a": LATER}) == ({}, {"a": TEXT})


def test_answers_file_is_left_to_others(update):
    assert update({ANSWERS: b"1\n"}, {ANSWERS: b"2\n"}, {ANSWERS: b"1\n"}) == ({}, {ANSWERS: b"1\n"})


class TestMoves:
    def test_untouched_file_moves(self, update):
        assert update({"old/a": TEXT}, {"new/a": LATER}, {"old/a": TEXT}) == ({"new/a": "rename"}, {"new/a": LATER})
        assert update.entries["new/a"].moved_from == "old/a"

    def test_edits_move_along(self, update):
        assert update({"old/a": TEXT}, {"new/a": LATER}, {"old/a": EDITED}) == ({"new/a": "rename"}, {"new/a": BOTH})

    def test_clash_moves_along(self, update):
        entries, after = update({"a": TEXT}, {"b": LATER}, {"a": CLASH})
        assert entries == {"b": "conflict"}
        assert set(after) == {"b"}
        assert b"line 9, mine\n" in after["b"]

    def test_deletion_moves_along(self, update):
        assert update({"a": TEXT}, {"b": LATER}, {}) == ({"b": "skip-deleted-by-you"}, {})

    def test_files_too_different_are_two_files(self, update):
        other = b"".join(b"other %d\n" % number for number in range(10))
        assert update({"a": TEXT}, {"b": other}, {"a": EDITED}) == (
            {"a": "keep-modified", "b": "create"},
            {"a": EDITED, "b": other},
        )

    def test_the_most_alike_belong_together(self, update):
        entries, _ = update({"a": TEXT, "b": EDITED}, {"c": EDITED, "d": LATER}, {"a": TEXT, "b": EDITED})
        assert entries == {"c": "rename", "d": "rename"}
        assert (update.entries["c"].moved_from, update.entries["d"].moved_from) == ("b", "a")

    def test_of_equals_the_one_that_kept_its_name_moved(self, update):
        update({"x/a.cjs": TEXT, "x/b.cjs": TEXT}, {"y/b.cjs": TEXT, "y/a.cjs": TEXT}, {"x/a.cjs": TEXT})
        assert update.entries["y/a.cjs"].moved_from == "x/a.cjs"

    def test_file_of_the_user_in_the_way_stays_and_so_does_the_one_that_was_to_move(self, update):
        entries, after = update({"a": TEXT}, {"b": LATER}, {"a": EDITED, "b": b"mine\n"})
        assert (entries, after) == ({"b": "conflict"}, {"a": EDITED, "b": b"mine\n"})

    def test_file_moved_by_the_user_already_leaves_no_copy(self, update):
        assert update({"a": TEXT}, {"b": LATER}, {"a": TEXT, "b": LATER}) == ({"a": "delete"}, {"b": LATER})

    def test_binary_file_the_user_changed_does_not_move(self, update):
        old = b"\0" + TEXT
        entries, after = update({"a": old}, {"b": old}, {"a": b"\0mine"})
        assert (entries, after) == ({"a": "conflict"}, {"a": b"\0mine"})

    def test_file_that_becomes_a_folder_makes_room(self, update):
        assert update({"a": TEXT}, {"a/index": LATER}, {"a": TEXT}) == ({"a/index": "rename"}, {"a/index": LATER})


def spaced(files):
    """A formatter: everything two spaces to the right."""
    return [b"".join(b"  " + line for line in content.splitlines(keepends=True)) for _, content in files]


class TestFormatter:
    def formatted(self, content):
        return spaced([("", content)])[0]

    def test_formatted_file_is_an_untouched_one(self, update):
        mine = {"a": self.formatted(TEXT), "b": self.formatted(TEXT)}
        entries, after = update({"a": TEXT, "b": TEXT}, {"a": LATER}, mine, formatted=spaced)
        assert entries == {"a": "update", "b": "delete"}
        assert after == {"a": self.formatted(LATER)}

    def test_edits_of_a_formatted_file_merge(self, update):
        entries, after = update({"a": TEXT}, {"a": LATER}, {"a": self.formatted(EDITED)}, formatted=spaced)
        assert (entries, after) == ({"a": "merge"}, {"a": self.formatted(BOTH)})

    def test_file_the_project_never_formatted_stays_so(self, update):
        entries, after = update({"a": TEXT}, {"a": LATER}, {"a": EDITED}, formatted=spaced)
        assert (entries, after) == ({"a": "merge"}, {"a": BOTH})

    def test_new_file_is_formatted_where_the_others_are(self, update):
        _, after = update({"a": TEXT}, {"a": TEXT, "b": LATER}, {"a": self.formatted(TEXT)}, formatted=spaced)
        assert after["b"] == self.formatted(LATER)

    def test_new_file_is_as_the_template_has_it_where_the_others_are(self, update):
        _, after = update({"a": TEXT}, {"a": TEXT, "b": LATER}, {"a": EDITED}, formatted=spaced)
        assert after["b"] == LATER

    def test_formatter_is_not_asked_about_files_nobody_touched(self, update):
        def refuse(files):
            raise AssertionError(files)

        update({"a": TEXT}, {"a": LATER, "b": TEXT}, {"a": TEXT}, formatted=refuse)


class TestRestoring:
    def test_deleted_file_comes_back(self, update):
        assert update({"a": TEXT}, {"a": LATER}, {}, restore=["a"]) == ({"a": "restore"}, {"a": LATER})

    def test_edited_file_becomes_the_templates_with_its_line_endings(self, update):
        mine = EDITED.replace(b"\n", b"\r\n")
        _, after = update({"a": TEXT}, {"a": LATER}, {"a": mine}, restore=["a"])
        assert after == {"a": LATER.replace(b"\n", b"\r\n")}

    def test_clash_is_settled(self, update):
        assert update({"a": TEXT}, {"a": LATER}, {"a": CLASH}, restore=["a"]) == ({"a": "restore"}, {"a": LATER})

    def test_file_in_the_way_is_replaced(self, update):
        assert update({}, {"a": TEXT}, {"a": b"mine\n"}, restore=["a"]) == ({"a": "restore"}, {"a": TEXT})
