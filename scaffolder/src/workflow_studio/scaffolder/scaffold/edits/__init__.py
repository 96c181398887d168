"""Edits of files the user owns.

Every edit is a span insertion on a concrete syntax tree: what is not inserted stays as it was, byte for byte. An edit
whose target is unclear raises :class:`~workflow_studio.scaffolder.errors.EditRefusedError`; an edit that is already
there changes nothing.
"""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits._arrays import ArrayItem
from workflow_studio.scaffolder.scaffold.edits._django import add_first, assigns, refuse_positions
from workflow_studio.scaffolder.scaffold.edits._edit import Edit
from workflow_studio.scaffolder.scaffold.edits._imports import Symbol, imported_names
from workflow_studio.scaffolder.scaffold.edits._json import JsonDocument
from workflow_studio.scaffolder.scaffold.edits._modules import OtherModule
from workflow_studio.scaffolder.scaffold.edits._nest import CallBehind, ModuleImport
from workflow_studio.scaffolder.scaffold.edits._properties import Property
from workflow_studio.scaffolder.scaffold.edits._python import FASTAPI_APP, FLASK_APP, AppClass, add_app_call
from workflow_studio.scaffolder.scaffold.edits._requirements import add_to_list, listed, made_by
from workflow_studio.scaffolder.scaffold.edits._syntax import Source
from workflow_studio.scaffolder.scaffold.edits._text import add_lines
from workflow_studio.scaffolder.scaffold.edits._toml import add_requirements, dynamic_files
from workflow_studio.scaffolder.scaffold.edits._values import Call, Value
from workflow_studio.scaffolder.scaffold.edits._wrap import Wrap, Wrapper

__all__ = [
    "FASTAPI_APP",
    "FLASK_APP",
    "AppClass",
    "ArrayItem",
    "Call",
    "CallBehind",
    "Edit",
    "JsonDocument",
    "ModuleImport",
    "OtherModule",
    "Property",
    "Source",
    "Symbol",
    "Value",
    "Wrap",
    "Wrapper",
    "add_app_call",
    "add_first",
    "add_lines",
    "add_requirements",
    "add_to_list",
    "assigns",
    "dynamic_files",
    "imported_names",
    "listed",
    "made_by",
    "refuse_positions",
]
