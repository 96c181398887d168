"""What the app's functions find in ``process.env``."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.scaffolder.dev.variables import env_files, read_variables, write_variables
from workflow_studio.worker.env_file import read_env_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_next_reads_the_local_file_last(tmp_path: Path) -> None:
    fill(tmp_path)
    assert read_variables(env_files(tmp_path, "nextjs", None))["WHO"] == "local"


def test_vite_reads_the_file_of_the_mode_last(tmp_path: Path) -> None:
    fill(tmp_path)
    assert read_variables(env_files(tmp_path, "sveltekit", None))["WHO"] == "development"


def test_the_file_that_is_named_wins(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / ".env.development.local").write_text("WHO=mine\n")
    assert read_variables(env_files(tmp_path, "nextjs", None))["WHO"] == "mine"
    (tmp_path / "more").write_text("WHO=more\nEMPTY=\nNONE\n")
    found = read_variables(env_files(tmp_path, "nextjs", tmp_path / "more"))
    assert found["WHO"] == "more"
    assert found["EMPTY"] == ""
    assert "NONE" not in found


def test_the_functions_run_in_development(tmp_path: Path) -> None:
    assert read_variables(env_files(tmp_path, "nitro", None)) == {"NODE_ENV": "development"}
    (tmp_path / ".env").write_text("NODE_ENV=test\nBASE=http://a\nURL=${BASE}/b\n")
    found = read_variables(env_files(tmp_path, "nitro", None))
    assert found == {"NODE_ENV": "test", "BASE": "http://a", "URL": "http://a/b"}


def test_what_leads_the_app_to_a_worker_is_not_for_the_functions(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_API_KEY=secret\nSTUDIO_NODE=/n\nMINE=1\n")
    assert read_variables(env_files(tmp_path, "nitro", None)) == {"NODE_ENV": "development", "MINE": "1"}


def fill(folder: Path) -> None:
    (folder / ".env").write_text("WHO=all\n")
    (folder / ".env.local").write_text("WHO=local\n")
    (folder / ".env.development").write_text("WHO=development\n")
    (folder / ".env.production").write_text("WHO=production\n")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x00"), max_size=60),
        max_size=5,
    )
)
def test_the_worker_reads_what_is_written(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> None:
    path = tmp_path_factory.getbasetemp() / "variables.env"
    write_variables(path, variables)
    assert read_env_file(path) == variables
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
