from __future__ import annotations

import re
from pathlib import Path

from tests.support.cli_reference import PAGE, render
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.wire import ENDPOINTS

ROOT = Path(__file__).parent.parent


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: nox -s reference"


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
    assert [code.value for code in ErrorCode if f"`{code.value}`" not in page] == []


def test_every_world_method_is_documented() -> None:
    page = (ROOT / "docs/reference/wire.md").read_text(encoding="utf-8")
    assert [endpoint.method for endpoint in ENDPOINTS if f"`{endpoint.method}`" not in page] == []


def test_the_readme_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
