"""The object stores: each test once per kind."""

from __future__ import annotations

import itertools
import urllib.request
import warnings

import pytest
from obstore.store import MemoryStore

from workflow_studio.worker.objects import LocalObjects, MemoryObjects
from workflow_studio.worker.objects.cloud import CloudObjects

KINDS = ("memory", "local", "cloud")
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3():
    """An S3 that listens on this machine: its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses what its other services need
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  # takes seconds
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """An empty bucket, and the variables that lead to it: its URL."""
    name = f"bucket{next(_NUMBERS)}"
    urllib.request.urlopen(urllib.request.Request(f"{s3}/{name}", method="PUT")).close()
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(variable, value)
    return f"s3://{name}/a/prefix"


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    """An empty object store."""
    if request.param == "memory":
        return MemoryObjects()
    return LocalObjects(tmp_path / "objects") if request.param == "local" else CloudObjects(MemoryStore())
