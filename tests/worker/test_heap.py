"""The heap is shared where that can be said, and nothing is said where the environment has."""

from __future__ import annotations

import ctypes
import gc
from types import SimpleNamespace
from typing import TYPE_CHECKING

from workflow_studio.worker import heap

if TYPE_CHECKING:
    import pytest


def test_threads_share_a_heap_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *setting: said.append(setting))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    heap.share()
    assert said == []
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    heap.share()
    assert said == [(-8, 1)]


def test_another_c_library_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    heap.share()


def test_what_starting_took_is_given_back_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=trimmed.append))
    try:
        heap.settle()
        monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
        heap.settle()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert trimmed == [0]
