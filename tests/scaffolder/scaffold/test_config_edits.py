"""What edits of config files look like, and files that no edit may touch."""

from __future__ import annotations

import pytest

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import (
    ArrayItem,
    Call,
    CallBehind,
    ModuleImport,
    Property,
    Source,
    Symbol,
    Wrap,
    Wrapper,
)
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

PLUGIN = Call(Symbol("workflow", "workflow/vite"))
START = Symbol("start", "start/vite")
WRAP = Wrap((Wrapper(Symbol("withOuter", "outer")), Wrapper(Symbol("withInner", "inner"))))
MODULE = ModuleImport(Call(Symbol("WorkflowModule", "@workflow/nest"), method="forRoot"))
CALL = CallBehind(Symbol("withStudio", "studio"), Symbol("NestFactory", "@nestjs/core"), "create", awaited=True)

# Edit, file, text before, text after.
LAYOUTS = {
    "wraps_outside_in": (
        WRAP,
        "next.config.mjs",
        "export default {};\n",
        (
            'import { withOuter } from "outer";\nimport { withInner } from "inner";\n\n'
            "export default withOuter(withInner({}));\n"
        ),
    ),
    "wraps_a_function_declaration": (
        WRAP,
        "next.config.mjs",
        "export default function config() {\n  return {};\n}\n",
        (
            'import { withOuter } from "outer";\nimport { withInner } from "inner";\n\n'
            "export default withOuter(withInner(function config() {\n  return {};\n}));\n"
        ),
    ),
    "puts_a_missing_wrapper_inside_the_one_that_is_there": (
        WRAP,
        "next.config.mjs",
        "import { withOuter as o } from 'outer'\n\nexport default o({})\n",
        (
            "import { withOuter as o } from 'outer'\nimport { withInner } from 'inner'\n\n"
            "export default o(withInner({}))\n"
        ),
    ),
    "requires_in_commonjs": (
        WRAP,
        "next.config.js",
        "module.exports = {}\n",
        (
            'const { withOuter } = require("outer")\nconst { withInner } = require("inner")\n\n'
            "module.exports = withOuter(withInner({}))\n"
        ),
    ),
    "renames_where_a_name_is_taken": (
        ArrayItem("plugins", PLUGIN),
        "vite.config.ts",
        "import { workflow } from './ci'\nexport default { plugins: [workflow()] }\n",
        (
            "import { workflow } from './ci'\nimport { workflow as workflowSdk } from 'workflow/vite'\n"
            "export default { plugins: [workflow(), workflowSdk()] }\n"
        ),
    ),
    "adds_to_an_import_of_the_same_package": (
        ArrayItem("plugins", PLUGIN),
        "vite.config.ts",
        "import { other } from 'workflow/vite'\nexport default { plugins: [\n  other(),\n] }\n",
        (
            "import { other, workflow } from 'workflow/vite'\n"
            "export default { plugins: [\n  other(),\n  workflow(),\n] }\n"
        ),
    ),
    "goes_in_front_of_what_it_has_to": (
        ArrayItem("plugins", PLUGIN, before=(START,)),
        "vite.config.ts",
        "import { start } from 'start/vite'\nexport default {\n  plugins: [\n    a(),\n    start(), // app\n  ],\n}\n",
        (
            "import { start } from 'start/vite'\nimport { workflow } from 'workflow/vite'\n"
            "export default {\n  plugins: [\n"
            "    a(),\n    workflow(),\n    start(), // app\n  ],\n}\n"
        ),
    ),
    "goes_first_where_what_it_has_to_precede_is_not_there": (
        ArrayItem("plugins", PLUGIN, before=(START,)),
        "vite.config.ts",
        "export default { plugins: [a()] }\n",
        'import { workflow } from "workflow/vite"\n\nexport default { plugins: [workflow(), a()] }\n',
    ),
    "makes_the_array": (
        ArrayItem("modules", "workflow/nitro"),
        "nitro.config.ts",
        "export default defineConfig({\n\tserverDir: './server'\n})\n",
        "export default defineConfig({\n\tserverDir: './server',\n\tmodules: ['workflow/nitro']\n})\n",
    ),
    "makes_the_objects_on_the_way": (
        Property(("future", "flag"), value=True),
        "react-router.config.ts",
        "export default {\n  ssr: true,\n} satisfies Config;\n",
        "export default {\n  ssr: true,\n  future: { flag: true },\n} satisfies Config;\n",
    ),
    "writes_values_in_the_files_style": (
        Property(("adapter",), Call(Symbol("default", "@astrojs/node", "node"), ({"mode": "standalone", "a-b": [1]},))),
        "astro.config.mjs",
        "export default { site: 'https://a.example' }\n",
        (
            "import node from '@astrojs/node'\n\n"
            "export default { site: 'https://a.example', adapter: node({ mode: 'standalone', 'a-b': [1] }) }\n"
        ),
    ),
    "imports_a_module": (
        MODULE,
        "src/app.module.ts",
        "import { Module } from '@nestjs/common';\n@Module({ providers: [] })\nexport class AppModule {}\n",
        (
            "import { Module } from '@nestjs/common';\nimport { WorkflowModule } from '@workflow/nest';\n"
            "@Module({ imports: [WorkflowModule.forRoot()], providers: [] })\nexport class AppModule {}\n"
        ),
    ),
    "calls_behind_the_making_of_the_app": (
        CALL,
        "src/main.ts",
        (
            "import { NestFactory } from '@nestjs/core'\nasync function main() {\n"
            "\tconst app = await NestFactory.create<X>(M) // app\n\tawait app.listen(1)\n}\n"
        ),
        (
            "import { NestFactory } from '@nestjs/core'\nimport { withStudio } from 'studio'\nasync function main() {\n"
            "\tconst app = await NestFactory.create<X>(M) // app\n\tawait withStudio(app)\n\tawait app.listen(1)\n}\n"
        ),
    ),
}


@pytest.mark.parametrize(("edit", "path", "before", "after"), LAYOUTS.values(), ids=LAYOUTS)
def test_edit_looks_as_a_person_would_write_it(edit, path, before, after):
    assert edit.add(Source.load(path, before.encode())).dump().decode() == after


CONFIGS = [config for framework in SUPPORTED.values() for config in framework.configs]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
class TestEveryConfigOfAFramework:
    def test_that_is_made_needs_no_further_edit(self, config):
        if config.new is not None:
            path, text = config.new
            assert config.edit(Source.load(path, text.encode())).dump() == text.encode()

    def test_has_a_snippet_that_parses(self, config):
        snippet = config.snippet
        # A decorator alone is no statement.
        snippet += "\nclass AppModule {}" if snippet.rstrip().endswith("})") and "@Module" in snippet else ""
        Source.load("snippet.ts", snippet.encode())


@pytest.mark.parametrize("data", [b"export default {}\0", b"\xff\xfe\x00"])
def test_binary_and_non_utf8_files_are_refused(data):
    with pytest.raises(EditRefusedError):
        Source.load("next.config.mjs", data)


def test_deep_nesting_is_not_a_crash():
    text = "export default " + "(" * 3000 + "{}" + ")" * 3000 + ";\n"
    edited = SUPPORTED["nextjs"].configs[0].edit(Source.load("next.config.mjs", text.encode()))
    assert b"withWorkflow(withWorkflowStudioNext((((" in edited.data


@pytest.mark.parametrize(
    ("edit", "text", "why"),
    [
        (Property(("a",), value=True), "export default { a: false }", "`a` is `false`"),
        (Property(("a", "b"), "x"), "export default { a: { b: process.env.B } }", "`a.b` is `process.env.B`"),
        (Property(("a", "b"), "x"), "export default { a: other() }", "a call of other"),
        (Property(("a",), [1]), "export default { a: [1, 2] }", "`a` is `[1, 2]`"),
        (Property(("a",), Call(Symbol("default", "m", "m"))), "module.exports = {}", "which CommonJS cannot"),
        (
            ArrayItem("p", PLUGIN, before=(START,)),
            (
                "import { start } from 'start/vite'\n"
                "import { workflow } from 'workflow/vite'\nexport default { p: [start(), workflow()] }"
            ),
            "in front of start()",
        ),
    ],
)
def test_what_cannot_be_added_is_refused(edit, text, why):
    with pytest.raises(EditRefusedError) as caught:
        edit.add(Source.load("config.ts", text.encode()))
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), ("x", "'x'"), ([1, "a"], "[1, 'a']"), ({"a": {"b": None}}, "{ a: { 'b': null } }")],
)
def test_property_that_has_its_value_already_stays(value, text):
    source = Source.load("config.ts", f"export default {{ a: {text} as const }}".encode())
    assert Property(("a",), value).add(source).data == source.data


def test_optional_property_keeps_any_value():
    source = Source.load("config.ts", b"export default { a: compute() }")
    assert Property(("a",), "x", required=False).add(source).data == source.data
