"""What Studio has to know about a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Source, Wrapper, add_array_item, wrap_default_export

ReadText: TypeAlias = Callable[[str], str | None]
"""Returns the text of a file of the project, or ``None``."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Something about the app a person should look at.

    Attributes:
        text: What, and what to do.
        path: The file it is about.
        snippet: What to paste there; when set, the work is not done until someone does it.
    """

    text: str
    path: str
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework.

    Attributes:
        id: Name on the command line and in the template.
        label: Name for people.
        config_stem: Config file without suffix.
        new_config: Name and text of the config file to make where there is none.
        wrappers: Calls to put around the config's default export, the outermost first.
        items: Items of arrays of the config, by property.
        snippet: What to paste when the config cannot be edited.
        gitignore: Lines ``.gitignore`` shall have.
        app_dir: Folder of the routes, relative to the source folder.
        start: How the production server is started.
        guard: The template's file that refuses to start an app whose workflows would run in the wrong place, without
            suffix and relative to the source folder; an app that has such a file keeps its own.
        strips_types: A TypeScript file makes this framework demand TypeScript, so apps without it get JavaScript.
        language: What the app is written in; empty for TypeScript or JavaScript, whichever it has.
        package_folder: The folder that Studio makes and the app needs to run, relative to the source folder if the
            app is in Python.
        npm_packages: The npm packages that have to be installed.
        packages: The framework itself and what it builds with, by name: for an app that has none of them yet.
        advice: Looks at the app for things that cannot be edited safely; gets the source folder's prefix, the
            dependencies and a reader.
    """

    id: str
    label: str
    config_stem: str
    new_config: tuple[str, str]
    wrappers: tuple[Wrapper, ...]
    snippet: str
    app_dir: str
    start: str
    guard: str = ""
    strips_types: bool = False
    items: Mapping[str, ArrayItem] = field(default_factory=dict)
    gitignore: tuple[str, ...] = ()
    language: str = ""
    package_folder: str = "workflow-studio"
    npm_packages: tuple[str, ...] = ("workflow", "workflow-studio")
    packages: Mapping[str, str] = field(default_factory=dict)
    advice: Callable[[str, Mapping[str, str], ReadText], list[Advice]] = lambda _src, _depends, _read: []

    def edit_config(self, source: Source) -> Source:
        """Return the config file with everything Studio needs.

        Raises:
            EditRefusedError: The file's shape is unclear.
        """
        # The wrapping alone first: if it is refused, the line is one of the untouched file.
        wrap_default_export(source, self.wrappers)
        edited = self._edit(source)
        # What was just written must read as done, or a second run would edit it again.
        if self._edit(edited).data != edited.data:
            raise source.refusal("the edit would not be recognised as done afterwards")
        return edited

    def _edit(self, source: Source) -> Source:
        for key, item in self.items.items():
            source = add_array_item(source, key, item)
        return wrap_default_export(source, self.wrappers)
