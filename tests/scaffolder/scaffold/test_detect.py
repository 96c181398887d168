from __future__ import annotations

import json

import pytest

from workflow_studio.scaffolder.errors import DetectionError
from workflow_studio.scaffolder.scaffold._detect import detect, detect_package_manager


def make(root, *, files=(), **package):
    root.mkdir(parents=True, exist_ok=True)
    (root / "package.json").write_text(json.dumps(package), "utf-8")
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", "utf-8")
    return root


SUPPORTED = [
    ("nextjs", {"next": "16.0.0"}, [], ["next.config.ts"]),
    ("nextjs", {"next": "16.0.0", "hono": "4"}, [], []),
    ("nitro", {"nitro": "3.0.260610-beta"}, ["nitro.config.ts"], []),
    ("nitro", {"nitropack": "2"}, [], []),
    ("nitro", {"nitro": "3", "vite": "8"}, ["nitro.config.ts", "vite.config.ts"], []),
    ("sveltekit", {"@sveltejs/kit": "2", "vite": "8"}, ["vite.config.ts"], []),
]


@pytest.mark.parametrize(("expected", "depends", "files", "more"), SUPPORTED)
def test_supported_framework_is_detected_with_evidence(tmp_path, expected, depends, files, more):
    found = detect(make(tmp_path, files=[*files, *more], devDependencies=depends))
    assert found.framework == expected
    assert found.evidence[0].endswith("in package.json")
    assert all(name in found.evidence for name in more)


UNSUPPORTED = [
    ("Nuxt", {"nuxt": "4", "nitropack": "2", "vite": "8"}),
    ("Astro", {"astro": "7", "vite": "8"}),
    ("TanStack Start", {"@tanstack/react-start": "1", "nitro": "3", "vite": "8"}),
    ("React Router", {"@react-router/dev": "8", "vite": "8"}),
    ("NestJS", {"@nestjs/core": "12", "express": "5"}),
    ("Express", {"express": "5", "nitro": "3"}),
    ("Hono", {"hono": "4"}),
    ("Fastify", {"fastify": "5"}),
    ("Vite", {"vite": "8"}),
]


@pytest.mark.parametrize(("label", "depends"), UNSUPPORTED)
def test_known_framework_without_template_is_named(tmp_path, label, depends):
    with pytest.raises(DetectionError, match=f"This app is built with {label} ") as caught:
        detect(make(tmp_path, dependencies=depends))
    assert caught.value.code == "framework_not_supported"
    assert "nextjs, nitro, sveltekit, fastapi" in caught.value.hint


def test_vite_app_with_the_nitro_plugin_is_a_vite_app(tmp_path):
    with pytest.raises(DetectionError, match="This app is built with Vite "):
        detect(make(tmp_path, files=["vite.config.ts"], dependencies={"vite": "8", "nitro": "3"}))


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
    assert caught.value.hint == "One of: nextjs, nitro, sveltekit, fastapi."


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


def test_root_of_a_monorepo_is_told_to_name_the_app(tmp_path):
    (tmp_path / "package.json").write_text('{"private": true, "workspaces": ["apps/*"]}', "utf-8")
    with pytest.raises(DetectionError) as caught:
        detect(tmp_path)
    assert "studio scaffold apps/web" in caught.value.hint


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
    ("files", "expected"),
    [
        (["app/page.tsx"], ""),
        (["src/app/page.tsx"], "src"),
        (["src/pages/index.tsx"], "src"),
        (["app/a", "src/app/a"], ""),
    ],
)
def test_source_folder_of_next_is_found_as_next_finds_it(tmp_path, files, expected):
    assert detect(make(tmp_path, files=files, dependencies={"next": "16"})).src_dir == expected


@pytest.mark.parametrize(
    ("files", "depends", "expected"),
    [([], {}, False), (["tsconfig.json"], {}, True), (["next.config.ts"], {}, True), ([], {"typescript": "5"}, True)],
)
def test_typescript_shows_by_a_file_or_the_compiler(tmp_path, files, depends, expected):
    assert detect(make(tmp_path, files=files, dependencies={"next": "16", **depends})).typescript is expected


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
