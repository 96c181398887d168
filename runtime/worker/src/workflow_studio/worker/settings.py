"""The worker's settings; ``docs/reference/worker-settings.md`` describes them for users."""

from __future__ import annotations

import base64
import binascii
import errno
import os
import re
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.artifacts import ArtifactLimits
from workflow_studio.worker.artifacts.limits import MIB
from workflow_studio.worker.engine.expiry import Retention
from workflow_studio.worker.loading import BUILT_IN
from workflow_studio.worker.objects import SCHEMES
from workflow_studio.worker.store.database import is_postgres

ENV_PREFIX: Final = "WORKFLOW_STUDIO_WORKER_"
_ADDRESS: Final = re.compile(r"([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")
_MASTER_KEY_SIZE: Final = 32
_IMPORT_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _is_a_part(value: str) -> str:
    if value != BUILT_IN and _IMPORT_PATH.fullmatch(value) is None:
        raise ValueError(f"must be {BUILT_IN}, or a factory such as package.module:factory")
    return value


_LIMIT: Final = re.compile(r"(workflow|deployment|key):.+", re.DOTALL)

Part = Annotated[str, AfterValidator(_is_a_part)]
"""Which part the worker uses: :data:`.loading.BUILT_IN`, or ``package.module:factory``; see :mod:`.parts`."""


_UNITS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION: Final = re.compile(r"([1-9]\d{0,5})([smhdw])")
_FOREVER: Final = "forever"
_LARGE_ON_DISK: Final = 512 * 1024
"""From where on an object in a folder is quicker than two rows of SQLite."""

_LARGE_IN_A_STORE: Final = 1024 * 1024
"""A request to a store is dearer than a row, but keeps the database small."""


def _milliseconds(value: object) -> object:
    if value is None or value == _FOREVER:
        return None
    if isinstance(value, int):
        return value  # a default
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a number and a unit, such as 30d, 12h or 2w, or {_FOREVER}")
    return int(found[1]) * _UNITS[found[2]]


Kept = Annotated[int | None, BeforeValidator(_milliseconds)]
"""How long something is kept, in milliseconds, of ``30d`` and the like; None keeps it for ever."""


class SeedApiKeySetting(BaseModel):
    """A key that exists from the first boot on.

    Attributes:
        key_id: Its name, in logs.
        project_id: The project it belongs to; idempotency keys are told apart by project.
        environment: Such as ``production``; for people.
        scopes: What it may do.
        secret: The bearer token itself, 16 characters or more.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    key_id: str = Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")
    project_id: str = Field(default="default", min_length=1, max_length=100)
    environment: str = Field(default="production", min_length=1, max_length=100)
    scopes: tuple[ComputeScope, ...] = Field(min_length=1)
    secret: Annotated[SecretStr, Field(min_length=16)]


class WorkerSettings(BaseSettings):
    """Everything that can be set, from arguments, then the environment, then an env file.

    Attributes:
        host: The address to listen on.
        port: The port to listen on; ``PORT`` counts where this is not set.
        data_dir: Where the database and the artifacts are kept.
        database_url: ``postgresql://…``, as libpq takes it, to keep the state there rather than in the data folder.
        storage: The part that keeps the state: ``built-in`` or the import path of a factory.
        queue: The part that tells of messages that are due, likewise.
        streams: The part that keeps the chunks of streams, likewise.
        objects: The part that keeps artifacts and large payloads, likewise.
        objects_url: ``s3://…``, ``gs://…``, ``az://…`` or ``file:///…``, to keep objects there rather than in the data
            folder.
        compute: The part that takes what callers ask for, likewise.
        public_url: The worker's address as others see it, for webhook addresses.
        require_https: Refuse what did not come over HTTPS, by itself or by ``x-forwarded-proto``.
        tls_certificate: A file with the worker's certificate in PEM; with it, the worker speaks HTTPS itself.
        tls_key: A file with the key of the certificate.
        tls_key_password: What the key is encrypted with.
        metrics_address: Host and port at which the metrics are shown without a key, besides.
        trusted_proxies: The proxies whose ``x-forwarded-for`` and ``x-forwarded-proto`` count, as uvicorn takes them.
        seed_api_keys: Keys to store at boot.
        compute_api_key: ``WORKFLOW_COMPUTE_API_KEY``: a key with the scope ``admin`` to store at boot.
        master_key: 32 bytes in base64; with it, runs are encrypted.
        rate_limit_per_minute: Requests per key.
        failed_logins_per_minute: Refused keys per client address.
        max_streams_per_key: Long polls and streams that a key may have open at the same time.
        max_body_bytes: The longest body, but for artifacts.
        body_timeout: Seconds that a body may take to arrive; a long one gets more.
        retain_completed: How long runs are kept after they completed.
        retain_failed: How long runs are kept after they failed.
        retain_cancelled: How long runs are kept after they were cancelled.
        retain_workflows: How long runs of workflows are kept, by the workflows' ids, whatever the three above say.
        retain_output: How long the output of a run is kept after its end.
        retain_streams: How long the chunks of streams are kept after the end of their runs.
        retain_dead_messages: How long dead messages are kept that can do nothing more.
        audit_retention_days: How long entries of the audit log are kept.
        output_lines_per_run: Lines that are kept of what a run prints.
        output_bytes_per_run: Bytes that are kept of what a run prints.
        large_payload_bytes: From how many bytes on a payload is kept as an object; 0 keeps all of them in rows. See
            :attr:`payload_limit` for what counts if it is absent.
        artifact_cache_bytes: Bytes of unpacked artifacts above which those that were not used for longest are removed.
        max_artifact_bytes: The largest artifact as it is sent.
        max_unpacked_artifact_bytes: The largest artifact without compression.
        max_artifact_files: The most files in an artifact.
        node: The Node.js executable; looked for if absent.
        env_file: A file of variables for the app's code.
        processes_per_deployment: Executors per deployment.
        memory_limit_mb: Resident memory at which an executor is replaced.
        warm_deployments: Active deployments whose executors are started before there is something to do.
        idle_timeout: Seconds without work after which an executor is retired.
        hang_timeout: Seconds without a sign of life after which an executor is killed.
        concurrency: Deliveries worked on at the same time.
        limits: How many steps all workers together work on at the same time, by ``workflow:``, ``deployment:`` or
            ``key:`` and a name; ``*`` is each name that is not listed.
        lease_seconds: Seconds without a sign of life after which other workers take over what a worker has in flight.
        shutdown_delay: Seconds that the worker answers requests for after it was told to stop, saying it is not ready.
        shutdown_grace: Seconds that work in progress gets when the worker stops.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535, validation_alias=AliasChoices(f"{ENV_PREFIX}PORT", "PORT"))
    data_dir: Path = Path(".workflow-studio/worker")
    database_url: SecretStr | None = None
    storage: Part = BUILT_IN
    queue: Part = BUILT_IN
    streams: Part = BUILT_IN
    objects: Part = BUILT_IN
    objects_url: str | None = None
    compute: Part = BUILT_IN
    public_url: str = ""
    require_https: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_key_password: SecretStr | None = None
    metrics_address: str = ""
    trusted_proxies: str = "127.0.0.1"
    seed_api_keys: tuple[SeedApiKeySetting, ...] = ()
    compute_api_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None, validation_alias="WORKFLOW_COMPUTE_API_KEY"
    )
    master_key: SecretStr | None = None
    rate_limit_per_minute: int = Field(default=6000, ge=1)
    failed_logins_per_minute: int = Field(default=30, ge=1)
    max_streams_per_key: int = Field(default=1000, ge=1)
    max_body_bytes: int = Field(default=32 * MIB, ge=1024)
    body_timeout: float = Field(default=30, gt=0, le=3600)
    retain_completed: Kept = None
    retain_failed: Kept = None
    retain_cancelled: Kept = None
    retain_workflows: dict[str, Kept] = Field(default_factory=dict)
    retain_output: Kept = None
    retain_streams: Kept = None
    retain_dead_messages: Kept = 7 * _UNITS["d"]
    audit_retention_days: int = Field(default=365, ge=1, le=36_500)
    output_lines_per_run: int = Field(default=10_000, ge=0, le=10_000_000)
    output_bytes_per_run: int = Field(default=MIB, ge=0, le=1024 * MIB)
    large_payload_bytes: int | None = Field(default=None, ge=0)
    artifact_cache_bytes: int = Field(default=10 * 1024 * MIB, ge=MIB)
    max_artifact_bytes: int = Field(default=256 * MIB, ge=1024)
    max_unpacked_artifact_bytes: int = Field(default=512 * MIB, ge=1024)
    max_artifact_files: int = Field(default=256, ge=3)
    node: Path | None = None
    env_file: Path | None = None
    processes_per_deployment: int = Field(default=1, ge=1, le=64)
    memory_limit_mb: int = Field(default=2048, ge=64)
    warm_deployments: int = Field(default=4, ge=0, le=1000)
    idle_timeout: float = Field(default=300, gt=0)
    hang_timeout: float = Field(default=120, gt=0)
    concurrency: int = Field(default=64, ge=1, le=10_000)
    limits: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = {}
    lease_seconds: float = Field(default=15, ge=1, le=600)
    shutdown_delay: float = Field(default=0, ge=0, le=300)
    shutdown_grace: float = Field(default=20, ge=0)

    @field_validator("public_url")
    @classmethod
    def _is_a_public_url(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("must be https://…, or http:// on localhost")
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be a plain address, such as https://worker.example.com")
        if parts.scheme == "http" and parts.path not in {"", "/"}:
            raise ValueError("can have a path only with https://")
        return url.rstrip("/")

    @field_validator("metrics_address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if address and _ADDRESS.fullmatch(address) is None:
            raise ValueError("must be host:port, such as 127.0.0.1:9464")
        return address

    @model_validator(mode="after")
    def _has_both_certificate_and_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY must be set together")
        return self

    @field_validator("database_url")
    @classmethod
    def _is_a_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://", "sqlite:///")):
            raise ValueError("must be postgresql://user@host/database or sqlite:///path/to/file")
        return url

    @field_validator("objects_url")
    @classmethod
    def _is_an_object_store(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not (parts.netloc or parts.path):
            raise ValueError("must be s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no credentials: the cloud's own variables, such as AWS_ACCESS_KEY_ID, do")
        if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
            raise ValueError("must name a folder by its whole path: file:///folder")
        return url

    @field_validator("master_key")
    @classmethod
    def _is_a_master_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        try:
            size = len(base64.b64decode(key.get_secret_value(), validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != _MASTER_KEY_SIZE:
            raise ValueError("must be 32 bytes in base64, such as `openssl rand -base64 32` prints")
        return key

    @field_validator("limits")
    @classmethod
    def _are_limits(cls, limits: dict[str, int]) -> dict[str, int]:
        for name in limits:
            if _LIMIT.fullmatch(name) is None:
                raise ValueError(f"{name!r} must be workflow:, deployment: or key:, and a name or *")
        return limits

    @property
    def external_url(self) -> str:
        """The worker's address as others see it, without a slash at the end."""
        return self.public_url or f"{self.scheme}://localhost:{self.port}"

    @property
    def scheme(self) -> str:
        """How the worker itself is spoken to: ``http`` or ``https``."""
        return "http" if self.tls_certificate is None else "https"

    @property
    def database(self) -> str | Path:
        """Where the state is kept: a URL, or a file in the data folder."""
        return self.data_dir / "worker.db" if self.database_url is None else self.database_url.get_secret_value()

    @property
    def artifact_dir(self) -> Path:
        """Where artifacts are unpacked."""
        return self.data_dir / "artifacts"

    @property
    def object_dir(self) -> Path:
        """Where objects are kept if no other place is set."""
        return self.data_dir / "objects"

    @property
    def sign_dir(self) -> Path:
        """Where workers of this machine show each other that they live."""
        return self.data_dir / "workers"

    @property
    def api_key_path(self) -> Path:
        """Where the key that is made at the first boot is written."""
        return self.data_dir / "api-key"

    @property
    def variable_key_path(self) -> Path:
        """Where the key is kept that deployments' variables are sealed with where there is no master key."""
        return self.data_dir / "variables-key"

    @property
    def artifact_limits(self) -> ArtifactLimits:
        """How large an artifact may be."""
        return ArtifactLimits(
            compressed=self.max_artifact_bytes,
            unpacked=self.max_unpacked_artifact_bytes,
            file=min(ArtifactLimits().file, self.max_unpacked_artifact_bytes),
            files=self.max_artifact_files,
        )

    @property
    def payload_limit(self) -> int | None:
        """From how many bytes on a payload is kept as an object; None keeps all of them in rows.

        By itself wherever all workers of the database reach the objects: not with a database for many workers and a
        folder that is one worker's own.
        """
        if self.large_payload_bytes is not None:
            return self.large_payload_bytes or None
        if self.objects != BUILT_IN or self.objects_url is not None:
            return _LARGE_IN_A_STORE
        is_alone = self.storage == BUILT_IN and not is_postgres(self.database)
        return _LARGE_ON_DISK if is_alone else None

    @property
    def retention(self) -> Retention:
        """What is kept for how long."""
        return Retention(
            outcomes={
                "completed": self.retain_completed,
                "failed": self.retain_failed,
                "cancelled": self.retain_cancelled,
            },
            workflows=self.retain_workflows,
            output=self.retain_output,
            streams=self.retain_streams,
        )

    def master_key_bytes(self) -> bytes | None:
        """Return the key that run keys are derived from, if runs are to be encrypted."""
        return None if self.master_key is None else base64.b64decode(self.master_key.get_secret_value())


def load_settings(settings_file: Path | None = None, **given: object) -> WorkerSettings:
    """Return the settings: what is given, then the environment, then an env file.

    Args:
        settings_file: A file of ``NAME=value`` lines; ``.env`` in the working directory is not read by itself.
        given: Settings by name; None counts as not given.

    Raises:
        FileNotFoundError: If there is no such file.
        pydantic.ValidationError: If a value is not allowed. The error does not show the value.
    """
    if settings_file is not None and not settings_file.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(settings_file))
    chosen = {name: value for name, value in given.items() if value is not None}
    return WorkerSettings(_env_file=settings_file, **chosen)  # type: ignore[arg-type]
