"""Adding Workflow Studio to an app: detection, the template, edits of the user's files, and the plan they add up to."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._plan import Action, Change, ManualStep, Plan
from workflow_studio.scaffolder.scaffold._scaffold import Request, Scaffold, plan_existing, plan_new

__all__ = ["Action", "Change", "ManualStep", "Plan", "Request", "Scaffold", "apply", "plan_existing", "plan_new"]
