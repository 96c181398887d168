"""What the starter of each framework has, as far as Studio looks at it."""

from __future__ import annotations

import json

from tests.scaffolder.scaffold.conftest import NEXT_CONFIG, NITRO_CONFIG, VITE_CONFIG
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

TSCONFIG = '{\n  // mine\n  "compilerOptions": {\n    "strict": true\n  }\n}\n'
GITIGNORE = "node_modules\ndist/\n"


def package(scripts=None, **depends):
    document = {"name": "app", "private": True, "type": "module", "scripts": scripts or {}, "dependencies": depends}
    return json.dumps(document, indent=2) + "\n"


def vite_config(*plugins):
    imports = "".join(f"import {{ {name} }} from '{module}';\n" for name, module in plugins)
    calls = ", ".join(f"{name}()" for name, _ in plugins)
    imports += "import { defineConfig } from 'vite';\n\n"
    return f"{imports}export default defineConfig({{\n  plugins: [{calls}],\n}});\n"


START = ("tanstackStart", "@tanstack/react-start/plugin/vite")
EXPRESS = "import express from 'express';\n\nconst app = express();\napp.get('/', (_, res) => res.send('hi'));\n"
STARTERS = {
    "nextjs": {"package.json": package(next="16.4.3"), "next.config.ts": NEXT_CONFIG, "app/page.tsx": ""},
    "nitro": {"package.json": package(nitro="3.0.260610-beta"), "nitro.config.ts": NITRO_CONFIG},
    "sveltekit": {
        "package.json": package(**{"@sveltejs/kit": "2.70.4"}),
        "vite.config.ts": VITE_CONFIG,
        "src/routes/+page.svelte": "",
    },
    "nuxt": {
        "package.json": package(nuxt="4.5.2", vue="3.5.45"),
        "nuxt.config.ts": "export default defineNuxtConfig({\n  devtools: { enabled: true }\n})\n",
    },
    "astro": {
        "package.json": package(astro="7.3.5"),
        "astro.config.mjs": "import { defineConfig } from 'astro/config';\n\nexport default defineConfig({});\n",
    },
    "vite": {"package.json": package(vite="8.3.8"), "vite.config.ts": vite_config(), "index.html": "<p>hi</p>\n"},
    "tanstack-start": {
        "package.json": package(**{"@tanstack/react-start": "1.169.5", "vite": "8.3.8"}),
        "vite.config.ts": vite_config(START),
    },
    "react-router": {
        "package.json": package(**{"@react-router/dev": "7.18.5", "react-router": "7.18.5", "vite": "8.3.8"}),
        "vite.config.ts": vite_config(("reactRouter", "@react-router/dev/vite")),
        "react-router.config.ts": "export default {\n  ssr: true,\n};\n",
    },
    "nestjs": {
        "package.json": package({"build": "nest build", "start:dev": "nest start --watch"}, **{"@nestjs/core": "12"}),
        "nest-cli.json": '{\n  "sourceRoot": "src",\n  "compilerOptions": {\n    "deleteOutDir": true\n  }\n}\n',
        "src/app.module.ts": (
            "import { Module } from '@nestjs/common';\n\n@Module({\n  imports: [],\n})\nexport class AppModule {}\n"
        ),
        "src/main.ts": (
            "import { NestFactory } from '@nestjs/core';\nimport { AppModule } from './app.module.js';\n\n"
            "const app = await NestFactory.create(AppModule);\nawait app.listen(3000);\n"
        ),
    },
    "express": {
        "package.json": package({"dev": "tsx watch src/index.ts", "start": "node dist/index.js"}, express="5.3.0"),
        "src/index.ts": f"{EXPRESS}app.listen(3000);\n",
    },
    "hono": {
        "package.json": package({"dev": "tsx watch src/index.ts"}, hono="4.13.19"),
        "src/index.ts": "import { Hono } from 'hono';\n\nconst app = new Hono();\n\nexport default app;\n",
    },
    "fastify": {
        "package.json": package({"start": "node src/index.js"}, fastify="5.12.8"),
        "src/index.js": "import Fastify from 'fastify';\n\nconst app = Fastify();\nawait app.listen({ port: 3000 });\n",
    },
    "fastapi": {
        "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = [\n    "fastapi>=0.115",\n]\n',
        "main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
    },
    "flask": {
        "requirements.txt": "Flask==3.1\n",
        "app.py": "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef home():\n    return 'hi'\n",
    },
    "django": {
        "requirements.txt": "Django==5.2\n",
        "manage.py": "import os\n\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": (
            "INSTALLED_APPS = [\n    'django.contrib.admin',\n]\n\nMIDDLEWARE = [\n"
            "    'django.middleware.security.SecurityMiddleware',\n]\n\nROOT_URLCONF = 'shop.urls'\n"
        ),
        "shop/urls.py": (
            "from django.contrib import admin\nfrom django.urls import path\n\n"
            "urlpatterns = [\n    path('admin/', admin.site.urls),\n]\n"
        ),
    },
}


def make(root, framework):
    files = STARTERS[framework]
    if SUPPORTED[framework].language != "Python":
        files = {**files, "tsconfig.json": TSCONFIG}
    for name, text in {**files, ".gitignore": GITIGNORE}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
    return root
