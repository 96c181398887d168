"""What the dev loop's builds and deployments come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workflow_studio.compute.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Problem:
    """One message of the compiler.

    Attributes:
        message: What is wrong.
        file: The file, relative to the app; ``None`` when the message is about no file.
        line: 1-based line.
        column: 1-based column.
        line_text: That line of the file.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    line_text: str | None = None


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """A build began.

    Attributes:
        changed: The files whose change called for it, sorted; empty for the first build.
    """

    changed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """A good build.

    Attributes:
        manifest: What is in it.
        files: Content by path in the artifact.
        inputs: The files of the app and its workspace that went in, absolute, links followed.
        seconds: How long it took.
        warnings: What a person should know about it.
        phases: Seconds by phase, for measurements.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    inputs: frozenset[Path]
    seconds: float
    warnings: tuple[str, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """A build that failed; what was built before it is still good.

    Attributes:
        problems: What the compiler says, at least one message.
        output: What the Workflow SDK printed, for when the messages do not say enough.
        seconds: How long it took.
    """

    problems: tuple[Problem, ...]
    output: str = ""
    seconds: float = 0.0


BuildOutcome = BuildStarted | Built | Broken
"""What :class:`~workflow_studio.scaffolder.dev.build_loop.BuildLoop` tells, in the order in which it happens."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A build that is now the active deployment.

    Attributes:
        deployment_id: Its deployment.
        uploaded_bytes: How much was sent for it.
        seconds: From the finished build to the activation.
        unchanged: Whether it was active already, so that nothing was sent or activated.
    """

    deployment_id: str
    uploaded_bytes: int
    seconds: float
    unchanged: bool = False
