"""What a worker does to be small: its heap is shared and given back, and libraries are loaded when they are of use."""

from __future__ import annotations

import base64
import ctypes
import gc
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

from workflow_studio.worker import heap

if TYPE_CHECKING:
    from pathlib import Path

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


SERVED = """
import json, sys
from workflow_studio.worker import main
from workflow_studio.worker.app import create_app
from workflow_studio.worker.server import Server, config_of
from workflow_studio.worker.settings import load_settings
settings = load_settings(data_dir=sys.argv[1], **json.loads(sys.argv[2]))
Server(config_of(create_app(settings), settings), settings, as_json=True)
from workflow_studio.worker.engine.encryption import Keyring
Keyring(settings.master_key_bytes()).seal("wrun_1", b"x")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(folder: Path, **settings: str) -> set[str]:
    command = [sys.executable, "-c", SERVED, str(folder), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_a_worker_loads_what_it_needs_and_no_more(tmp_path: Path) -> None:
    """By far the most of an idle worker are libraries: these take 25 MB together."""
    loaded = loaded_by(tmp_path)
    assert {"fastapi", "sqlalchemy"} <= loaded
    of_others = {"alembic", "copier", "cryptography", "jinja2", "obstore", "psycopg", "websockets"}
    assert loaded & of_others == set()
    assert "cryptography" in loaded_by(tmp_path, master_key=base64.b64encode(bytes(32)).decode()), "it would be noticed"
