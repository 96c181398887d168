"""Config files as people write them, and what the edit has to make of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A config file.

    Attributes:
        name: Of the case.
        framework: Whose edit.
        path: Of the file.
        text: The file.
        expect: Texts the result holds, each once.
        touched: How many lines of the original may differ.
    """

    name: str
    framework: str
    path: str
    text: str
    expect: tuple[str, ...]
    touched: int = 1


@dataclass(frozen=True)
class Refusal:
    """A config file that has to be left alone, and why, on which line."""

    name: str
    framework: str
    path: str
    text: str
    why: str
    line: int


STUDIO_NEXT = 'import { withWorkflowStudioNext } from "workflow-studio/next";'
WRAPPED_NEXT = "module.exports = withWorkflow(withWorkflowStudioNext"
SDK_NEXT = 'import { withWorkflow } from "workflow/next";'

CASES = [
    Case(
        "next_ts_starter",
        "nextjs",
        "next.config.ts",
        """import type { NextConfig } from "next";

const nextConfig: NextConfig = {
  /* config options here */
};

export default nextConfig;
""",
        (SDK_NEXT, STUDIO_NEXT, "export default withWorkflow(withWorkflowStudioNext(nextConfig));"),
    ),
    Case(
        "next_js_commonjs",
        "nextjs",
        "next.config.js",
        """/** @type {import('next').NextConfig} */
const nextConfig = {
  reactStrictMode: true,
}

module.exports = nextConfig
""",
        (
            'const { withWorkflow } = require("workflow/next")\n',
            'const { withWorkflowStudioNext } = require("workflow-studio/next")\n\n/** @type',
            "module.exports = withWorkflow(withWorkflowStudioNext(nextConfig))\n",
        ),
    ),
    Case(
        "next_commonjs_with_requires",
        "nextjs",
        "next.config.cjs",
        """'use strict';

const path = require('path');
const withBundleAnalyzer = require('@next/bundle-analyzer')({ enabled: process.env.ANALYZE === 'true' });

module.exports = withBundleAnalyzer({ outputFileTracingRoot: path.join(__dirname, '../../') });
""",
        (
            "require('path');\nconst { withWorkflow } = require('workflow/next');\n",
            "const { withWorkflowStudioNext } = require('workflow-studio/next');\n",
            "withStudio(withBundleAnalyzer({ outputFileTracingRoot".replace("withStudio", WRAPPED_NEXT),
            "path.join(__dirname, '../../') })));",
        ),
    ),
    Case(
        "next_strict_without_requires",
        "nextjs",
        "next.config.cjs",
        '"use strict";\n\nmodule.exports = {};\n',
        ('"use strict";\nconst { withWorkflow } = require("workflow/next");\n',),
    ),
    Case(
        "next_commonjs_destructured_require",
        "nextjs",
        "next.config.js",
        "const { PHASE_DEVELOPMENT_SERVER } = require('next/constants')\n\n"
        "module.exports = (phase) => ({ assetPrefix: phase === PHASE_DEVELOPMENT_SERVER ? '' : '/cdn' })\n",
        ("module.exports = withWorkflow(withWorkflowStudioNext((phase) => ({ assetPrefix:",),
    ),
    Case(
        "next_mjs_ts_check",
        "nextjs",
        "next.config.mjs",
        """// @ts-check

/**
 * @type {import('next').NextConfig}
 */
const nextConfig = {
  images: { remotePatterns: [{ protocol: "https", hostname: "example.com" }] },
};

export default nextConfig;
""",
        ("// @ts-check\n\nimport { withWorkflow }", "/**\n * @type {import('next').NextConfig}\n */\nconst nextConfig"),
    ),
    Case(
        "next_async_arrow",
        "nextjs",
        "next.config.mjs",
        """export default async (phase, { defaultConfig }) => {
  const nextConfig = { ...defaultConfig };
  return nextConfig;
};
""",
        ("export default withWorkflow(withWorkflowStudioNext(async (phase, { defaultConfig }) => {", "\n}));\n"),
        touched=2,
    ),
    Case(
        "next_named_function",
        "nextjs",
        "next.config.mjs",
        """export default async function config(phase) {
  if (phase === "phase-production-build") {
    return { output: "standalone" };
  }
  return {};
}
""",
        ("withWorkflow(withWorkflowStudioNext(async function config(phase) {", "  return {};\n}));\n"),
        touched=2,
    ),
    Case(
        "next_anonymous_function",
        "nextjs",
        "next.config.mjs",
        "export default function () {\n  return {};\n}\n",
        ("export default withWorkflow(withWorkflowStudioNext(function () {",),
        touched=2,
    ),
    Case(
        "next_satisfies",
        "nextjs",
        "next.config.ts",
        "import type { NextConfig } from 'next'\n\nexport default {\n  output: 'standalone',\n} satisfies NextConfig\n",
        (
            "import { withWorkflow } from 'workflow/next'\n",
            "export default withWorkflow(withWorkflowStudioNext({\n",
            "} satisfies NextConfig))\n",
        ),
        touched=2,
    ),
    Case(
        "next_as_cast",
        "nextjs",
        "next.config.ts",
        'import { NextConfig } from "next";\nconst config = { a: true };\nexport default config as NextConfig;\n',
        ("withWorkflow(withWorkflowStudioNext(config as NextConfig));",),
    ),
    Case(
        "next_sentry",
        "nextjs",
        "next.config.ts",
        """import { withSentryConfig } from "@sentry/nextjs";
import type { NextConfig } from "next";

const nextConfig: NextConfig = {};

export default withSentryConfig(nextConfig, {
  org: "acme", // from the dashboard
  silent: !process.env.CI,
});
""",
        (
            "export default withWorkflow(withWorkflowStudioNext(withSentryConfig(nextConfig, {\n",
            "  silent: !process.env.CI,\n})));",
        ),
        touched=2,
    ),
    Case(
        "next_mdx_and_intl",
        "nextjs",
        "next.config.ts",
        """import createMDX from '@next/mdx'
import createNextIntlPlugin from 'next-intl/plugin'

const withMDX = createMDX({ extension: /\\.mdx?$/ })
const withNextIntl = createNextIntlPlugin('./src/i18n/request.ts')

export default withNextIntl(withMDX({ pageExtensions: ['ts', 'tsx', 'mdx'] }))
""",
        (
            "export default withWorkflow(withWorkflowStudioNext(withNextIntl(withMDX({ pageExtensions: ",
            " ['ts', 'tsx', 'mdx'] }))))\n",
        ),
    ),
    Case(
        "next_already_with_workflow",
        "nextjs",
        "next.config.ts",
        """import { withWorkflow } from "workflow/next";
import type { NextConfig } from "next";

const nextConfig: NextConfig = {};

export default withWorkflow(nextConfig, { workflows: { local: { port: 4000 } } });
""",
        ("export default withWorkflow(withWorkflowStudioNext(nextConfig), { workflows: { local: { port: 4000 } } });",),
    ),
    Case(
        "next_aliased_inside_another",
        "nextjs",
        "next.config.mjs",
        "import { withSentryConfig } from '@sentry/nextjs';\n"
        "import { withWorkflow as wf } from 'workflow/next';\n\n"
        "export default withSentryConfig(wf({ reactStrictMode: true }), { org: 'a' });\n",
        ("withSentryConfig(wf(withWorkflowStudioNext({ reactStrictMode: true })), { org: 'a' });",),
    ),
    Case(
        "next_namespace_import",
        "nextjs",
        "next.config.mjs",
        "import * as workflow from 'workflow/next';\nexport default workflow.withWorkflow({});\n",
        ("export default workflow.withWorkflow(withWorkflowStudioNext({}));",),
    ),
    Case(
        "next_inline_require",
        "nextjs",
        "next.config.js",
        "module.exports = require('workflow/next').withWorkflow({ poweredByHeader: false });\n",
        ("require('workflow/next').withWorkflow(withWorkflowStudioNext({ poweredByHeader: false }));",),
    ),
    Case(
        "next_dynamic_import",
        "nextjs",
        "next.config.js",
        """module.exports = async () => {
  const { withWorkflow } = await import("workflow/next");
  return withWorkflow({});
};
""",
        ("  return withWorkflow(withWorkflowStudioNext({}));",),
    ),
    Case(
        "next_name_taken",
        "nextjs",
        "next.config.mjs",
        """const withWorkflow = (config) => ({ ...config, env: { WORKFLOW: "1" } });

export default withWorkflow({});
""",
        (
            'import { withWorkflow as withWorkflowSdk } from "workflow/next";\n',
            "export default withWorkflowSdk(withWorkflowStudioNext(withWorkflow({})));\n",
        ),
    ),
    Case(
        "next_name_taken_commonjs",
        "nextjs",
        "next.config.js",
        "const withWorkflow = (config) => config;\nmodule.exports = withWorkflow({});\n",
        ('const { withWorkflow: withWorkflowSdk } = require("workflow/next");\n',),
    ),
    Case(
        "next_crlf_tabs",
        "nextjs",
        "next.config.ts",
        "import type { NextConfig } from 'next';\r\n\r\nconst c: NextConfig = {\r\n\treactStrictMode: true,\r\n};\r\n"
        "\r\nexport default c;\r\n",
        (
            "import { withWorkflow } from 'workflow/next';\r\n",
            "export default withWorkflow(withWorkflowStudioNext(c));\r\n",
        ),
    ),
    Case(
        "next_byte_order_mark",
        "nextjs",
        "next.config.mjs",
        "\ufeffexport default {}\n",
        ('\ufeffimport { withWorkflow } from "workflow/next"',),
    ),
    Case(
        "next_one_line",
        "nextjs",
        "next.config.mjs",
        'import a from "a";export default a({x:1})',
        ("export default withWorkflow(withWorkflowStudioNext(a({x:1})))",),
        touched=1,
    ),
    Case(
        "next_chained_exports",
        "nextjs",
        "next.config.js",
        "const config = {};\nmodule.exports = exports = config;\n",
        ("module.exports = exports = withWorkflow(withWorkflowStudioNext(config));",),
    ),
    Case(
        "next_no_semicolon_bracket_follows",
        "nextjs",
        "next.config.js",
        "const a = require('a')\n;[1].forEach(a)\nmodule.exports = {}\n",
        (
            "require('workflow-studio/next')\n;[1].forEach(a)\n",
            "module.exports = withWorkflow(withWorkflowStudioNext({}))",
        ),
    ),
    Case(
        "next_import_with_trailing_comment",
        "nextjs",
        "next.config.mjs",
        "import a from './a.mjs' // plugins live there\n\nexport default a\n",
        ("import a from './a.mjs' // plugins live there\nimport { withWorkflow } from 'workflow/next'\n",),
    ),
    Case(
        "next_licence_header",
        "nextjs",
        "next.config.mjs",
        "/*\n * Copyright 2024 Acme.\n */\n\n/** @type {import('next').NextConfig} */\nexport default {};\n",
        (" */\n\nimport { withWorkflow }", "/** @type {import('next').NextConfig} */\nexport default withWorkflow("),
    ),
    Case(
        "next_ternary",
        "nextjs",
        "next.config.mjs",
        'const base = {};\nexport default process.env.CDN ? { ...base, assetPrefix: "/c" } : base;\n',
        ('withWorkflow(withWorkflowStudioNext(process.env.CDN ? { ...base, assetPrefix: "/c" } : base));',),
    ),
    Case(
        "next_type_only_import_of_the_same_module",
        "nextjs",
        "next.config.ts",
        "import type { Options } from 'workflow/next';\n\nexport default {};\n",
        ("import type { Options } from 'workflow/next';\nimport { withWorkflow } from 'workflow/next';\n",),
    ),
    Case(
        "nitro_starter",
        "nitro",
        "nitro.config.ts",
        """import { defineConfig } from "nitro";

export default defineConfig({
  serverDir: "./server",
});
""",
        (
            'import { withWorkflowStudioNitro } from "workflow-studio/nitro";\n',
            '  serverDir: "./server",\n  modules: ["workflow/nitro"],\n}));\n',
            "export default withWorkflowStudioNitro(defineConfig({\n",
        ),
        touched=2,
    ),
    Case(
        "nitro_sdk_already_there",
        "nitro",
        "nitro.config.ts",
        "import { defineNitroConfig } from 'nitro/config'\n\nexport default defineNitroConfig({\n"
        "  modules: ['workflow/nitro'],\n  routes: { '/**': './src/index.ts' },\n})\n",
        ("export default withWorkflowStudioNitro(defineNitroConfig({\n  modules: ['workflow/nitro'],\n",),
        touched=2,
    ),
    Case(
        "nitro_module_with_options_and_import",
        "nitro",
        "nitro.config.mjs",
        "import workflow from 'workflow/nitro';\nexport default { modules: [workflow] };\n",
        ("export default withWorkflowStudioNitro({ modules: [workflow] });",),
    ),
    Case(
        "nitro_other_modules_multiline",
        "nitro",
        "nitro.config.ts",
        """import { defineConfig } from "nitro";

export default defineConfig({
\tmodules: [
\t\t"nitro-cloudflare-dev", // local only
\t\t"./modules/cron",
\t],
\tcompatibilityDate: "2025-01-01",
});
""",
        ('\t\t"./modules/cron",\n\t\t"workflow/nitro",\n\t],\n',),
        touched=2,
    ),
    Case(
        "nitro_trailing_comment_without_comma",
        "nitro",
        "nitro.config.ts",
        """export default defineNitroConfig({
  // where the routes are
  serverDir: "server" // not src
})
""",
        ('  serverDir: "server", // not src\n  modules: ["workflow/nitro"]\n}))\n',),
        touched=3,
    ),
    Case(
        "nitro_empty_object",
        "nitro",
        "nitro.config.js",
        "export default defineNitroConfig({})\n",
        ('withWorkflowStudioNitro(defineNitroConfig({ modules: ["workflow/nitro"] }))',),
    ),
    Case(
        "nitro_variable_and_shorthand",
        "nitro",
        "nitro.config.ts",
        "import { defineConfig } from 'nitro';\nconst modules = ['./a'] as string[];\n"
        "const config = { modules, preset: 'node-server' };\nexport default defineConfig(config);\n",
        (
            "const modules = ['./a', 'workflow/nitro'] as string[];",
            "export default withWorkflowStudioNitro(defineConfig(config));",
        ),
        touched=2,
    ),
    Case(
        "nitro_commonjs",
        "nitro",
        "nitro.config.cjs",
        "module.exports = {\n    preset: 'node-server',\n};\n",
        (
            "module.exports = withWorkflowStudioNitro({\n    preset: 'node-server',\n",
            "    modules: ['workflow/nitro'],\n});",
        ),
        touched=2,
    ),
    Case(
        "nitro_array_ends_in_comment",
        "nitro",
        "nitro.config.mjs",
        "export default {\n  modules: [\n    // none yet\n  ],\n};\n",
        ('  modules: [\n    // none yet\n    "workflow/nitro"\n  ],\n',),
        touched=2,
    ),
    Case(
        "svelte_starter",
        "sveltekit",
        "vite.config.ts",
        """import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';

export default defineConfig({
\tplugins: [sveltekit()]
});
""",
        (
            "import { workflowPlugin } from 'workflow/sveltekit';\n",
            "import { withWorkflowStudioSvelteKit } from 'workflow-studio/sveltekit';\n",
            "export default await withWorkflowStudioSvelteKit(defineConfig({\n",
            "\tplugins: [sveltekit(), workflowPlugin()]\n}));\n",
        ),
        touched=3,
    ),
    Case(
        "svelte_adapter_in_plugin",
        "sveltekit",
        "vite.config.ts",
        """import adapter from '@sveltejs/adapter-node';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

export default defineConfig({
\tplugins: [
\t\ttailwindcss(),
\t\tsveltekit({
\t\t\tadapter: adapter()
\t\t})
\t]
});
""",
        ("\t\t\tadapter: adapter()\n\t\t}),\n\t\tworkflowPlugin()\n\t]\n",),
        touched=3,
    ),
    Case(
        "svelte_function_and_vitest",
        "sveltekit",
        "vite.config.ts",
        """import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => {
  const isTest = mode === "test";
  return {
    plugins: [isTest && null, sveltekit()].filter(Boolean),
    test: { include: ["src/**/*.test.ts"] },
  };
});
""",
        ("plugins: [isTest && null, sveltekit(), workflowPlugin()].filter(Boolean),",),
        touched=3,
    ),
    Case(
        "svelte_type_annotated_const",
        "sveltekit",
        "vite.config.js",
        """import { sveltekit } from '@sveltejs/kit/vite'

/** @type {import('vite').UserConfig} */
const config = {
  plugins: [sveltekit()],
}

export default config
""",
        ("  plugins: [sveltekit(), workflowPlugin()],\n", "export default await withWorkflowStudioSvelteKit(config)\n"),
        touched=2,
    ),
    Case(
        "svelte_merge_config",
        "sveltekit",
        "vite.config.ts",
        "import { defineConfig, mergeConfig } from 'vite';\nimport { sveltekit } from '@sveltejs/kit/vite';\n"
        "import base from '../vite.base';\n\n"
        "export default mergeConfig(base, defineConfig({ plugins: [sveltekit()] }));\n",
        (
            "await withWorkflowStudioSvelteKit(mergeConfig(base, defineConfig({ ",
            "plugins: [sveltekit(), workflowPlugin()] })));",
        ),
    ),
    Case(
        "svelte_sdk_already_there_aliased",
        "sveltekit",
        "vite.config.ts",
        "import { sveltekit } from '@sveltejs/kit/vite';\n"
        "import { workflowPlugin as workflow } from 'workflow/sveltekit';\n"
        "export default { plugins: [sveltekit(), workflow()] };\n",
        ("export default await withWorkflowStudioSvelteKit({ plugins: [sveltekit(), workflow()] });",),
    ),
    Case(
        "svelte_merges_into_import",
        "sveltekit",
        "vite.config.ts",
        "import { sveltekit } from '@sveltejs/kit/vite';\nimport {\n  other,\n} from 'workflow/sveltekit';\n"
        "export default { plugins: [sveltekit(), other] };\n",
        ("import {\n  other,\n  workflowPlugin,\n} from 'workflow/sveltekit';\n",),
    ),
]

REFUSALS = [
    Refusal("no_default_export", "nextjs", "next.config.mjs", "export const config = {};\n", "no default export", 1),
    Refusal("re_exported", "nextjs", "next.config.mjs", "\nexport { default } from './base.mjs';\n", "re-exported", 2),
    Refusal(
        "named_default", "nextjs", "next.config.mjs", "const a = {};\nexport { a as default };\n", "re-exported", 2
    ),
    Refusal("class", "nextjs", "next.config.mjs", "export default class {}\n", "not a config object", 1),
    Refusal("export_equals", "nextjs", "next.config.ts", "const a = {};\nexport = a;\n", "`export =`", 2),
    Refusal("broken", "nextjs", "next.config.mjs", "export default {\n  a: [\n};\n", "does not parse", 2),
    Refusal("conflict_markers", "nextjs", "next.config.mjs", "<<<<<<< HEAD\nexport default {}\n=======\n", "parse", 1),
    Refusal(
        "function_used_by_name",
        "nextjs",
        "next.config.mjs",
        "export default function config() { return {}; }\nconfig.flag = true;\n",
        "used by name",
        1,
    ),
    Refusal(
        "several_calls",
        "nextjs",
        "next.config.mjs",
        "import { withWorkflow } from 'workflow/next';\nconst a = withWorkflow({});\n"
        "export default process.env.X ? a : withWorkflow({});\n",
        "several places",
        3,
    ),
    Refusal(
        "spread_argument",
        "nextjs",
        "next.config.mjs",
        "import { withWorkflow } from 'workflow/next';\nexport default withWorkflow(...args);\n",
        "no plain first argument",
        2,
    ),
    Refusal(
        "two_exports", "nextjs", "next.config.js", "module.exports = {};\nmodule.exports = { a: 1 };\n", "several", 2
    ),
    Refusal(
        "modules_from_spread",
        "nitro",
        "nitro.config.ts",
        "import base from './base';\nexport default defineConfig({\n  ...base,\n});\n",
        "may come from `...base`",
        3,
    ),
    Refusal(
        "computed_modules",
        "nitro",
        "nitro.config.ts",
        "export default defineConfig({\n  modules: pick(),\n});\n",
        "not a plain array",
        2,
    ),
    Refusal(
        "modules_changed_later",
        "nitro",
        "nitro.config.ts",
        "const config = { modules: [] };\nconfig.modules = ['a'];\nexport default config;\n",
        "changed after its declaration",
        2,
    ),
    Refusal("unknown_call", "nitro", "nitro.config.ts", "export default build({});\n", "a call of build", 1),
    Refusal(
        "nitro_function",
        "nitro",
        "nitro.config.ts",
        "export default () => ({ modules: ['workflow/nitro'] });\n",
        "does not accept a config that is a function",
        1,
    ),
    Refusal(
        "nitro_imported",
        "nitro",
        "nitro.config.ts",
        "import { config } from './x';\nexport default config;\n",
        "comes from another file",
        2,
    ),
    Refusal(
        "svelte_several_returns",
        "sveltekit",
        "vite.config.ts",
        "export default defineConfig((env) => {\n  if (env.ssr) return {};\n  return { plugins: [] };\n});\n",
        "returns in several places",
        1,
    ),
    Refusal(
        "svelte_conditional_plugins",
        "sveltekit",
        "vite.config.ts",
        "export default {\n  plugins: process.env.CI ? [] : [a()],\n};\n",
        "not a plain array",
        2,
    ),
]
