"""What Studio has to know about a framework."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.scaffolder.scaffold.edits import Edit, Source

ReadText: TypeAlias = Callable[[str], str | None]
"""Returns the text of a file of the project, or ``None``."""


@dataclass(frozen=True, slots=True)
class App:
    """An app, as far as what is done to it depends on it.

    Attributes:
        src: Prefix of the source folder: ``src/``, or empty.
        depends: Ranges of its npm packages, by name.
        read: Reads a file, as it will be.
        typescript: Whether it is written in TypeScript.
        answers: Answers to the template's questions.
    """

    src: str
    depends: Mapping[str, str]
    read: ReadText
    typescript: bool = True
    answers: Mapping[str, Any] = field(default_factory=dict)


def always(_app: App) -> bool:
    """Tell that something holds for every app."""
    return True


@dataclass(frozen=True, slots=True)
class Advice:
    """Something about the app a person should look at.

    Attributes:
        text: What, and what to do.
        path: The file it is about.
        snippet: What to paste there; when set, the work is not done until someone does it.
        line: 1-based line.
    """

    text: str
    path: str
    snippet: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file or module of the app that is edited.

    Attributes:
        stem: The file without suffix, relative to the app: ``next.config``, ``src/app.module``.
        edits: What is added to it, in this order.
        snippet: What to paste when the file cannot be edited, or is missing and cannot be made.
        new: Name and text of the file to make where there is none; without it a missing file is left for a person.
        optional: A missing file is neither made nor mentioned.
        when: Whether the app needs it.
    """

    stem: str
    edits: tuple[Edit, ...]
    snippet: str
    new: tuple[str, str] | None = None
    optional: bool = False
    when: Callable[[App], bool] = always

    def edit(self, source: Source) -> Source:
        """Return the file with everything that is added to it.

        Raises:
            EditRefusedError: The file's shape is unclear.
        """
        # Each alone first: if one is refused, the line is one of the untouched file.
        for edit in self.edits:
            edit.add(source)
        edited = self._edit(source)
        # What was just written must read as done, or a second run would edit it again.
        if self._edit(edited).data != edited.data:
            raise source.refusal("the edit would not be recognised as done afterwards")
        return edited

    def _edit(self, source: Source) -> Source:
        for edit in self.edits:
            source = edit.add(source)
        return source


@dataclass(frozen=True, slots=True)
class JsonSet:
    """A property of a JSON file: ``scripts.build`` of package.json, ``compilerOptions.builder`` of nest-cli.json.

    Attributes:
        file: The file, relative to the app.
        path: Names from the top level down.
        value: The value.
        why: What it is for, for people.
        replaces: Values that are replaced, because the framework's own starter has them.
        required: Any other value is a manual step; otherwise it stays and nothing is said.
        create: The file is made where there is none; otherwise a missing file is left alone.
        when: Whether the app needs it.
    """

    file: str
    path: tuple[str, ...]
    value: Any
    why: str
    replaces: tuple[Any, ...] = ()
    required: bool = True
    create: bool = False
    when: Callable[[App], bool] = always


@dataclass(frozen=True, slots=True)
class Pin:
    """An npm package of which not every release works.

    A missing one is added. An app that has another release keeps it: changing it is a manual step.

    Attributes:
        name: The package.
        spec: What package.json shall say.
        why: What goes wrong with other releases.
        accepts: Other specs that are fine, as a regular expression of the whole spec.
        dev: It belongs into ``devDependencies``.
        unless: Nothing is done for an app that has one of these packages.
        when: Whether the app needs it.
    """

    name: str
    spec: str
    why: str
    accepts: str = ""
    dev: bool = False
    unless: tuple[str, ...] = ()
    when: Callable[[App], bool] = always

    def allows(self, spec: str) -> bool:
        """Tell whether what an app says about the package is fine."""
        spec = spec.strip()
        # What a workspace or a folder resolves to is not said here.
        if spec.startswith(("workspace:", "catalog:", "file:", "link:", "portal:")):
            return True
        if spec.lstrip("=v ") == self.spec.lstrip("=v "):
            return True
        return bool(self.accepts) and re.fullmatch(self.accepts, spec) is not None


def _itself(framework: Framework, _app: App) -> Framework:
    return framework


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework.

    Attributes:
        id: Name on the command line and in the template.
        label: Name for people.
        app_dir: Folder of the routes, relative to the source folder.
        src_dir: The source folder, where the framework has it in one place only; ``None`` is looked for.
        routes: Looks into the source folder for the folder of the routes, where it may be another than ``app_dir``.
        start: How the production server is started.
        configs: The app's files that are edited; the first one is the framework's own config.
        json_edits: Properties of JSON files.
        pins: Packages of which not every release works.
        packages: The framework itself and what it builds with, by name: for an app that has none of them yet.
        dev_packages: Packages that are added to ``devDependencies``, each if it is missing.
        npm_packages: The npm packages that have to be installed.
        editor_plugin: The SDK's plugin for editors goes into tsconfig.json; not where the SDK's own module for the
            framework puts it into a generated one.
        gitignore: Lines ``.gitignore`` shall have.
        guard: The template's file that refuses to start an app whose workflows would run in the wrong place, without
            suffix and relative to the source folder; an app that has such a file keeps its own.
        language: What the app is written in; empty for TypeScript or JavaScript, whichever it has.
        package_folder: The folder that Studio makes and the app needs to run, relative to the source folder if the
            app is in Python.
        advice: Looks at the app for things that cannot be edited safely.
        variant: Returns the framework as this app needs it: ``replace(framework, configs=...)``.
        server: Tells what serves an app that is there, for a framework that leaves the choice; one of the answers to
            the template's question of that name.
    """

    id: str
    label: str
    app_dir: str
    start: str
    src_dir: str | None = None
    routes: Callable[[Path], str] | None = None
    configs: tuple[ConfigFile, ...] = ()
    json_edits: tuple[JsonSet, ...] = ()
    pins: tuple[Pin, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    dev_packages: Mapping[str, str] = field(default_factory=dict)
    npm_packages: tuple[str, ...] = ("workflow", "workflow-studio")
    editor_plugin: bool = True
    gitignore: tuple[str, ...] = ()
    guard: str = ""
    language: str = ""
    package_folder: str = "workflow-studio"
    advice: Callable[[App], list[Advice]] = lambda _app: []
    variant: Callable[[Framework, App], Framework] = _itself
    server: Callable[[App], str] | None = None

    @property
    def config_stem(self) -> str:
        """The framework's own config file, without suffix."""
        return self.configs[0].stem if self.configs else ""
