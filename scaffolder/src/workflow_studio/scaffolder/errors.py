"""Every error the ``studio`` command reports to a person.

::

    StudioError                  exit 1
    ├── UsageError               exit 2   the command line, or its combination with this folder, makes no sense
    │   └── ScopeOfProjectError  exit 2   a path points outside the project
    ├── DetectionError           exit 2   the app's framework could not be told, or is not supported yet
    ├── TemplateError            exit 1   the template could not be found or rendered
    ├── EditRefusedError         exit 3   a file's shape is unclear: nothing was written, a snippet says what to paste
    ├── PlanOutdatedError        exit 1   a file changed between planning and writing
    ├── MergeConflictError       exit 3   an update left conflicts
    ├── InstallError             exit 1   the project's package manager failed
    ├── BuildError               exit 1   `workflow build` failed, or what it made is not usable
    ├── DeployError              exit 1   the worker refused an artifact or an activation
    ├── NodeNotFoundError        exit 1   no usable Node.js on this machine
    └── WorkerError              exit 1   a worker could not be started or stopped answering

Errors of :mod:`workflow_studio.client` are not part of this tree; :func:`as_studio_error` translates them in one place.
"""

from __future__ import annotations

import errno
import os
import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of ``studio`` means."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    ATTENTION = 3
    CHANGES_FOUND = 4
    INTERRUPTED = 130


class StudioError(Exception):
    """A failure that is reported as a message, a hint and an exit code, never as a traceback.

    Attributes:
        code: Stable snake_case code; it never changes its meaning.
        message: What happened, in a sentence.
        hint: What to do next, in a sentence; may span lines when it carries a snippet.
        exit_code: The exit status of the process.
    """

    code = "studio_error"
    exit_code: int = ExitCode.FAILED

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code
        if exit_code is not None:
            self.exit_code = exit_code

    def to_json(self) -> dict[str, object]:
        """Return the ``error`` member of a ``--json`` document."""
        document: dict[str, object] = {"code": self.code, "message": self.message}
        if self.hint is not None:
            document["hint"] = self.hint
        return document


class UsageError(StudioError):
    """The command line, or its combination with this folder, makes no sense."""

    code = "usage_error"
    exit_code = ExitCode.USAGE


class ScopeOfProjectError(UsageError):
    """A path points outside the project."""

    code = "path_outside_project"


class DetectionError(StudioError):
    """The app's framework could not be told, or is not supported yet."""

    code = "detection_failed"
    exit_code = ExitCode.USAGE


class TemplateError(StudioError):
    """The template could not be found or rendered."""

    code = "template_failed"


class EditRefusedError(StudioError):
    """A file's shape is unclear, so it was left alone.

    Attributes:
        path: The file, relative to the project.
        line: 1-based line the reason is about.
        why: The reason, without file and line.
        snippet: Code a person can paste.
    """

    code = "edit_refused"
    exit_code = ExitCode.ATTENTION

    def __init__(self, why: str, *, path: str = "", line: int = 1, snippet: str = "") -> None:
        super().__init__(f"{path}:{line}: {why}" if path else why, hint=snippet or None)
        self.path = path
        self.line = line
        self.why = why
        self.snippet = snippet


class PlanOutdatedError(StudioError):
    """A file changed between planning and writing."""

    code = "plan_outdated"


class MergeConflictError(StudioError):
    """An update left conflicts."""

    code = "merge_conflict"
    exit_code = ExitCode.ATTENTION


class InstallError(StudioError):
    """The project's package manager failed."""

    code = "install_failed"


class BuildError(StudioError):
    """`workflow build` failed, or what it made is not usable."""

    code = "build_failed"


class DeployError(StudioError):
    """The worker refused an artifact or an activation."""

    code = "deploy_failed"


class NodeNotFoundError(StudioError):
    """No usable Node.js on this machine."""

    code = "node_not_found"


class WorkerError(StudioError):
    """A worker could not be started or stopped answering."""

    code = "worker_failed"


def as_studio_error(error: BaseException) -> StudioError | None:
    """Translate an error into one that can be shown, or return ``None`` when it is unexpected.

    Args:
        error: Anything a command raised.

    Returns:
        The error itself when it is a :class:`StudioError`, a translation of a client error or of a command-line error
        of Typer, and ``None`` for a programming error.
    """
    if isinstance(error, StudioError):
        return error
    return _from_client(error) or _from_typer(error) or _from_os(error)


def _from_client(error: BaseException) -> StudioError | None:
    # An error of the client can only exist once the client is imported; importing it here would slow every command.
    if not type(error).__module__.startswith("workflow_studio.client") or "workflow_studio.client" not in sys.modules:
        return None
    code = getattr(error, "code", None)
    hint = getattr(error, "recovery", None) or getattr(error, "hint", None)
    message = getattr(error, "message", None) or str(error)
    return StudioError(str(message), code=str(code) if code else "worker_request_failed", hint=hint)


def _from_typer(error: BaseException) -> StudioError | None:
    # Typer ships its own copy of Click whose module is private, and older versions use Click: both have this method.
    format_message = getattr(error, "format_message", None)
    if format_message is None or not hasattr(error, "exit_code"):
        return None
    context = getattr(error, "ctx", None)
    hint = f"Run `{context.command_path} --help` to see what is accepted." if context is not None else None
    # "Value error" is how the library that checks the value begins, and says nothing to a person.
    return UsageError(str(format_message()).replace(": Value error, ", ": "), hint=hint)


def _from_os(error: BaseException) -> StudioError | None:
    if isinstance(error, PermissionError) and error.filename:
        return StudioError(
            f"No permission for {error.filename}.", code="permission_denied", hint="Check the owner and the file mode."
        )
    if isinstance(error, OSError) and error.filename:
        return StudioError(f"{error.strerror or type(error).__name__}: {error.filename}", code="file_error")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StudioError(
            f"{os.strerror(error.errno)}.", code="disk_full", hint="Make room on the disk, then run the command again."
        )
    return None
