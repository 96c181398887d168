"""FastAPI apps: settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr, ValidationError

from tests.template.fastapi_app import settings, studio_app
from tests.template.python_support import KEY, TOKEN

if TYPE_CHECKING:
    from pathlib import Path


class TestSettings:
    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_API_KEY=of-the-file\nOTHER=1\n")
        monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "https://worker.example/studio/")
        monkeypatch.setenv("WORKFLOW_STUDIO_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
        found = studio_app.WorkflowStudioSettings()
        assert found.compute_base_url == "https://worker.example/studio"
        assert found.compute_api_key.get_secret_value() == "of-the-file"
        assert [str(network) for network in found.studio_trusted_proxies] == ["10.0.0.0/8", "::1/128"]

    def test_show_no_secret(self) -> None:
        shown = repr(settings(studio_diagnostics_token=SecretStr(TOKEN)))
        assert KEY not in shown
        assert TOKEN not in shown

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("compute_base_url", "http://user:hunter2@worker.example"),
            ("compute_base_url", "hunter2"),
            ("compute_base_url", "file:///hunter2"),
            ("compute_base_url", "https://worker.example/?key=hunter2"),
            ("compute_api_key", "hunter2\nx: y"),
            ("compute_api_key", "hünter2"),
            ("compute_environment", "Hunter2 hunter2"),
            ("studio_trusted_proxies", "hunter2"),
            ("compute_timeout", 0),
        ],
    )
    def test_that_cannot_work_are_refused_without_being_repeated(self, name: str, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            settings(**{name: value})
        assert "hunter2" not in str(caught.value)
