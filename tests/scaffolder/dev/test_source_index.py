"""Changes, told from touches."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.dev.source_index import SourceIndex

if TYPE_CHECKING:
    from pathlib import Path

STEP = "async function charge() {\n  'use step';\n}\n"


def write(path: Path, text: str = STEP) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def look(index: SourceIndex, *paths: Path) -> dict[str, str]:
    return {change.path.name: change.kind for change, _facts in index.look(paths)}


@pytest.fixture
def index(tmp_path: Path) -> SourceIndex:
    return SourceIndex(tmp_path)


def test_a_file_comes_changes_and_goes(index: SourceIndex, tmp_path: Path) -> None:
    file = write(tmp_path / "order.ts")
    assert look(index, file) == {"order.ts": "added"}
    write(file, "")
    assert look(index, file) == {"order.ts": "modified"}
    file.unlink()
    assert look(index, file) == {"order.ts": "removed"}
    assert look(index, file) == {}


def test_a_touch_is_no_change(index: SourceIndex, tmp_path: Path) -> None:
    file = write(tmp_path / "order.ts")
    index.look([file])
    file.touch()
    write(file)
    assert look(index, file) == {}


def test_an_editor_that_saves_by_renaming_changes_the_file(index: SourceIndex, tmp_path: Path) -> None:
    file = write(tmp_path / "order.ts")
    index.look([file])
    saved = write(tmp_path / "order.ts~", "// new")
    saved.rename(file)
    assert look(index, saved, file) == {"order.ts": "modified"}


def test_a_folder_stands_for_its_files(index: SourceIndex, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.ts")
    write(tmp_path / "flows/deep/b.ts")
    write(tmp_path / "flows/node_modules/c.ts")
    assert look(index, tmp_path / "flows") == {"a.ts": "added", "b.ts": "added"}
    moved = (tmp_path / "flows").rename(tmp_path / "other")
    assert look(index, tmp_path / "flows") == {"a.ts": "removed", "b.ts": "removed"}
    assert look(index, moved) == {"a.ts": "added", "b.ts": "added"}


def test_what_no_build_reads_is_not_looked_at(index: SourceIndex, tmp_path: Path) -> None:
    write(tmp_path / ".gitignore", "generated/\n*.local.ts\n")
    index = SourceIndex(tmp_path)
    paths = ["a.css", "b.png", "generated/c.ts", "d.local.ts", ".next/e.ts", "node_modules/f.ts"]
    assert list(index.files_below(tmp_path)) == []
    for path in paths:
        write(tmp_path / path)
    assert list(index.files_below(tmp_path)) == []
    index.want([tmp_path / "a.css", tmp_path / "d.local.ts"], read_at=time.time())
    assert look(index, tmp_path / "a.css", tmp_path / "d.local.ts") == {"a.css": "modified", "d.local.ts": "modified"}


def test_a_link_is_known_by_both_of_its_names(index: SourceIndex, tmp_path: Path) -> None:
    target = write(tmp_path / "lib/real.ts")
    link = tmp_path / "flows.ts"
    link.symlink_to(target)
    assert look(index, link) == {"flows.ts": "added", "real.ts": "added"}
    link.unlink()
    assert look(index, link) == {"flows.ts": "removed"}


def test_links_in_a_circle_end(index: SourceIndex, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.ts")
    (tmp_path / "flows/up").symlink_to(tmp_path)
    assert {path.name for path in index.files_below(tmp_path)} == {"a.ts"}


@pytest.mark.parametrize(
    ("content", "marks"),
    [
        (STEP.encode(), True),
        (b"\xef\xbb\xbf'use workflow';\n", True),
        (STEP.replace("\n", "\r\n").encode(), True),
        (STEP.replace("\n", "\r").encode(), True),
        (b"\0" + STEP.encode(), False),
        (b"\xff\xfe" + STEP.encode(), True),
    ],
)
def test_code_is_read_in_the_forms_that_editors_write(
    index: SourceIndex, tmp_path: Path, content: bytes, *, marks: bool
) -> None:
    file = tmp_path / "order.ts"
    file.write_bytes(content)
    [(_change, facts)] = index.look([file])
    assert facts.marks is marks


def test_a_huge_file_is_looked_at_only_if_it_went_into_a_build(index: SourceIndex, tmp_path: Path) -> None:
    file = tmp_path / "order.ts"
    with file.open("wb") as stream:
        stream.truncate(17 * 1024 * 1024)
    assert look(index, file) == {}
    index.want([file], read_at=time.time())
    assert look(index, file) == {"order.ts": "modified"}


def test_a_file_older_than_the_build_that_read_it_is_known(index: SourceIndex, tmp_path: Path) -> None:
    file = write(tmp_path / "query.sql", "select 1")
    os.utime(file, (0, 0))
    index.want([file], read_at=time.time())
    assert look(index, file) == {}
    write(file, "select 2")
    assert look(index, file) == {"query.sql": "modified"}
