from __future__ import annotations

import json

import pytest

from workflow_studio.scaffolder.errors import DetectionError
from workflow_studio.scaffolder.scaffold._detect import detect, detect_framework
from workflow_studio.scaffolder.scaffold._package_manager import detect_package_manager
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED


def make(root, *, files=(), **package):
    root.mkdir(parents=True, exist_ok=True)
    (root / "package.json").write_text(json.dumps(package), "utf-8")
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", "utf-8")
    return root


APPS = [
    ("nextjs", {"next": "16.0.0"}, ["next.config.ts"]),
    ("nextjs", {"next": "16.0.0", "hono": "4", "express": "5"}, []),
    ("nuxt", {"nuxt": "4", "nitropack": "2", "vite": "8"}, ["nuxt.config.ts"]),
    ("nuxt", {"nuxt-nightly": "4"}, []),
    ("sveltekit", {"@sveltejs/kit": "2", "vite": "8"}, ["svelte.config.js"]),
    ("astro", {"astro": "7", "vite": "8"}, ["astro.config.mjs"]),
    ("tanstack-start", {"@tanstack/react-start": "1", "nitro": "3", "vite": "8"}, []),
    ("tanstack-start", {"@tanstack/solid-start": "1", "vite": "8"}, []),
    ("react-router", {"@react-router/dev": "8", "vite": "8", "express": "5"}, ["react-router.config.ts"]),
    ("nestjs", {"@nestjs/core": "12", "express": "5"}, ["nest-cli.json"]),
    ("nestjs", {"@nestjs/core": "12", "@nestjs/platform-fastify": "12", "fastify": "5"}, []),
    ("fastify", {"fastify": "5", "vite": "8"}, []),
    ("hono", {"hono": "4"}, []),
    ("express", {"express": "5", "nitro": "3"}, []),
    ("express", {"express": "5", "vite": "8"}, []),
    ("nitro", {"nitro": "3.0.260610-beta"}, ["nitro.config.ts"]),
    ("nitro", {"nitropack": "2"}, []),
    ("nitro", {"nitro": "3", "vite": "8"}, ["nitro.config.ts"]),
    ("vite", {"vite": "8"}, ["vite.config.ts"]),
    ("vite", {"vite": "8", "nitro": "3"}, ["vite.config.ts"]),
]


@pytest.mark.parametrize(("expected", "depends", "files"), APPS)
def test_framework_is_detected_with_evidence(tmp_path, expected, depends, files):
    framework, evidence = detect_framework(make(tmp_path, files=files, devDependencies=depends))
    assert framework == expected
    assert evidence[0].endswith("in package.json")
    assert all(name in evidence for name in files)


def test_vite_without_page_and_config_is_there_for_the_tests(tmp_path):
    root = make(tmp_path, devDependencies={"vite": "8", "vitest": "4"})
    with pytest.raises(DetectionError) as caught:
        detect_framework(root)
    assert caught.value.code == "framework_not_found"
    (root / "index.html").write_text("", "utf-8")
    assert detect_framework(root)[0] == "vite"


@pytest.mark.parametrize(
    ("expected", "requirement", "files"),
    [("fastapi", "fastapi>=0.115", []), ("flask", "Flask==3", []), ("django", "Django>=5", ["manage.py"])],
)
def test_framework_in_python_is_detected_with_evidence(tmp_path, expected, requirement, files):
    (tmp_path / "requirements.txt").write_text(f"{requirement}\n", "utf-8")
    for name in files:
        (tmp_path / name).write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n', "utf-8")
    framework, evidence = detect_framework(tmp_path)
    assert framework == expected
    assert evidence == (f"{requirement} in requirements.txt", *files)


@pytest.mark.parametrize(
    ("label", "depends"),
    [
        ("Remix", {"@remix-run/react": "2", "vite": "8", "express": "5"}),
        ("SolidStart", {"@solidjs/start": "1", "vinxi": "0.5"}),
        ("Qwik City", {"@builder.io/qwik-city": "1", "vite": "8"}),
        ("Angular", {"@angular/core": "20", "express": "5"}),
    ],
)
def test_known_framework_without_template_is_named_and_not_taken_for_what_it_is_made_of(tmp_path, label, depends):
    with pytest.raises(DetectionError, match=f"This app is built with {label} ") as caught:
        detect(make(tmp_path, dependencies=depends))
    assert caught.value.code == "framework_not_supported"
    assert ", ".join(SUPPORTED) in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import express from 'express'\nconst app = express()\n", "express"),
        ('const Fastify = require("fastify")\n', "fastify"),
        ("import { Hono } from 'hono'\n", "hono"),
        ("const { Hono } = await import('hono')\n", "hono"),
    ],
)
def test_of_several_servers_it_is_the_one_that_the_sources_import(tmp_path, text, expected):
    root = make(tmp_path, dependencies={"express": "5", "fastify": "5", "hono": "4"})
    (root / "src").mkdir()
    (root / "src/server.ts").write_text(text, "utf-8")
    framework, evidence = detect_framework(root)
    assert framework == expected
    assert evidence[-1] == "used in src/server.ts"


def test_several_servers_that_are_all_imported_are_ambiguous(tmp_path):
    root = make(tmp_path, dependencies={"express": "5", "hono": "4"})
    (root / "index.js").write_text("import 'express'; import 'hono'\n", "utf-8")
    with pytest.raises(DetectionError, match=r"hono \(hono 4 in package.json, used in index.js\); express") as caught:
        detect(root)
    assert caught.value.code == "framework_ambiguous"
    assert "--framework hono" in caught.value.hint


def test_two_app_frameworks_are_ambiguous(tmp_path):
    with pytest.raises(DetectionError, match=r"nextjs .*sveltekit") as caught:
        detect(make(tmp_path, dependencies={"next": "16", "@sveltejs/kit": "2"}))
    assert caught.value.code == "framework_ambiguous"


def test_config_file_settles_which_of_two_it_is(tmp_path):
    root = make(tmp_path, files=["next.config.js"], dependencies={"next": "16", "@sveltejs/kit": "2"})
    assert detect(root).framework == "nextjs"


def test_named_framework_needs_no_evidence(tmp_path):
    assert detect(make(tmp_path), framework="nitro").evidence == ("--framework",)


def test_unknown_framework_lists_what_there_is(tmp_path):
    with pytest.raises(DetectionError, match="'rails'") as caught:
        detect(make(tmp_path), framework="rails")
    assert caught.value.hint == f"One of: {', '.join(SUPPORTED)}."


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b'"next"', b"{", b"\xff\xfe", b'{"dependencies": ' + b"[" * 100_000],
)
def test_hostile_package_json_is_an_error_with_a_message(tmp_path, content):
    (tmp_path / "package.json").write_bytes(content)
    with pytest.raises(DetectionError, match=r"package\.json"):
        detect(tmp_path)


@pytest.mark.parametrize("depends", [[], "next", None, 3])
def test_dependencies_of_another_shape_count_as_none(tmp_path, depends):
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": depends}), "utf-8")
    with pytest.raises(DetectionError) as caught:
        detect(tmp_path)
    assert caught.value.code == "framework_not_found"


@pytest.mark.parametrize("spec", [None, {"a": 1}, 16])
def test_version_of_another_shape_still_names_the_package(tmp_path, spec):
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": {"next": spec}}), "utf-8")
    assert detect(tmp_path).framework == "nextjs"


def test_huge_package_json_is_not_read(tmp_path):
    (tmp_path / "package.json").write_bytes(b" " * 5_000_001)
    with pytest.raises(Exception, match="larger than 5 MB"):
        detect(tmp_path)


def test_missing_package_json_points_to_new(tmp_path):
    with pytest.raises(DetectionError) as caught:
        detect(tmp_path)
    assert "--new" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "expected", "evidence"),
    [
        (["app/page.tsx"], "", "app/"),
        (["src/app/page.tsx"], "src", "src/app/"),
        (["src/pages/index.tsx"], "src", "src/pages/"),
        (["app/a", "src/app/a"], "", "app/"),
        ([], "", "no src/app/"),
    ],
)
def test_source_folder_of_next_is_found_as_next_finds_it(tmp_path, files, expected, evidence):
    found = detect(make(tmp_path, files=files, dependencies={"next": "16"}))
    assert (found.src_dir, found.src_dir_evidence) == (expected, evidence)


@pytest.mark.parametrize(
    ("files", "depends", "expected", "evidence"),
    [
        ([], {}, False, "no tsconfig.json"),
        (["jsconfig.json"], {}, False, "jsconfig.json"),
        (["jsconfig.json"], {"typescript": "5"}, False, "jsconfig.json"),
        (["tsconfig.json"], {}, True, "tsconfig.json"),
        (["next.config.ts"], {}, True, "next.config.ts"),
        ([], {"typescript": "5"}, True, "typescript in package.json"),
    ],
)
def test_typescript_shows_by_a_file_or_the_compiler(tmp_path, files, depends, expected, evidence):
    found = detect(make(tmp_path, files=files, dependencies={"next": "16", **depends}))
    assert (found.typescript, found.typescript_evidence) == (expected, evidence)


@pytest.mark.parametrize(
    ("files", "package", "expected"),
    [
        (["package-lock.json"], {}, ("npm", "package-lock.json")),
        (["pnpm-lock.yaml"], {"packageManager": "yarn@4"}, ("pnpm", "pnpm-lock.yaml")),
        ([], {"packageManager": "yarn@4.1.0+sha"}, ("yarn", "packageManager in package.json")),
        ([], {"devEngines": {"packageManager": {"name": "bun"}}}, ("bun", "devEngines in package.json")),
        ([], {"packageManager": "evil; rm -rf"}, ("npm", "the default")),
        ([], {"packageManager": 7, "devEngines": "x"}, ("npm", "the default")),
        (["bun.lockb"], {}, ("bun", "bun.lockb")),
        (["bun.lock"], {}, ("bun", "bun.lock")),
        (["npm-shrinkwrap.json"], {}, ("npm", "npm-shrinkwrap.json")),
        (["pnpm-workspace.yaml"], {}, ("pnpm", "pnpm-workspace.yaml")),
    ],
)
def test_package_manager_is_detected(tmp_path, files, package, expected):
    root = make(tmp_path / "app", files=[*files, ".git/HEAD"], **package)
    assert detect_package_manager(root) == expected


def test_package_manager_of_a_monorepo_is_found_above(tmp_path):
    make(tmp_path, files=["pnpm-lock.yaml", ".git/HEAD"])
    root = make(tmp_path / "apps/web")
    assert detect_package_manager(root) == ("pnpm", "pnpm-lock.yaml")


def test_package_manager_is_not_looked_for_outside_the_repository(tmp_path):
    make(tmp_path, files=["yarn.lock"])
    root = make(tmp_path / "repo", files=[".git/HEAD"])
    assert detect_package_manager(root) == ("npm", "the default")
