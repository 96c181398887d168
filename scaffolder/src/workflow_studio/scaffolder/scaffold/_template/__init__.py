"""The template: where it comes from, version by version, and rendering it."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold._template._render import render
from workflow_studio.scaffolder.scaffold._template._sources import (
    REPOSITORY,
    Release,
    find_sources,
    is_public_address,
    studio_version,
    template_ref,
)

__all__ = ["REPOSITORY", "Release", "find_sources", "is_public_address", "render", "studio_version", "template_ref"]
