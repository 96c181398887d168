"""Environment variables of a deployment's code: set and listed by name, never read back."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, RootModel

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import DeploymentId, KeyId


class VariablesRequest(RootModel[dict[str, str | None]]):
    """What to set: a value by name; null unsets. Names that are not here stay as they are."""

    root: dict[str, str | None] = Field(min_length=1)


class Variable(Answer):
    """That a variable is set.

    Attributes:
        name: Its name.
        updated_at: When it was set.
        updated_by: The id of the key that set it.
    """

    name: str
    updated_at: datetime | None = None
    updated_by: KeyId | None = None


class Variables(Answer):
    """The variables of a deployment, by name."""

    deployment_id: DeploymentId
    variables: tuple[Variable, ...] = ()
