"""What this app has to know about its worker. It comes from the environment, or from a file ``.env``."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Networks = tuple[IPvAnyNetwork, ...]


class WorkflowStudioSettings(BaseSettings):
    """The settings; each one's variable is its name in capital letters behind ``WORKFLOW_``.

    Attributes:
        compute_base_url: The worker's URL. Without it the app starts, and what needs the worker answers 503.
        compute_api_key: A key of the worker with the scopes ``trigger:write`` and ``runs:read``.
        compute_environment: The environment of the worker that runs are started in; its default one if absent.
        compute_timeout: Seconds to connect, and to wait for each part of an answer.
        compute_retries: How often a call that failed on the way is repeated.
        compute_webhook_timeout: Seconds that the workflow behind a webhook may take to answer its caller.
        studio_diagnostics_token: Opens the diagnostics route. Without it, that route is closed in production.
        studio_environment: ``development`` opens the diagnostics, and tells callers more about errors.
        studio_trusted_proxies: Addresses or networks whose ``x-forwarded-*`` headers count, separated by commas.
    """

    model_config = SettingsConfigDict(
        env_prefix="WORKFLOW_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        # What is wrong may be a key in the wrong variable: no error repeats a value.
        hide_input_in_errors=True,
    )

    compute_base_url: str | None = None
    compute_api_key: SecretStr | None = None
    compute_environment: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    compute_timeout: float = Field(default=10.0, gt=0)
    compute_retries: int = Field(default=2, ge=0)
    compute_webhook_timeout: float = Field(default=310.0, gt=0)
    studio_diagnostics_token: SecretStr | None = None
    studio_environment: Literal["production", "development"] = "production"
    studio_trusted_proxies: Annotated[Networks, NoDecode] = ()

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's machine."""
        return self.studio_environment == "development"

    @field_validator("compute_base_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("WORKFLOW_COMPUTE_BASE_URL must look like https://worker.example.com")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(
                "WORKFLOW_COMPUTE_BASE_URL must hold no credentials, query or fragment; "
                "the key belongs in WORKFLOW_COMPUTE_API_KEY"
            )
        return value.rstrip("/")

    @field_validator("compute_api_key", "studio_diagnostics_token")
    @classmethod
    def _fits_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key or token is made of letters, digits and punctuation of ASCII")
        return SecretStr(text) if text else None

    @field_validator("studio_trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
