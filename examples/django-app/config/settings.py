"""Settings of the project; what differs between machines comes from the environment."""

from __future__ import annotations

import os

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"

# Sessions and the like need a key of your own in production; nothing of this project uses it yet.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for-development-only" if DEBUG else "")

ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")

INSTALLED_APPS = [
    "workflow_studio_app",
    "orders",
]

MIDDLEWARE = [
    "workflow_studio_app.middleware.WorkflowStudioMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"

USE_TZ = True

# Further settings of Workflow Studio, in place of its environment variables: see workflow_studio_app/settings.py.
# WORKFLOW_STUDIO = {"compute_timeout": 20}
