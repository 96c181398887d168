"""The object stores: each test once per kind."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from tests.worker.objects.clouds import azure, google, s3
from workflow_studio.worker.objects import LocalObjects, MemoryObjects
from workflow_studio.worker.objects.cloud import CloudObjects

KINDS = ("memory", "local", "cloud")


CLOUDS = ("s3", "google", pytest.param("azure", marks=pytest.mark.e2e))
"""The last is installed from npm."""


@pytest.fixture(scope="session", params=CLOUDS)
def cloud(request, tmp_path_factory):
    """A cloud's object store that listens on this machine."""
    made = {"s3": s3, "google": google, "azure": lambda: azure(tmp_path_factory.mktemp("azurite"))}
    with made[request.param]() as running:
        yield running


@pytest.fixture
def bucket(cloud, monkeypatch):
    """An empty bucket, and the variables that lead to it: its URL."""
    for variable, value in cloud.variables.items():
        monkeypatch.setenv(variable, value)
    return cloud.bucket()


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    """An empty object store."""
    if request.param == "memory":
        return MemoryObjects()
    return LocalObjects(tmp_path / "objects") if request.param == "local" else CloudObjects(MemoryStore())
