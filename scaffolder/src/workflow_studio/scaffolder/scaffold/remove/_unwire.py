"""Planning how the user's own files lose what Studio added to them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._wire import TYPE_CONFIGS, find_config
from workflow_studio.scaffolder.scaffold.edits import JsonDocument, Source
from workflow_studio.scaffolder.scaffold.edits._strip import strip_modules

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold._record import Section
    from workflow_studio.scaffolder.scaffold.frameworks import Framework

_PACKAGE: Final = "package.json"
_STUDIO: Final = "workflow-studio"
_DEPENDENCIES: Final = ("dependencies", "devDependencies")
_JSON_LINE: Final = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*")\s*,?\s*$')
_SCRIPTS: Final = (".ts", ".mts", ".cts", ".js", ".mjs", ".cjs")


def _is_studios(module: str) -> bool:
    return module == _STUDIO or module.startswith(f"{_STUDIO}/")


def _is_sdks(module: str) -> bool:
    return _is_studios(module) or module == "workflow" or module.startswith(("workflow/", "@workflow/"))


@dataclass(slots=True)
class Unwiring:
    """Takes edits back: by the record, and where a file was edited since, or nothing is recorded, by what it holds.

    Attributes:
        plan: The plan.
        framework: The app's framework.
        sections: What was recorded, the last first.
        folder: Folder of the generated package.
        keeps_sdk: Whether the Workflow SDK and its wiring stay.
    """

    plan: Plan
    framework: Framework
    sections: list[Section]
    folder: str
    keeps_sdk: bool

    def run(self) -> None:
        """Plan all of it."""
        configs = [path for config in self.framework.configs if (path := find_config(self.plan, config))]
        recorded = [section.path for section in self.sections]
        for path in dict.fromkeys([*configs, _PACKAGE, *TYPE_CONFIGS, ".gitignore", *recorded]):
            if self.plan.read(path) is not None:
                self._file(path)

    def _file(self, path: str) -> None:
        sections = [section for section in self.sections if section.path == path]
        if not self.keeps_sdk or not self._concerns_sdk(path):
            sections = self._undo(path, sections)
        if path == _PACKAGE:
            self._package_json(sections)
        elif path in TYPE_CONFIGS:
            self._type_config(path)
        elif path.endswith(_SCRIPTS):
            self._script(path, sections)
        elif path.endswith(".json"):
            self._json(path, sections)
        elif sections or path == ".gitignore":
            self._lines(path, sections)

    def _concerns_sdk(self, path: str) -> bool:
        return path.endswith((*_SCRIPTS, ".json")) or path == ".gitignore"

    def _undo(self, path: str, sections: list[Section]) -> list[Section]:
        """Plan what a file was before; return what could not be taken back that way."""
        left = []
        for section in sections:
            before = section.undo(self.plan.read(path) or b"")
            if before is None:
                left.append(section)
            elif section.makes_file:
                self.plan.delete(path)
            else:
                self.plan.write(path, before, "as it was before")
        return left

    # By what the file holds -----------------------------------------------------------------------------------------

    def _script(self, path: str, sections: list[Section]) -> None:
        data = self.plan.read(path)
        change = self.plan.changes.get(path)
        if data is None or (change is not None and change.deleted):
            return
        try:
            source = Source.load(path, data)
            edited = strip_modules(source, _is_studios if self.keeps_sdk else _is_sdks).dump()
        except (EditRefusedError, RecursionError) as error:
            refused = error if isinstance(error, EditRefusedError) else EditRefusedError("it is nested too deeply")
            self.plan.manual.append(ManualStep(path, refused.line, refused.why, _removed_lines(sections)))
            return
        if edited != data:
            self.plan.write(path, edited, "without Studio" if self.keeps_sdk else "without Studio and the Workflow SDK")

    def _package_json(self, sections: list[Section]) -> None:
        data = self.plan.read(_PACKAGE)
        if data is None:
            return
        try:
            document = JsonDocument.load(_PACKAGE, data)
            for field in _DEPENDENCIES:
                document = document.remove((field, _STUDIO))
            for section in sections:
                document = self._take_back(document, section)
        except EditRefusedError as error:
            self.plan.manual.append(ManualStep(_PACKAGE, error.line, error.why, ""))
            return
        if document.dump() != data:
            self.plan.write(_PACKAGE, document.dump(), "no longer depend on workflow-studio")
        for name, command in _strings(document.get("scripts")).items():
            if _STUDIO in command:
                line = document.line("scripts", name)
                why = f"the script {name} runs a file of workflow-studio, which is gone"
                self.plan.manual.append(ManualStep(_PACKAGE, line, why, ""))

    def _take_back(self, document: JsonDocument, section: Section) -> JsonDocument:
        """Take back, property by property, what was recorded of a file that was edited since."""
        added, removed = (dict(_properties(lines)) for lines in (section.added, section.removed))
        for name, value in added.items():
            is_studios = _STUDIO in value or name == _STUDIO
            if self.keeps_sdk and not is_studios:
                continue
            for field in (*_DEPENDENCIES, "scripts"):
                present = document.get(field, name)
                if present is None or (field == "scripts" and present != value):
                    continue
                if name in removed:
                    document = document.replace((field, name), removed[name])
                else:
                    document = document.remove((field, name))
        return document

    def _type_config(self, path: str) -> None:
        data = self.plan.read(path)
        if data is None or self.keeps_sdk:
            return
        try:
            document = JsonDocument.load(path, data)
            edited = document.remove_item(("compilerOptions", "plugins"), {"name": "workflow"}).dump()
        except EditRefusedError as error:
            self.plan.notes.append(f"{path} was left alone ({error.why}).")
            return
        if edited != data:
            self.plan.write(path, edited, "without the SDK's editor plugin")

    def _json(self, path: str, sections: list[Section]) -> None:
        """Leave a file of a tool that was edited since to a person; with the SDK it stays as it is."""
        if sections and not self.keeps_sdk:
            added = "\n".join(line for section in sections for line in section.added)
            self.plan.manual.append(ManualStep(path, 1, "it was edited since; take this out", added))

    def _lines(self, path: str, sections: list[Section]) -> None:
        """Take out the lines that were added, wherever they are now."""
        added = {line.strip() for section in sections for line in section.added if line.strip()}
        if path == ".gitignore":
            # Nobody but Studio has this folder.
            added = ({line for line in added if _STUDIO in line} if self.keeps_sdk else added) | {f".{_STUDIO}/"}
        data = self.plan.read(path) or b""
        lines = data.splitlines(keepends=True)
        kept = [line for line in lines if line.strip().decode("utf-8", "replace") not in added]
        if kept != lines:
            self.plan.write(path, b"".join(kept), "without Studio's lines")


def _properties(lines: list[str]) -> list[tuple[str, str]]:
    """Return the properties that lines of a JSON file hold, as far as they are plain strings."""
    found = (_JSON_LINE.match(line) for line in lines)
    return [(json.loads(f'"{match[1]}"'), json.loads(match[2])) for match in found if match is not None]


def _removed_lines(sections: list[Section]) -> str:
    return "\n".join(line for section in sections for line in section.removed)


def _strings(value: object) -> dict[str, str]:
    members = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in members if isinstance(text, str)}
