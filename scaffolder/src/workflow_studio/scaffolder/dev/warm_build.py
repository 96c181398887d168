"""Builds of an app, each as good as ``studio build`` and faster: in a process that is kept, or else cold."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from workflow_studio.compute.manifest import FLOW_BUNDLE, STEP_BUNDLE, WEBHOOK_BUNDLE
from workflow_studio.scaffolder.build.artifact import describe_bundles, make_state_dir
from workflow_studio.scaffolder.build.packages import find_package
from workflow_studio.scaffolder.build.sdk import read_sdk
from workflow_studio.scaffolder.build.sdk_build import (
    SDK_MANIFEST,
    Bundles,
    assemble,
    make_bundles,
    parse_graph,
    read_output,
)
from workflow_studio.scaffolder.build.sources import portable
from workflow_studio.scaffolder.dev.build_host import OUTPUT_DIR, BuildHost, HostDiedError, HostUnsupportedError
from workflow_studio.scaffolder.dev.outcomes import Broken, Built, Problem
from workflow_studio.scaffolder.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.compute.manifest import Manifest
    from workflow_studio.scaffolder.build.sdk import Sdk
    from workflow_studio.scaffolder.dev.build_host import HostBuild
    from workflow_studio.scaffolder.dev.relevance import Change
    from workflow_studio.scaffolder.node import NodeRuntime

TRIED_BUILDERS: Final = frozenset({"4.1.14"})
"""Versions of ``@workflow/builders`` whose warm builds are the same as cold ones, by our tests; others are compared."""

LOCK_FILES: Final = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_CONFIG_FILES: Final = ("package.json", "tsconfig.json", "jsconfig.json", "pnpm-workspace.yaml", *LOCK_FILES)
_WEBHOOK_OUTPUT: Final = "webhook.bundle.js"


@dataclass(frozen=True, slots=True)
class _Warm:
    bundles: Bundles
    inputs: frozenset[Path]
    phases: dict[str, float]


class WarmBuilder:
    """Builds one app over and over; use as an asynchronous context manager.

    Attributes:
        configs: Files that are read once: a change of one of them begins with a new process.
        knows_inputs: Whether the last build said what went in. A cold one does not.
    """

    def __init__(self, app_dir: Path, node: NodeRuntime) -> None:
        self._app_dir = app_dir.resolve()
        self._node = node
        self._stack = AsyncExitStack()
        self._host: BuildHost | None = None
        self._sdk: Sdk | None = None
        self._is_cold = False
        self._note: str | None = None
        self._compared = False
        self._read: dict[str, tuple[tuple[int, int, int], bytes]] = {}
        self._portable: dict[int, tuple[bytes, bytes]] = {}
        self.configs: frozenset[Path] = config_files(self._app_dir, frozenset())
        self.knows_inputs = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._end_host()

    async def build(self, changes: tuple[Change, ...] | None = None) -> Built | Broken:
        """Build the app.

        Args:
            changes: Every file that changed since the last build; ``None`` when that is not known.
        """
        started = time.monotonic()
        try:
            if self._sdk is None or changes is None or any(change.path in self.configs for change in changes):
                self._sdk = await self._begin_anew()
                changes = None
            outcome = await self._build(self._sdk, changes)
        except BuildError as error:
            outcome = Broken(problems=(Problem(error.message),), output=error.hint or "")
        return replace(outcome, seconds=time.monotonic() - started)

    async def _begin_anew(self) -> Sdk:
        """Read again what is read once: the SDK's version, the configuration, the packages."""
        await self._end_host()
        self._sdk = None
        self._is_cold = False
        sdk = await asyncio.to_thread(read_sdk, self._app_dir)
        self._compared = builders_version(sdk) in TRIED_BUILDERS
        return sdk

    async def _build(self, sdk: Sdk, changes: tuple[Change, ...] | None) -> Built | Broken:
        if self._is_cold:
            return await self._build_cold(sdk)
        try:
            answer = await self._ask_host(sdk, changes)
        except HostUnsupportedError as error:
            self._stay_cold(str(error))
            return await self._build_cold(sdk)
        except HostDiedError as error:
            self._note = str(error)
            return await self._build_cold(sdk)
        if answer.problems:
            return Broken(problems=answer.problems, output=answer.output)
        warm = await asyncio.to_thread(self._take, answer)
        manifest = await asyncio.to_thread(describe_bundles, self._app_dir, sdk, warm.bundles)
        self.knows_inputs = True
        self.configs = config_files(self._app_dir, warm.inputs) | answer.configs
        if not self._compared:
            return await self._compare(sdk, warm, manifest)
        return _built(manifest, warm.bundles, inputs=warm.inputs, phases=warm.phases)

    async def _ask_host(self, sdk: Sdk, changes: tuple[Change, ...] | None) -> HostBuild:
        """Have the host build, a new one if the first does not live to answer."""
        try:
            if self._host is not None:
                return await self._host.build(changes)
        except HostDiedError:
            await self._end_host()
        await asyncio.to_thread(make_state_dir, self._app_dir)
        try:
            self._host = await self._stack.enter_async_context(BuildHost(self._app_dir, sdk, self._node))
            return await self._host.build(None)
        except HostDiedError:
            await self._end_host()
            raise

    async def _end_host(self) -> None:
        self._host = None
        self._read.clear()
        await self._stack.aclose()

    def _take(self, answer: HostBuild) -> _Warm:
        started = time.monotonic()
        made = self._app_dir / OUTPUT_DIR
        contents = {name: self._content(made / name) for name in (FLOW_BUNDLE, STEP_BUNDLE)}
        contents[WEBHOOK_BUNDLE] = self._content(made / _WEBHOOK_OUTPUT)
        graph = parse_graph(self._app_dir, read_output(made / SDK_MANIFEST))
        bundles = assemble(self._app_dir, contents, graph, self._make_portable)
        phases = {**(answer.phases or {}), "take": time.monotonic() - started}
        return _Warm(bundles, answer.inputs, phases)

    def _content(self, path: Path) -> bytes:
        """Return a bundle; one that was not written anew is the very object of the last time."""
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
        known = self._read.get(path.name)
        if known is not None and known[0] == stamp:
            return known[1]
        content = read_output(path)
        self._read[path.name] = (stamp, content)
        return content

    def _make_portable(self, code: bytes, app_dir: Path) -> bytes:
        known = self._portable.get(id(code))
        if known is not None and known[0] is code:
            return known[1]
        made = portable(code, app_dir)
        current = {id(content) for _stamp, content in self._read.values()}
        self._portable = {key: value for key, value in self._portable.items() if key in current}
        self._portable[id(code)] = (code, made)
        return made

    def _stay_cold(self, reason: str) -> None:
        self._is_cold = True
        self._note = f"Builds take longer than they could, because the Workflow SDK is started for each: {reason}."

    async def _build_cold(self, sdk: Sdk) -> Built:
        self.knows_inputs = False
        bundles = await asyncio.to_thread(make_bundles, self._app_dir, sdk, self._node)
        manifest = await asyncio.to_thread(describe_bundles, self._app_dir, sdk, bundles)
        return self._noted(_built(manifest, bundles))

    def _noted(self, built: Built) -> Built:
        """Say once, with a build, why builds are slow."""
        note, self._note = self._note, None
        return replace(built, warnings=(*built.warnings, note)) if note else built

    async def _compare(self, sdk: Sdk, warm: _Warm, manifest: Manifest) -> Built:
        """Trust an SDK that was not tried only after its first warm build is the same as a cold one."""
        cold = await self._build_cold(sdk)
        if cold.manifest.deployment_id == manifest.deployment_id:
            self._compared = True
            self.knows_inputs = True
            return _built(manifest, warm.bundles, inputs=warm.inputs, phases=warm.phases)
        await self._end_host()
        self._stay_cold("a build in a process that is kept came out differently")
        return self._noted(cold)


def _built(
    manifest: Manifest,
    bundles: Bundles,
    *,
    inputs: frozenset[Path] = frozenset(),
    phases: dict[str, float] | None = None,
) -> Built:
    return Built(
        manifest=manifest,
        files=bundles.files,
        inputs=inputs,
        seconds=0.0,
        warnings=bundles.warnings,
        phases=phases or {},
    )


def builders_version(sdk: Sdk) -> str | None:
    """Return the version of the SDK's builders, or ``None`` when they are not where the SDK has them."""
    cli = find_package("@workflow/cli", sdk.workflow.directory)
    builders = None if cli is None else find_package("@workflow/builders", cli.directory)
    return None if builders is None else builders.version


def config_files(app_dir: Path, inputs: frozenset[Path]) -> frozenset[Path]:
    """Return the files, there or not, that say which packages there are and how code is compiled.

    Args:
        app_dir: The app's folder.
        inputs: Files of the last build: the packages of a workspace that they belong to count too.
    """
    folders = {app_dir}
    root = next((folder for folder in app_dir.parents if any((folder / name).is_file() for name in LOCK_FILES)), None)
    if root is not None and not any((app_dir / name).is_file() for name in LOCK_FILES):
        folders.add(root)
    for path in inputs:
        if not path.is_relative_to(app_dir):
            folders.update(folder for folder in path.parents if (folder / "package.json").is_file())
    return frozenset(folder / name for folder in folders for name in _CONFIG_FILES)
