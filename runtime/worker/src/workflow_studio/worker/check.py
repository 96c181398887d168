"""``python -m workflow_studio.worker --check``: what a start with these settings would run into, without starting.

It prints one JSON document and changes nothing: no folder is made, nothing is migrated, no key is stored.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import socket
import ssl
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from workflow_studio.worker import tls
from workflow_studio.worker.announce import Refusal, explained
from workflow_studio.worker.composition import COMPUTE, KINDS, choose, path_of, stand_in, storage_of
from workflow_studio.worker.env_file import EnvFileError, read_env_file
from workflow_studio.worker.execution import NodeNotFoundError, find_nodes
from workflow_studio.worker.loading import BUILT_IN, PartError, abilities
from workflow_studio.worker.parts import CanLook
from workflow_studio.worker.settings import ENV_PREFIX, WorkerSettings, load_settings
from workflow_studio.worker.store import StoreError
from workflow_studio.worker.store.database import is_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VALID: Final = 0
INVALID: Final = 1
VALID_WITH_WARNINGS: Final = 2

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LITTLE_SPACE: Final = 1_000_000_000
_FEW_DAYS: Final = 14


class Level(StrEnum):
    """How bad a finding is: a start fails, or it works and is not what a careful operator wants."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or doubtful.

    Attributes:
        level: How bad it is.
        code: Stable, such as ``no_master_key``.
        message: In a sentence.
        hint: What to do about it.
    """

    level: Level
    code: str
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        findings: In the order in which a start would meet them.
        facts: What the settings amount to; never a secret.
    """

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 valid, 1 invalid, 2 valid with warnings."""
        levels = {finding.level for finding in self.findings}
        if Level.ERROR in levels:
            return INVALID
        return VALID_WITH_WARNINGS if levels else VALID

    def document(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        findings = [
            {"level": str(entry.level), "code": entry.code, "message": entry.message}
            | ({"hint": entry.hint} if entry.hint else {})
            for entry in self.findings
        ]
        status = {VALID: "valid", INVALID: "invalid", VALID_WITH_WARNINGS: "warnings"}[self.exit_code]
        return {"ok": self.exit_code != INVALID, "status": status, "findings": findings, "settings": self.facts}


def main(settings_file: Path | None, options: Mapping[str, object]) -> int:
    """Check the settings and print what was found; return the exit code."""
    report = check(settings_file, options)
    print(json.dumps(report.document(), indent=2), flush=True)  # noqa: T201
    return report.exit_code


def check(settings_file: Path | None, options: Mapping[str, object]) -> Report:
    """Return what a start with these settings would run into.

    Args:
        settings_file: The file of ``--settings``.
        options: Settings that the command line gives, by name.
    """
    report = Report()
    try:
        settings = load_settings(settings_file, **options)
        report.findings.extend(_unknown_settings(settings_file))
    except (ValidationError, SettingsError, OSError) as error:
        report.findings.extend(_error(refusal) for refusal in explained(error))
        return report
    report.facts.update(_facts(settings))
    for part in (_node, _env_file, _parts, _data_folder, _database, _address, _tls, _keys, _exposure):
        report.findings.extend(part(settings, report.facts))
    return report


def _facts(settings: WorkerSettings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "publicUrl": settings.external_url,
        "dataDir": str(settings.data_dir.absolute()),
        "database": _kind_of_database(settings),
        "encrypted": settings.master_key is not None,
        "requireHttps": settings.require_https,
    }


def _kind_of_database(settings: WorkerSettings) -> str:
    if settings.storage != BUILT_IN:
        return "custom"
    return "postgresql" if is_postgres(settings.database) else "sqlite"


def _unknown_settings(settings_file: Path | None) -> Iterator[Finding]:
    given = set(os.environ)
    if settings_file is not None:
        given |= set(dotenv_values(settings_file, interpolate=False))
    known = {f"{ENV_PREFIX}{name}".upper() for name in WorkerSettings.model_fields}
    for name in sorted(name for name in given if name.upper().startswith(ENV_PREFIX) and name.upper() not in known):
        yield Finding(
            Level.WARNING,
            "unknown_setting",
            f"{name} is no setting of this worker, and counts for nothing.",
            "Correct its name, or remove it.",
        )


def _node(settings: WorkerSettings, facts: dict[str, Any]) -> Iterator[Finding]:
    try:
        node, *others = find_nodes(settings.node)
    except NodeNotFoundError as error:
        yield from (_error(refusal) for refusal in explained(error))
        return
    facts["node"] = {"path": str(node.path), "version": node.version_text}
    facts["otherNodes"] = [{"path": str(other.path), "version": other.version_text} for other in others]


def _env_file(settings: WorkerSettings, facts: dict[str, Any]) -> Iterator[Finding]:
    if settings.env_file is None:
        return
    try:
        facts["envFile"] = {"path": str(settings.env_file), "variables": len(read_env_file(settings.env_file))}
    except (OSError, EnvFileError) as error:
        yield from (_error(refusal) for refusal in explained(error))


def _parts(settings: WorkerSettings, facts: dict[str, Any]) -> Iterator[Finding]:
    """Have the factories make their parts, and look at these; nothing is started."""
    facts["parts"] = {}
    for kind in KINDS:
        path = path_of(kind, settings)
        facts["parts"][kind.setting] = path
        if path == BUILT_IN:
            continue
        try:
            part = choose(kind, settings, lambda kind=kind: stand_in(kind))  # type: ignore[misc]
        except PartError as error:
            yield from (_error(refusal) for refusal in explained(error))
        else:
            if kind is COMPUTE:
                facts["computeDoes"] = abilities(kind, part)


def _data_folder(settings: WorkerSettings, _facts: dict[str, Any]) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        hint = "Choose a folder that the worker may write to: --data-dir."
        yield Finding(Level.ERROR, "data_folder", f"The data folder {folder} cannot be written.", hint)
        return
    if nearest == folder and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(
            Level.WARNING,
            "data_folder_open",
            f"Other users of this machine can look into the data folder {folder}.",
            f"Payloads and keys are in it: chmod 700 {folder}",
        )
    free = shutil.disk_usage(nearest).free
    if free < _LITTLE_SPACE:
        message = f"The disk of the data folder has {free / 1e6:.0f} MB left."
        yield Finding(Level.WARNING, "little_space", message, "Make room, or choose another disk: --data-dir.")


def _database(settings: WorkerSettings, facts: dict[str, Any]) -> Iterator[Finding]:
    if _kind_of_database(settings) == "postgresql" and importlib.util.find_spec("psycopg") is None:
        hint = "Run: pip install 'workflow-studio-worker[postgres]'"
        yield Finding(Level.ERROR, "driver_missing", "The driver for PostgreSQL is not installed.", hint)
        return
    try:
        storage = storage_of(settings)
        if not isinstance(storage, CanLook):
            return
        state = storage.look()
        state.schema.check()
    except StoreError as error:
        yield from (_error(refusal) for refusal in explained(error))
        return
    except PartError:
        return  # said already
    facts["schema"] = state.revision
    if state.in_use and _kind_of_database(settings) == "sqlite":
        hint = "It may be the one that runs with these settings now: end it before you start another."
        yield Finding(Level.WARNING, "database_in_use", "A worker uses this database now.", hint)
    if state.outdated:
        message = f"The database has the schema {state.revision}; the next start brings it up to date."
        yield Finding(Level.WARNING, "migration_pending", message, "Make a copy of it first.")


def _address(settings: WorkerSettings, _facts: dict[str, Any]) -> Iterator[Finding]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        from workflow_studio.worker.announce import CannotListenError, in_url  # noqa: PLC0415

        refused = CannotListenError(f"{in_url(settings.host)}:{settings.port}", error)
        # A port that is taken may be taken by the worker that is to be replaced.
        level = Level.WARNING if refused.code == "port_in_use" else Level.ERROR
        yield Finding(level, refused.code, str(refused), refused.recovery)


def _tls(settings: WorkerSettings, facts: dict[str, Any]) -> Iterator[Finding]:
    if settings.tls_certificate is None:
        return
    try:
        tls.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
    except tls.TlsError as error:
        yield from (_error(refusal) for refusal in explained(error))
        return
    left = facts["tlsDaysLeft"] = math.floor(tls.days_left(settings.tls_certificate))
    if left < _FEW_DAYS:
        message = "The certificate has expired." if left < 0 else f"The certificate expires in {left} days."
        hint = "Renew it; on SIGHUP the worker reads it again."
        yield Finding(Level.WARNING, "certificate_expires", message, hint)


def _keys(settings: WorkerSettings, _facts: dict[str, Any]) -> Iterator[Finding]:
    ids: set[str] = set()
    holders: dict[str, str] = {}
    for key in settings.seed_api_keys:
        if key.key_id in ids:
            message = f"Two keys of SEED_API_KEYS have the id {key.key_id}."
            yield Finding(Level.ERROR, "duplicate_key", message, "Give each key an id of its own.")
        ids.add(key.key_id)
        holder = holders.setdefault(key.secret.get_secret_value(), key.key_id)
        if holder != key.key_id:
            message = f"The keys {holder} and {key.key_id} have the same secret."
            yield Finding(Level.ERROR, "duplicate_secret", message, "Give each key a secret of its own.")


def _exposure(settings: WorkerSettings, _facts: dict[str, Any]) -> Iterator[Finding]:
    """Look for what is fine at home and not on a server; a server is in production unless NODE_ENV says otherwise."""
    if settings.host not in _LOOPBACK and not settings.require_https and settings.tls_certificate is None:
        yield Finding(
            Level.WARNING,
            "plain_http",
            f"The worker takes plain HTTP on {settings.host}, and keys with it.",
            "Put a proxy with TLS in front and set REQUIRE_HTTPS=true, set TLS_CERTIFICATE, or listen on 127.0.0.1.",
        )
    if settings.trusted_proxies.strip() == "*" and settings.host not in _LOOPBACK:
        yield Finding(
            Level.WARNING,
            "any_proxy",
            "TRUSTED_PROXIES is *: whoever connects can say where it comes from, and that it came over HTTPS.",
            "Name the proxies' addresses.",
        )
    if os.environ.get("NODE_ENV") in {"development", "test"}:
        return
    if not settings.public_url:
        message = "There is no PUBLIC_URL: webhook addresses lead to localhost."
        yield Finding(Level.WARNING, "no_public_url", message, f"Set {ENV_PREFIX}PUBLIC_URL=https://….")
    if settings.master_key is None:
        yield Finding(
            Level.WARNING,
            "no_master_key",
            "There is no MASTER_KEY: payloads are kept as they are.",
            f"Set {ENV_PREFIX}MASTER_KEY to what `openssl rand -base64 32` prints, and keep it apart from the data.",
        )


def _error(refusal: Refusal) -> Finding:
    return Finding(Level.ERROR, refusal.code, refusal.message, refusal.hint)
