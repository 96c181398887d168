"""Calls about deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.client._calls.base import Call, answer, body, nothing, query, segment
from workflow_studio.client._filters import Part
from workflow_studio.compute.api import ActiveDeployment, Deployment, Environment, Page, Variables, VariablesRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.compute.ids import DeploymentId, EnvironmentName


def create_deployment(base: DeploymentId | None) -> Call[Deployment]:
    # The archive's content is its id, so uploading it twice makes one deployment.
    return Call("POST", "/v1/deployments", answer(Deployment), {"base": base})


def list_deployments(part: Part) -> Call[Page[Deployment]]:
    return Call("GET", "/v1/deployments", answer(Page[Deployment]), query(Part, part))


def get_deployment(deployment_id: DeploymentId) -> Call[Deployment]:
    return Call("GET", f"/v1/deployments/{segment(deployment_id)}", answer(Deployment))


def get_active_deployment() -> Call[ActiveDeployment]:
    return Call("GET", "/v1/deployments/active", answer(ActiveDeployment))


def activate_deployment(deployment_id: DeploymentId) -> Call[Deployment]:
    return Call("POST", f"/v1/deployments/{segment(deployment_id)}/activate", answer(Deployment))


def rollback_deployment(deployment_id: DeploymentId | None) -> Call[Deployment]:
    if deployment_id is None:
        # A repeat would go forward again.
        return Call("POST", "/v1/deployments/rollback", answer(Deployment), repeatable=False)
    return Call("POST", f"/v1/deployments/{segment(deployment_id)}/rollback", answer(Deployment))


def delete_deployment(deployment_id: DeploymentId) -> Call[None]:
    # A repeat would be told that there is no such deployment.
    return Call("DELETE", f"/v1/deployments/{segment(deployment_id)}", nothing, repeatable=False)


def list_environments(part: Part) -> Call[Page[Environment]]:
    return Call("GET", "/v1/environments", answer(Page[Environment]), query(Part, part))


def delete_environment(name: EnvironmentName) -> Call[None]:
    # A repeat would be told that there is no such environment.
    return Call("DELETE", f"/v1/environments/{segment(name)}", nothing, repeatable=False)


def list_variables(deployment_id: DeploymentId) -> Call[Variables]:
    return Call("GET", f"/v1/deployments/{segment(deployment_id)}/env", answer(Variables))


def set_variables(deployment_id: DeploymentId, values: Mapping[str, str | None]) -> Call[Variables]:
    request = VariablesRequest(dict(values))
    return Call("PUT", f"/v1/deployments/{segment(deployment_id)}/env", answer(Variables), **body(request))
