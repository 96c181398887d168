from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from copier import Settings, run_copy
from plumbum import local

from tests.support.template import ROOT, TEMPLATES, copy_template, files
from workflow_studio.scaffolder.errors import TemplateError, UsageError
from workflow_studio.scaffolder.scaffold._template import (
    REPOSITORY,
    Release,
    _render,
    _sources,
    find_sources,
    is_public_address,
    render,
    template_ref,
)
from workflow_studio.scaffolder.scaffold._template._bundle import TEMPLATE_PATHS, make_bundle, run_git
from workflow_studio.scaffolder.scaffold._template._sources import open_releases

ANSWERS = {"framework": "nitro", "mode": "existing", "app_dir": "server"}


def git(folder, *arguments):
    return run_git(["-C", str(folder), *arguments]).decode().strip()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "scratch").mkdir()
    copy_template(folder / "template")
    make_bundle(folder / "template", template_ref(), folder / "releases.bundle", folder / "scratch")
    return folder / "releases.bundle"


class TestRendering:
    def test_twice_gives_the_same_bytes_and_leaves_the_environment_alone(self):
        before = dict(os.environ), Path.cwd()
        first = render(ANSWERS)
        assert render(ANSWERS) == first
        assert (dict(os.environ), Path.cwd()) == before

    @pytest.mark.parametrize(
        ("framework", "mode"), [*((framework, "new") for framework in TEMPLATES), ("nextjs", "existing")]
    )
    def test_gives_byte_for_byte_what_copier_makes_of_the_public_repository(
        self, bundle, tmp_path, monkeypatch, framework, mode
    ):
        monkeypatch.setenv("COPIER_CACHE_DIR", str(bundle.parent / "cache"))
        address = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{bundle}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/org/workflow-studio.git",
        }
        answers = {"framework": framework, "mode": mode}
        # Copier starts git through plumbum, which has an environment of its own.
        with local.env(**address):
            run_copy(
                REPOSITORY, tmp_path / "app", answers, vcs_ref=template_ref(), defaults=True, quiet=True,
                settings=Settings(),
            )  # fmt: skip
        rendered = render(answers, release=Release(template_ref(), bundle.parent / "template"))
        assert rendered == files(tmp_path / "app")
        # A file that is conditional as a whole would be left behind as an empty one.
        assert [path for path, content in rendered.items() if not content.strip() and path[-11:] != "__init__.py"] == []

    def test_starts_no_process(self, monkeypatch):
        def refuse(*arguments, **options):
            raise AssertionError(arguments)

        monkeypatch.setattr(subprocess, "Popen", refuse)
        assert "workflow.config.ts" in render(ANSWERS)

    def test_imports_nothing_to_ask_questions_with(self):
        script = (
            "import sys\n"
            "from workflow_studio.scaffolder.scaffold._template import render\n"
            f"render({ANSWERS!r})\n"
            "heavy = {'prompt_toolkit', 'questionary', 'pygments'} & set(sys.modules)\n"
            "assert 'copier' in sys.modules and not heavy, heavy\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_takes_all_of_copier_when_it_needs_more_than_names(self):
        script = (
            "import sys\n"
            "from workflow_studio.scaffolder.scaffold._template import _copier, render\n"
            "_copier._Choice = type('Choice', (), {})\n"
            f"assert 'workflow.config.ts' in render({ANSWERS!r})\n"
            "assert 'questionary' in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_settings_of_the_user_do_not_count(self, tmp_path, monkeypatch):
        settings = tmp_path / "settings.yml"
        settings.write_text("defaults:\n  app_dir: elsewhere\n", "utf-8")
        monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
        rendered = render({"framework": "nitro", "mode": "existing"})
        assert b"app_dir: server\n" in rendered[".copier-answers.yml"]

    def test_refused_answer_is_a_template_error_with_the_reason(self):
        with pytest.raises(TemplateError, match="Write a path inside the app"):
            render({**ANSWERS, "app_dir": "../x"})

    def test_as_an_update_leaves_out_what_a_new_app_gets_once(self):
        answers = {"framework": "nextjs", "project_name": "shop"}
        once = render(answers).keys() - render(answers, as_update=True).keys()
        assert {"package.json", "workflows/order.ts", "app/page.tsx"} <= once
        assert not any(path.startswith("workflow-studio/") for path in once)

    def test_public_address_and_version_are_recorded_however_long_the_path(self):
        long = b"_src_path: /a/folder with spaces\n  and a line of its own\nmode: new\n"
        release = Release("v7.8.9", ROOT)
        assert (
            _render._name_release(long, release) == b"_commit: v7.8.9\n_src_path: gh:org/workflow-studio\nmode: new\n"
        )


def test_missing_template_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "__file__", str(tmp_path / "1/2/3/4/5/6/7/8.py"))
    with pytest.raises(TemplateError) as caught:
        find_sources()
    assert caught.value.code == "template_missing"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("gh:org/workflow-studio", True),
        ("https://github.com/org/workflow-studio.git", True),
        ("https://github.com/org/workflow-studio/", True),
        ("git@github.com:org/workflow-studio.git", True),
        ("git+https://github.com/org/workflow-studio", True),
        ("gh:acme/workflow-studio", False),
        ("/home/ada/workflow-studio", False),
        ("", False),
    ],
)
def test_public_repository_is_known_by_every_spelling(address, public):
    assert is_public_address(address) is public


class TestReleases:
    @pytest.fixture
    def checkout(self, tmp_path):
        """A repository with the releases 0.1.0 and 0.2.0, on the way to 0.3.0."""
        root = tmp_path / "checkout"
        (root / "template").mkdir(parents=True)
        git(tmp_path, "init", "--quiet", str(root))
        for number in ("0.1.0", "0.2.0"):
            (root / "copier.yml").write_text(f"version: {number}\n", "utf-8")
            (root / "template/a.txt").write_text("same\n", "utf-8")
            (root / f"unrelated-{number}").write_text("x", "utf-8")
            git(root, "add", "--all")
            git(root, "commit", "--quiet", "--message", number)
            git(root, "tag", f"v{number}")
        git(root, "tag", "client-9.9.9")
        git(root, "tag", "v9.0.0-broken")
        (root / "copier.yml").write_text("version: 0.3.0\n", "utf-8")
        (root / "template/__pycache__").mkdir()
        (root / "template/__pycache__/x.pyc").write_text("", "utf-8")
        return root

    def bundle(self, checkout, name, present="v0.3.0"):
        scratch = checkout.parent / name
        scratch.mkdir()
        versions = make_bundle(checkout, present, scratch / "releases.bundle", scratch)
        return versions, scratch / "releases.bundle"

    def test_bundle_has_a_commit_for_each_release_and_the_present_state(self, checkout, tmp_path):
        versions, bundle = self.bundle(checkout, "first")
        assert versions == ["v0.1.0", "v0.2.0", "v0.3.0"]
        git(tmp_path, "clone", "--quiet", str(bundle), "--branch", "v0.2.0", "clone")
        assert git(tmp_path / "clone", "describe", "--tags") == "v0.2.0"
        assert git(tmp_path / "clone", "ls-tree", "-r", "--name-only", "v0.3.0").split() == [
            "copier.yml",
            "template/a.txt",
        ]
        assert git(tmp_path / "clone", "show", "v0.3.0:copier.yml") == "version: 0.3.0"

    def test_same_releases_give_the_same_bytes(self, checkout):
        first, second = self.bundle(checkout, "first")[1], self.bundle(checkout, "second")[1]
        assert first.read_bytes() == second.read_bytes()

    def test_two_releases_of_one_commit_keep_their_own_names(self, checkout, tmp_path):
        git(checkout, "tag", "v0.2.1", "v0.2.0")
        _, bundle = self.bundle(checkout, "first")
        for tag in ("v0.2.0", "v0.2.1"):
            git(tmp_path, "clone", "--quiet", str(bundle), "--branch", tag, tag)
            assert git(tmp_path / tag, "describe", "--tags", "--exact-match") == tag

    def test_rebuilding_an_earlier_release_leaves_later_ones_out(self, checkout):
        assert self.bundle(checkout, "first", "v0.2.0")[0] == ["v0.1.0", "v0.2.0"]
        assert self.bundle(checkout, "second", "v0.2.0rc1")[0] == ["v0.1.0", "v0.2.0rc1"]

    def test_sources_without_a_history_have_the_present_version(self, checkout, tmp_path):
        (tmp_path / "unpacked").mkdir()
        (tmp_path / "unpacked/copier.yml").write_text("x: 1\n", "utf-8")
        assert self.bundle(tmp_path / "unpacked", "first")[0] == ["v0.3.0"]

    def test_installation_reads_earlier_versions_from_its_bundle(self, checkout, monkeypatch):
        _, bundle = self.bundle(checkout, "first")
        packed = bundle.parent / "package/1/2"
        packed.mkdir(parents=True)
        self.install(bundle, checkout, monkeypatch)
        with open_releases() as releases:
            assert (releases.refs, releases.newest) == (("v0.1.0", "v0.2.0", "v0.3.0"), "v0.3.0")
            assert (releases.get("v0.1.0").folder / "copier.yml").read_text("utf-8") == "version: 0.1.0\n"
            assert releases.get("v0.3.0").folder == find_sources()
            with pytest.raises(UsageError, match=r"v0\.9\.0") as caught:
                releases.get("v0.9.0")
        assert caught.value.code == "template_version_unknown"

    def install(self, bundle, checkout, monkeypatch):
        for name in TEMPLATE_PATHS[:2]:
            (checkout / name).rename(bundle.parent / name)
        monkeypatch.setattr(_sources, "find_sources", lambda: bundle.parent)
        monkeypatch.setattr(sys.modules[__name__], "find_sources", lambda: bundle.parent)
        monkeypatch.setattr(_sources, "template_ref", lambda: "v0.3.0")

    def test_checkout_reads_earlier_versions_from_its_own_history(self, checkout, monkeypatch):
        monkeypatch.setattr(_sources, "find_sources", lambda: checkout)
        monkeypatch.setattr(_sources, "template_ref", lambda: "v0.2.0")
        with open_releases() as releases:
            assert releases.refs == ("v0.1.0", "v0.2.0")
            assert (releases.get("v0.1.0").folder / "copier.yml").read_text("utf-8") == "version: 0.1.0\n"
            # The present version is what is there, released or not.
            assert (releases.get("v0.2.0").folder / "copier.yml").read_text("utf-8") == "version: 0.3.0\n"

    def test_variable_names_the_template_of_a_fork(self, checkout, monkeypatch):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(checkout))
        with open_releases() as releases:
            assert (releases.refs, releases.replaced) == (("v0.1.0", "v0.2.0"), True)

    def test_variable_may_name_a_bundle(self, checkout, monkeypatch):
        _, bundle = self.bundle(checkout, "first")
        monkeypatch.setenv("STUDIO_TEMPLATE", str(bundle))
        with open_releases() as releases:
            assert (releases.refs, releases.newest) == (("v0.1.0", "v0.2.0", "v0.3.0"), "v0.3.0")
            assert (releases.get("v0.2.0").folder / "copier.yml").read_text("utf-8") == "version: 0.2.0\n"

    def test_repository_without_a_release_is_refused(self, tmp_path, monkeypatch):
        git(tmp_path, "init", "--quiet")
        monkeypatch.setenv("STUDIO_TEMPLATE", str(tmp_path))
        with pytest.raises(UsageError) as caught, open_releases():
            pass
        assert caught.value.code == "template_without_releases"

    def test_variable_that_names_no_repository_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(tmp_path))
        with pytest.raises(UsageError, match="no git repository"), open_releases():
            pass

    def test_missing_git_is_named(self, checkout, monkeypatch):
        monkeypatch.setenv("STUDIO_TEMPLATE", str(checkout))
        monkeypatch.setenv("PATH", "")
        with pytest.raises(TemplateError) as caught, open_releases():
            pass
        assert caught.value.code == "git_not_found"

    def test_git_hooks_of_the_user_are_not_entered(self, checkout, tmp_path, monkeypatch):
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere.git"))
        assert self.bundle(checkout, "first")[0][-1] == "v0.3.0"
        assert not (tmp_path / "elsewhere.git").exists()
