"""Planning an update: what the project was made with, two renders, a merge, and the edits the new version needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import DetectionError, MergeConflictError, TemplateError, UsageError
from workflow_studio.scaffolder.scaffold._answers import Recorded, read_recorded
from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold._project import read_bytes, resolve_inside
from workflow_studio.scaffolder.scaffold._scaffold import Request, detect_app
from workflow_studio.scaffolder.scaffold._template import Release, is_public_address, render
from workflow_studio.scaffolder.scaffold._template._bundle import version_key
from workflow_studio.scaffolder.scaffold._template._sources import TEMPLATE_VARIABLE, Releases, open_releases
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED
from workflow_studio.scaffolder.scaffold.update._compare import Comparison, Entry, Outcome, Versions
from workflow_studio.scaffolder.scaffold.update._formatter import find_formatter
from workflow_studio.scaffolder.scaffold.update._text import conflicts_in, dressed, same
from workflow_studio.scaffolder.scaffold.update._wiring import wire_again

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from workflow_studio.scaffolder.scaffold._detect import Detected

_ANSWERS_FILES = ".copier-answers*.yml"


@dataclass(slots=True)
class Update:
    """A planned update.

    Attributes:
        plan: What would be written.
        before: The version the project has.
        after: The version it gets.
        entries: What becomes of each generated file, by path.
        detected: What the app is; ``None`` when that cannot be told.
    """

    plan: Plan
    before: str
    after: str
    entries: dict[str, Entry] = field(default_factory=dict)
    detected: Detected | None = None

    @property
    def conflicts(self) -> list[Entry]:
        """The files somebody has to look at."""
        return [entry for entry in self.entries.values() if entry.outcome is Outcome.CONFLICT]


def plan_update(root: Path, to: str | None, restore: tuple[str, ...]) -> Update:
    """Plan the update of an app.

    Args:
        root: The app's folder.
        to: The version to update to; by default the newest there is.
        restore: Paths that become what the template makes, whatever is there.

    Raises:
        UsageError: This is no app of Studio's, or not one this installation can update.
        TemplateError: The template cannot be read, or does not take the project's answers.
        StudioError: A path leads out of the project.
    """
    for path in restore:
        resolve_inside(root, path)
    with open_releases() as releases:
        recorded = _require_recorded(root, releases)
        before, after = _versions(recorded, to, releases)
        update = Update(Plan(root), before, after)
        update.detected = _detect(root, recorded)
        answers = _answers(recorded, update.detected)
        old = _render(recorded, releases.get(before), answers)
        unfinished = _unfinished(root, old)
        if before != after and unfinished:
            listed = ", ".join(f"{path}:{lines[0]}" for path, lines in unfinished.items())
            raise MergeConflictError(
                f"There are conflicts of an earlier update: {listed}.",
                code="conflicts_left",
                hint="Edit the files until no <<<<<<< is left, then update.",
            )
        for path, lines in unfinished.items():
            update.entries[path] = Entry(path, Outcome.CONFLICT, "left by an earlier update", conflicts=lines)
        if before != after or restore:
            _compare(update, replace(recorded, answers=answers), old, releases, restore)
    return update


def _require_recorded(root: Path, releases: Releases) -> Recorded:
    recorded, _ = read_recorded(root, newest=releases.newest)
    if recorded is None:
        others = sorted(
            path.parent.relative_to(root).as_posix()
            for pattern in ("*", "*/*")
            for path in root.glob(f"{pattern}/{_ANSWERS_FILES}")
            if "node_modules" not in path.parts and read_recorded(path.parent, newest=releases.newest)[0]
        )
        where = f"Name the app's folder: studio update {others[0]}" if others else "Add it first: studio scaffold"
        raise UsageError(f"{root} was not made by Workflow Studio.", code="not_scaffolded", hint=where)
    if not releases.replaced and not is_public_address(recorded.source):
        raise UsageError(
            f"This app was made from another template: {recorded.source or 'an unnamed one'} ({recorded.path}).",
            code="template_is_another",
            hint=f"Run `copier update -a {recorded.path}`, or name a clone of that template: {TEMPLATE_VARIABLE}=PATH",
        )
    return recorded


def _versions(recorded: Recorded, to: str | None, releases: Releases) -> tuple[str, str]:
    """Return the version the project has, and the one it gets."""
    before = recorded.commit
    if version_key(before) is None:
        raise UsageError(
            f"{recorded.path} names no release of the template, but {before or 'nothing'!r}.",
            code="template_version_unknown",
            hint=f"Set _commit in it to the release it was made with, one of: {', '.join(releases.refs)}.",
        )
    after = releases.newest if to is None else f"v{to.removeprefix('v')}"
    releases.get(after)
    if (version_key(after) or ()) < (version_key(before) or ()):
        raise UsageError(
            f"The app is at {before}; going back to {after} is not possible.",
            code="downgrade_refused",
            hint="Use version control to go back.",
        )
    return before, after


def _unfinished(root: Path, paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the generated files that still hold conflicts of an earlier update, with the lines."""
    found = {path: conflicts_in(read_bytes(root, path) or b"") for path in paths}
    return {path: lines for path, lines in found.items() if lines}


def _compare(
    update: Update, recorded: Recorded, old: Mapping[str, bytes], releases: Releases, restore: tuple[str, ...]
) -> None:
    old_release = releases.get(update.before)
    # The source stays the one that is recorded: a fork's, or another spelling of the same.
    new_release = replace(releases.get(update.after), source=recorded.source)
    answers = recorded.answers
    formatter = find_formatter(update.plan.root)

    @cache
    def all_new() -> Mapping[str, bytes]:
        return render(answers, answers_file=recorded.path, release=new_release)

    versions = Versions(
        update.before,
        update.after,
        old,
        _render(recorded, new_release, answers),
        all_new,
        formatter.format,
    )
    comparison = Comparison(update.plan, versions, update.entries)
    if update.before != update.after:
        comparison.run(apart=recorded.path)
        _write_answers(update.plan, recorded, versions.new[recorded.path])
    _restore(comparison, restore)
    if update.before != update.after and update.detected is not None:
        wire_again(update.plan, update.detected, answers, old_release, new_release)
    update.plan.notes += [
        f"{name} could not be run, so files it formatted may conflict." for name in sorted(formatter.failed)
    ]


def _render(recorded: Recorded, release: Release, answers: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return render(answers, answers_file=recorded.path, release=release, as_update=True)
    except TemplateError as error:
        raise TemplateError(
            f"Template {release.ref} does not take the answers in {recorded.path}. {error.message}",
            code="answers_refused",
            hint=f"Correct the answer in {recorded.path}; `studio update` has written nothing.",
        ) from error


def _detect(root: Path, recorded: Recorded) -> Detected | None:
    """Return what the app is; what was answered counts."""
    if str(recorded.answers.get("framework")) not in SUPPORTED:
        return None
    try:
        return detect_app(root, Request(), recorded)
    except DetectionError:
        return None


def _answers(recorded: Recorded, detected: Detected | None) -> dict[str, Any]:
    """Return the answers given, and to questions that came later what the project shows; the rest has defaults."""
    inferred = {"language": "ts" if detected.typescript else "js"} if detected is not None else {}
    return inferred | recorded.answers


def _write_answers(plan: Plan, recorded: Recorded, content: bytes) -> None:
    mine = read_bytes(plan.root, recorded.path) or b""
    plan.write(recorded.path, mine if same(mine, content) else dressed(content, mine), "for updates")


def _restore(comparison: Comparison, restore: tuple[str, ...]) -> None:
    for wanted in restore:
        folder = f"{wanted.rstrip('/')}/"
        sources = (comparison.versions.new, comparison.versions.all_new())
        found = {
            path: content
            for files in reversed(sources)
            for path, content in files.items()
            if path == wanted or path.startswith(folder)
        }
        if not found:
            raise UsageError(
                f"The template does not make {wanted}.", hint="Name a file or folder as `studio update --diff` does."
            )
        for path, content in found.items():
            comparison.restore(path, content)
