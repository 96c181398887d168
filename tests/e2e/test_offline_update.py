"""What a wheel alone can do: scaffold and update with no checkout and no network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support import clean_environment, run
from tests.support.releases import apply_edit, commit, git
from tests.support.template import ROOT, copy_template

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SOURCES = ("README.md", "runtime/compute", "runtime/client", "scaffolder")
CHANGED = "workflow-studio/lib/config.cjs"
# Whatever asks for another machine is refused at once.
OFFLINE = {
    "GIT_ALLOW_PROTOCOL": "file",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Path]]:
    """The wheels of version 0.1.0, which is what there is now, and of a version 0.2.0 with another template."""
    base = tmp_path_factory.mktemp("wheels")
    checkout = base / "checkout"
    copy_template(checkout)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "dist", "node_modules", ".venv")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, checkout / name)
    git(checkout, "init", "--quiet", "--initial-branch=main")
    commit(checkout, "First")
    git(checkout, "tag", "v0.1.0")
    first = [build(checkout / name, base / "first") for name in SOURCES[1:]]
    apply_edit(checkout / f"template/_shared/{CHANGED}", lambda text: text + "// News.\n")
    apply_edit(checkout / "copier.yml", ("default: 0.1.0", "default: 0.2.0"))
    apply_edit(checkout / "scaffolder/pyproject.toml", ('version = "0.1.0"', 'version = "0.2.0"'))
    second = [build(checkout / "scaffolder", base / "second")]
    shutil.rmtree(checkout)
    return {"v0.1.0": first, "v0.2.0": second}


def build(package: Path, target: Path) -> Path:
    before = set(target.glob("*.whl"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, package, cwd=target.parent)
    (wheel,) = set(target.glob("*.whl")) - before
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    return folder


def install(environment: Path, wheels: list[Path], *options: str) -> None:
    command = (sys.executable, "-m", "pip", "--python", environment, "install", "--quiet", *options, *wheels)
    run(*command, cwd=environment)


def studio(environment: Path, *arguments: str, cwd: Path, expect: int = 0) -> Any:
    scripts = Path(sysconfig.get_path("scripts", vars={"base": str(environment)}))
    done = subprocess.run(
        [scripts / "studio", *arguments, "--json"],
        cwd=cwd,
        env={**clean_environment(**OFFLINE), "PYTHONPATH": "", "TMPDIR": str(environment.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_app_made_by_one_wheel_is_updated_by_the_next(
    wheels: Mapping[str, list[Path]], environment: Path, tmp_path: Path
) -> None:
    install(environment, wheels["v0.1.0"])
    studio(environment, "scaffold", "--new", "shop", "--framework", "nitro", "--no-install", cwd=tmp_path)
    app = tmp_path / "shop"
    assert studio(environment, "update", cwd=app)["changes"] == []
    assert re.search(r"^_commit: v0\.1\.0\n_src_path: gh:", (app / ".copier-answers.yml").read_text(), re.MULTILINE)
    (app / CHANGED).write_text("// Ours.\n" + (app / CHANGED).read_text())
    (app / ".env.example").unlink()

    install(environment, wheels["v0.2.0"], "--no-deps", "--no-index", "--upgrade")
    updated = studio(environment, "update", cwd=app)
    assert (updated["from"], updated["to"], updated["conflicts"]) == ("v0.1.0", "v0.2.0", [])
    text = (app / CHANGED).read_text()
    assert text.startswith("// Ours.\n")
    assert text.endswith("// News.\n")
    assert not (app / ".env.example").exists()
    assert "_commit: v0.2.0\n" in (app / ".copier-answers.yml").read_text()
    assert studio(environment, "update", cwd=app)["changes"] == []

    install(environment, wheels["v0.1.0"][-1:], "--no-deps", "--no-index", "--force-reinstall")
    refused = studio(environment, "update", cwd=app, expect=2)
    assert refused["error"]["code"] == "studio_too_old"
