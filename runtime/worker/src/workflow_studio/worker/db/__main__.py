"""``python -m workflow_studio.worker.db``: the commands behind ``studio db``.

Each prints JSON lines (see :mod:`.lines`) and ends with 0 (done), 1 (failed), 2 (wrong settings, or a backup without
objects that the service does not have itself) or, for ``check``, 4 (an upgrade is needed).
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from workflow_studio.worker.announce import explained
from workflow_studio.worker.db import backup, master_key, moving, schema, size
from workflow_studio.worker.db.lines import Progress, ended_by_signals, say
from workflow_studio.worker.loading import BUILT_IN
from workflow_studio.worker.settings import load_settings
from workflow_studio.worker.store import StoreError
from workflow_studio.worker.store.copying import CopyDamagedError, CopyRefusedError
from workflow_studio.worker.store.database import is_postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.worker.settings import WorkerSettings

DONE: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
WARNED: Final = 2
UPGRADE_NEEDED: Final = 4
_CODES: Final[dict[type[Exception], str]] = {
    CopyRefusedError: "copy_refused",
    CopyDamagedError: "copy_damaged",
    backup.BackupRefusedError: "backup_refused",
    backup.BackupDamagedError: "backup_damaged",
    backup.ToolMissingError: "tool_missing",
}
_NEEDS_WORK: Final = frozenset({"empty", "outdated"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command says; return the exit code."""
    logging.basicConfig(level=logging.WARNING)
    options = _parser().parse_args(arguments)
    try:
        with ended_by_signals():
            code, document = options.run(options)
    except (ValidationError, SettingsError) as error:
        return _refused(error, MISUSED)
    except (StoreError, OSError) as error:
        return _refused(error, FAILED)
    say({"ok": code != FAILED, **document})
    return int(code)


def _refused(error: Exception, code: int) -> int:
    refusals = explained(error)
    message = "\n".join(refusal.message for refusal in refusals)
    told = {"code": _CODES.get(type(error), refusals[0].code), "message": message, "hint": refusals[0].hint}
    say({"ok": False, "error": {name: value for name, value in told.items() if value}})
    return code


def _settings(options: argparse.Namespace) -> WorkerSettings:
    return load_settings(options.settings, data_dir=options.data_dir, database_url=options.database_url)


def _location(options: argparse.Namespace) -> str | Path:
    """Return where the settings keep the database."""
    settings = _settings(options)
    if settings.storage != BUILT_IN:
        raise StoreError(
            "The worker's settings choose a storage of their own.",
            "These commands are for the built-in one; leave the setting STORAGE out, or name the database.",
        )
    return with_driver(settings.database)


def with_driver(location: str | Path) -> str | Path:
    """Return a location whose driver is installed.

    Raises:
        StoreError: If it is not.
    """
    if is_postgres(location) and importlib.util.find_spec("psycopg") is None:
        raise StoreError(
            "The driver for PostgreSQL is not installed.", "Run: pip install 'workflow-studio-worker[postgres]'"
        )
    return location


def _current(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return DONE, schema.current(_location(options))


def _check(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    document = schema.current(_location(options))
    if document["status"] == "refused":
        return FAILED, _as_error(document)
    return (UPGRADE_NEEDED if document["status"] in _NEEDS_WORK else DONE), document


def _upgrade(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    location = _location(options)
    if options.dry_run:
        return DONE, {**schema.current(location), "sql": schema.statements(location)}
    return DONE, schema.upgrade(location)


def _size(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return DONE, size.size(_location(options), _settings(options).retention)


def _forget_key(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return DONE, {"forgotten": master_key.forget(_location(options))}


def _copy(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return DONE, moving.move(with_driver(options.source), with_driver(options.target), Progress())


def _backup(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    _location(options)
    document = backup.take(_settings(options), options.folder, Progress(), keys=options.include_keys)
    return (WARNED if document["missingObjects"] else DONE), document


def _restore(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    _location(options)
    return DONE, backup.restore(_settings(options), options.folder, Progress())


def _as_error(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "error": {"code": "database_failed", "message": document["reason"], "hint": document["hint"]},
        **document,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workflow_studio.worker.db", description=__doc__)
    commands = parser.add_subparsers(required=True)
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--data-dir", type=Path, help="the worker's data folder")
    chosen.add_argument("--database-url", help="the database, where it is not in the data folder")
    chosen.add_argument("--settings", type=Path, help="a file of variables with the worker's settings")
    for name, run, text in (
        ("current", _current, "say which schema the database has"),
        ("check", _check, "say whether an upgrade is needed; then the exit code is 4"),
        ("upgrade", _upgrade, "apply the migrations that are missing"),
        ("forget-key", _forget_key, "let the next worker choose the master key, with all workers stopped"),
        ("size", _size, "say how large it is, and what retention would delete"),
        ("backup", _backup, "copy a service into a folder, beside its workers"),
        ("restore", _restore, "put a backup back where no service is"),
    ):
        command = commands.add_parser(name, parents=[chosen], help=text)
        command.set_defaults(run=run)
        if name == "upgrade":
            command.add_argument("--dry-run", action="store_true", help="only say what it would do, with its SQL")
        if name in {"backup", "restore"}:
            command.add_argument("folder", type=Path, help="the folder of the backup")
        if name == "backup":
            command.add_argument("--include-keys", action="store_true", help="put the keys into it, too")
    command = commands.add_parser("copy", help="copy a whole service into an empty database")
    command.add_argument("source", help="the database that is copied: a URL, or the path of an SQLite file")
    command.add_argument("target", help="the empty database")
    command.set_defaults(run=_copy)
    return parser


if __name__ == "__main__":
    sys.exit(main())
