"""What the app's functions find in ``process.env``: the variables that the app's own server reads in development."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The later ones win. Next.js has `.env.local` win over `.env.development`, Vite the other way round
# (source: @next/env 16.4.3, `loadEnvConfig`; vite 8.3.8, `getEnvFilesForMode`).
_FILES: Final = (".env", ".env.development", ".env.local", ".env.development.local")
_FILES_OF_VITE: Final = (".env", ".env.local", ".env.development", ".env.development.local")
_ON_VITE: Final = frozenset({"sveltekit", "astro", "vite", "tanstack-start", "react-router"})

# These say where the app's runs go and what the worker is, which is no business of the functions.
_OWN: Final = ("WORKFLOW_", "STUDIO_")


def env_files(app_dir: Path, framework: str, given: Path | None) -> list[Path]:
    """Return the files that the variables come from, those that are there or may be; the later ones win.

    Args:
        app_dir: The app's folder.
        framework: Its framework's name.
        given: What ``--env-file`` named.
    """
    names = _FILES_OF_VITE if framework in _ON_VITE else _FILES
    return [*(app_dir / name for name in names), *([given] if given else [])]


def read_variables(files: list[Path]) -> dict[str, str]:
    """Return the variables of the files, with those in a value replaced as the frameworks do it."""
    found = {"NODE_ENV": "development"}
    for file in files:
        if file.is_file():
            values = dotenv_values(file, encoding="utf-8")
            found |= {name: value for name, value in values.items() if value is not None}
    return {name: value for name, value in found.items() if not name.startswith(_OWN)}


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file of variables that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
