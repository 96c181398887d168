"""Profiles: the workers one person looks after, in one file of their own.

::

    default_profile = "staging"

    [profiles.production]
    url = "https://worker.example.com"
    api_key_env = "PRODUCTION_WORKER_KEY"

A profile names the environment variable that holds the key. The key itself is never in the file, so the file can be
shared and backed up; one that holds a key is refused.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workflow_studio.scaffolder.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILE_VARIABLE: Final = "WORKFLOW_STUDIO_PROFILE"
DEFAULT_KEY_VARIABLE: Final = "WORKFLOW_COMPUTE_API_KEY"  # the name of a variable, not a key
_SECRETS: Final = frozenset({"api_key", "key", "token", "secret", "password", "apiKey"})


class Profile(BaseModel):
    """One worker.

    Attributes:
        url: The worker's base URL.
        api_key_env: The environment variable that holds the key.
        environment: The environment of the worker; if absent, what the command and the variables say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    api_key_env: str = DEFAULT_KEY_VARIABLE
    environment: str | None = None

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit():
            # The value is not repeated: it may be the key.
            raise ValueError("must be the name of an environment variable, never a key")
        return name


class Profiles(BaseModel):
    """What the file holds.

    Attributes:
        default_profile: Counts where neither an option nor a variable names a worker.
        profiles: By name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    default_profile: str | None = None
    profiles: dict[str, Profile] = Field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            UsageError: If there is none of that name.
        """
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise UsageError(
                f"There is no profile {name!r}.",
                code="unknown_profile",
                hint=f"{profiles_path()} has: {known}.",
            )
        return self.profiles[name]


def profiles_path(environment: Mapping[str, str] | None = None) -> Path:
    """Return where the file is: ``$WORKFLOW_STUDIO_CONFIG``, else in the user's configuration folder."""
    chosen = (os.environ if environment is None else environment).get("WORKFLOW_STUDIO_CONFIG")
    return Path(chosen) if chosen else user_config_path("workflow-studio") / "config.toml"


def read_profiles(path: Path | None = None) -> Profiles:
    """Return the profiles; none if there is no file.

    Raises:
        UsageError: If the file cannot be understood, or holds a key.
    """
    file = profiles_path() if path is None else path
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except UnicodeDecodeError as error:
        raise _wrong(file, "it is not UTF-8 text") from error
    try:
        return Profiles.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _wrong(file, str(error)) from error
    except ValidationError as error:
        raise _wrong(file, _reason(error)) from error


def _reason(error: ValidationError) -> str:
    entry = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in entry["loc"])
    if entry["type"] == "extra_forbidden" and str(entry["loc"][-1]) in _SECRETS:
        return f"{field} would be a key in a file; set api_key_env to the name of a variable that holds it"
    if entry["type"] == "extra_forbidden":
        return f"{field} is not known; a profile has url, api_key_env and environment"
    return f"{field}: {entry['msg'].removeprefix('Value error, ')}"


def _wrong(file: Path, reason: str) -> UsageError:
    return UsageError(f"{file} cannot be used: {reason}.", code="invalid_profiles", hint="Correct the file.")
