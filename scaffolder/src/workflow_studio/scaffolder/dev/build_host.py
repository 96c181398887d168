"""The Node.js process that builds: started, asked, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from workflow_studio.scaffolder.build.packages import require_chain
from workflow_studio.scaffolder.build.sdk_build import build_environment
from workflow_studio.scaffolder.dev.outcomes import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.scaffolder.build.sdk import Sdk
    from workflow_studio.scaffolder.dev.relevance import Change
    from workflow_studio.scaffolder.node import NodeRuntime

OUTPUT_DIR: Final = Path(".workflow-studio/.cache/build")
"""Where the host writes, below the app.

The SDK looks for workflows in every folder but some: this is one of them. It is as deep as the SDK's own output, so
the relative paths in the source maps are the same, and with them every byte.
"""

_SCRIPT: Final = Path(__file__).with_name("build_host.mjs")
_BUNDLE_SCRIPT: Final = Path(__file__).parent.parent / "build" / "bundle.cjs"
_LINE_LIMIT: Final = 64 * 1024 * 1024
_START_SECONDS: Final = 60.0
_BUILD_SECONDS: Final = 300.0
_END_SECONDS: Final = 3.0
_KEPT_LINES: Final = 40


class HostUnsupportedError(Exception):
    """This Workflow SDK, or this Node.js, cannot be kept warm."""


class HostDiedError(Exception):
    """The process ended or hung before it answered."""


@dataclass(frozen=True, slots=True)
class HostBuild:
    """The host's answer to a build.

    Attributes:
        problems: What the compilers say; empty when the build is good.
        inputs: Files outside of packages that went in.
        configs: The app's TypeScript configuration, which the host reads once.
        phases: Seconds by phase.
        output: What the SDK printed.
    """

    problems: tuple[Problem, ...]
    inputs: frozenset[Path] = frozenset()
    configs: frozenset[Path] = frozenset()
    phases: Mapping[str, float] | None = None
    output: str = ""


class BuildHost:
    """One process of ``build_host.mjs``; use as an asynchronous context manager."""

    def __init__(self, app_dir: Path, sdk: Sdk, node: NodeRuntime) -> None:
        self._app_dir = app_dir
        self._sdk = sdk
        self._node = node
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._asked = 0

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def _start(self) -> None:
        builders = require_chain(self._sdk.workflow.directory, "@workflow/cli", "@workflow/builders")
        settings = {
            "appDir": str(self._app_dir),
            "outDir": OUTPUT_DIR.as_posix(),
            "buildersDir": str(builders.directory),
            "swcDir": str(require_chain(builders.directory, "@swc/core").directory),
            "esbuildDir": str(self._sdk.esbuild.directory),
            "bundleScript": str(_BUNDLE_SCRIPT),
        }
        try:
            self._process = await self._spawn(settings)
        except OSError as error:
            raise HostDiedError(f"The build process could not be started: {error}") from error
        if self._process.stderr is not None:
            self._drain = asyncio.create_task(self._keep_errors(self._process.stderr))
        answer = await self._answer(_START_SECONDS)
        if not answer.get("ready"):
            raise HostUnsupportedError(str(answer.get("reason", "it gave no reason")))

    async def _spawn(self, settings: dict[str, str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(self._node.node),
            str(_SCRIPT),
            json.dumps(settings),
            cwd=self._app_dir,
            env=build_environment(self._node),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            # A Ctrl-C in the terminal is for the session, which ends this process when its time has come.
            start_new_session=True,
        )

    async def build(self, changes: tuple[Change, ...] | None) -> HostBuild:
        """Build the app.

        Args:
            changes: Every file that changed since the last build; ``None`` when that is not known.

        Raises:
            HostDiedError: If the process ended, or did not answer in time.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise HostDiedError("The build process is not running.")
        told = None if changes is None else [{"path": str(c.path), "modified": c.kind == "modified"} for c in changes]
        self._asked += 1
        try:
            process.stdin.write(json.dumps({"id": self._asked, "changes": told}).encode() + b"\n")
            await process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise HostDiedError(self._last_words("The build process ended.")) from error
        answer = await self._answer(_BUILD_SECONDS)
        while answer.get("id") != self._asked:  # of a build that nobody waited for
            answer = await self._answer(_BUILD_SECONDS)
        if answer["ok"]:
            return HostBuild(
                problems=(),
                inputs=frozenset(map(Path, answer["inputs"])),
                configs=frozenset(map(Path, answer["configs"])),
                phases=answer["phases"],
                output=answer["output"],
            )
        return HostBuild(problems=tuple(map(_problem, answer["problems"])), output=answer["output"])

    async def _answer(self, seconds: float) -> dict[str, Any]:
        answers = None if self._process is None else self._process.stdout
        if answers is None:
            raise HostDiedError("The build process is not running.")
        try:
            async with asyncio.timeout(seconds):
                line = await answers.readline()
        except TimeoutError as error:
            raise HostDiedError(f"The build process did not answer for {seconds:.0f} seconds.") from error
        except ValueError as error:
            raise HostDiedError("The build process answered with a line that is too long.") from error
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise HostDiedError(self._last_words("The build process ended.")) from error
        if not isinstance(answer, dict):
            raise HostDiedError("The build process answered with something else than an object.")
        return answer

    def _last_words(self, what: str) -> str:
        return "\n".join([what, *self._said])

    async def _keep_errors(self, errors: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):
            async for line in errors:
                self._said.append(line.decode(errors="replace").rstrip())

    async def close(self) -> None:
        """End the process; it ends by itself when its standard input does."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._drain is not None:
            self._drain.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._drain


def _problem(told: dict[str, Any]) -> Problem:
    return Problem(
        message=told["message"],
        file=told["file"],
        line=told["line"],
        column=told["column"],
        line_text=told["lineText"],
    )
