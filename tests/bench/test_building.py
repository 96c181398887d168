from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from bench import building
from bench.building import alone, built_app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The one file that builds are made from; a build is a folder with a copy of it."""
    file = tmp_path / "source"
    file.write_text("one", encoding="utf-8")

    def build(folder: Path) -> None:
        folder.mkdir()
        (folder / "built").write_bytes(file.read_bytes())

    monkeypatch.setattr(building, "WORK", tmp_path / "work")
    monkeypatch.setattr(building, "_ROOT", tmp_path)
    monkeypatch.setattr(building, "_SOURCES", (file,))
    monkeypatch.setattr(building, "build", build)
    return file


def test_a_build_is_taken_again_until_what_it_is_made_from_changes(source: Path) -> None:
    with alone(lambda _: None):
        first = built_app()
        (first / "mark").touch()
        assert (built_app() / "mark").exists()
        source.write_text("two", encoding="utf-8")
        second = built_app()
    assert (second / "built").read_text(encoding="utf-8") == "two"
    assert not first.exists(), "nobody needs it any more"


def test_a_second_benchmark_waits_for_the_first_one() -> None:
    told = threading.Event()
    began = threading.Event()

    def second() -> None:
        with alone(lambda _: told.set()):
            began.set()

    thread = threading.Thread(target=second)
    with alone(lambda _: None):
        thread.start()
        assert told.wait(30)
        assert not began.is_set()
    thread.join(30)
    assert began.is_set()
