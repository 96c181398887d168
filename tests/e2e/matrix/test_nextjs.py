"""Next.js: https://nextjs.org. The apps are those of create-next-app, with either of its routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = ("node_modules/.bin/next", "start")
DEV = ("node_modules/.bin/next", "dev")
# Without --empty, pages take a font from the internet while they are built.
OPTIONS = (
    "--ts", "--empty", "--no-tailwind", "--no-eslint", "--no-import-alias", "--use-npm", "--skip-install",
    "--disable-git", "--yes",
)  # fmt: skip


def create(*options: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        # The folder's name becomes the package's.
        run("npx", "--yes", "create-next-app@16.4.3", folder.name, *OPTIONS, *options, cwd=folder.parent)

    return make


class TestNextjs(Checks):
    starter: ClassVar[Starter] = Starter(id="nextjs", make=create("--app", "--no-src-dir"), start=START, dev=DEV)

    def test_the_helper_of_next_dev_ends(self, folder: Path) -> None:
        """It loads the config, in which the SDK would watch the app's files for as long as the machine is on."""
        # What it is to send off, where `next dev` keeps its build.
        events = folder / ".next/dev/_events.json"
        events.parent.mkdir(parents=True, exist_ok=True)
        events.write_text("[]")
        helper = ("node", "node_modules/next/dist/telemetry/detached-flush.js", "dev", str(folder))
        run(*helper, cwd=folder, env={"NODE_ENV": "development"})
        assert not events.exists(), "it did what it is for"


class TestNextjsPagesRouter(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nextjs",
        name="nextjs-pages",
        make=create("--no-app", "--src-dir"),
        workflows="src/workflows",
        start=START,
        dev=DEV,
    )
