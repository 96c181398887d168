"""Small apps of each framework, and the command run on them."""

from __future__ import annotations

import json

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.scaffold import _scaffold
from workflow_studio.scaffolder.scaffold._template import render
from workflow_studio.scaffolder.scaffold.remove import _remove

NEXT_CONFIG = """import type { NextConfig } from "next";

const nextConfig: NextConfig = {};

export default nextConfig;
"""
NITRO_CONFIG = """import { defineConfig } from "nitro";

export default defineConfig({
  serverDir: "./server",
});
"""
VITE_CONFIG = """import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';

export default defineConfig({
\tplugins: [sveltekit()]
});
"""
APPS = {
    "nextjs": ({"next": "16.0.0"}, "next.config.ts", NEXT_CONFIG, ["app/page.tsx"]),
    "nitro": ({"nitro": "3.0.260610-beta"}, "nitro.config.ts", NITRO_CONFIG, ["server/api/hello.ts"]),
    "sveltekit": ({"@sveltejs/kit": "2.70.4"}, "vite.config.ts", VITE_CONFIG, ["src/routes/+page.svelte"]),
}


def make_app(root, framework, *, typescript=True):
    depends, config, text, files = APPS[framework]
    root.mkdir(parents=True, exist_ok=True)
    (root / "package.json").write_text(json.dumps({"name": "app", "dependencies": depends}, indent=2) + "\n", "utf-8")
    (root / config).write_text(text, "utf-8")
    if typescript:
        (root / "tsconfig.json").write_text('{\n  // mine\n  "compilerOptions": {}\n}\n', "utf-8")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", "utf-8")
    return root


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


_rendered = {}


def render_cached(answers, *, answers_file=".copier-answers.yml", release=None):
    key = (answers_file, *sorted(answers.items()))
    if key not in _rendered:
        _rendered[key] = render(answers, answers_file=answers_file, release=release)
    return dict(_rendered[key])


@pytest.fixture(autouse=True)
def render_once(monkeypatch):
    """The template does not change during the tests: what was rendered once is rendered for all of them."""
    monkeypatch.setattr(_scaffold, "render", render_cached)
    monkeypatch.setattr(_remove, "render", render_cached)


@pytest.fixture(params=APPS)
def framework(request):
    return request.param


@pytest.fixture
def app(tmp_path, monkeypatch, framework):
    root = make_app(tmp_path / "app", framework)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def nitro_app(tmp_path, monkeypatch):
    root = make_app(tmp_path / "app", "nitro")
    monkeypatch.chdir(root)
    return root


def run(*arguments):
    return main(["scaffold", *arguments])


def scaffold(*arguments):
    assert run("--no-install", *arguments) == 0


def run_json(capsys, *arguments):
    capsys.readouterr()
    code = run("--json", *arguments)
    out, err = capsys.readouterr()
    assert err == ""
    return code, json.loads(out)
