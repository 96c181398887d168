"""Edits of files the user owns.

Every edit is a span insertion on a concrete syntax tree: what is not inserted stays as it was, byte for byte. An edit
whose target is unclear raises :class:`~workflow_studio.scaffolder.errors.EditRefusedError`; an edit that is already
there changes nothing.
"""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits._arrays import ArrayItem, add_array_item
from workflow_studio.scaffolder.scaffold.edits._exports import Wrapper, wrap_default_export
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, imported_names
from workflow_studio.scaffolder.scaffold.edits._json import JsonDocument
from workflow_studio.scaffolder.scaffold.edits._python import add_app_call
from workflow_studio.scaffolder.scaffold.edits._syntax import Source
from workflow_studio.scaffolder.scaffold.edits._text import add_lines
from workflow_studio.scaffolder.scaffold.edits._toml import add_requirements
from workflow_studio.scaffolder.scaffold.edits._types import strip_types

__all__ = [
    "ArrayItem",
    "JsonDocument",
    "Source",
    "Symbol",
    "Wrapper",
    "add_app_call",
    "add_array_item",
    "add_lines",
    "add_requirements",
    "imported_names",
    "strip_types",
    "wrap_default_export",
]
