"""What listens on this machine in the place of each cloud's object store."""

from __future__ import annotations

import base64
import itertools
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.npm import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NUMBERS = itertools.count()
_AZURITE = "3.35.0"
_ACCOUNT = "devstoreaccount1"
_ACCOUNT_KEY = base64.b64encode(b"a key of the tests, and of nothing else").decode()
_ANYBODY = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Cloud:
    """A cloud's object store.

    Attributes:
        variables: What leads a worker to it.
    """

    def __init__(self, scheme: str, variables: dict[str, str], make: Callable[[str], object]) -> None:
        self.variables = variables
        self._scheme = scheme
        self._make = make

    def bucket(self) -> str:
        """Make a bucket, and return a URL within it."""
        name = f"bucket{next(_NUMBERS)}"
        self._make(name)
        return f"{self._scheme}://{name}/a/prefix"


@contextmanager
def s3() -> Iterator[Cloud]:
    """S3, by moto."""
    with _moto() as url:
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
        }
        yield Cloud("s3", variables, lambda name: _put(f"{url}/{name}"))


@contextmanager
def google() -> Iterator[Cloud]:
    """Google Cloud Storage, by moto.

    obstore speaks its XML API, which is that of S3 but for the names of headers; emulators that can be installed here
    know its JSON API alone. So the requests are what obstore sends, and the answers are S3's.
    """
    with _moto(_from_google) as url:
        account = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": ""}
        variables = {
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps({**account, "private_key_id": ""}),
            "GOOGLE_ALLOW_HTTP": "true",
        }
        yield Cloud("gs", variables, lambda name: _put(f"{url}/{name}"))


@contextmanager
def azure(folder: Path) -> Iterator[Cloud]:
    """Azure Blob Storage, by Microsoft's Azurite."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415  # only these tests need it

    program = installed("azurite", _AZURITE) / "node_modules/.bin/azurite-blob"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent")
    process = subprocess.Popen(
        [program, "--blobPort", str(port), *options],
        cwd=folder,
        env={**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_ACCOUNT_KEY}"},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    try:
        _await(port)
        variables = {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _ACCOUNT_KEY,
            "AZURE_ENDPOINT": url,
            "AZURE_ALLOW_HTTP": "true",
        }

        def make(name: str) -> None:
            with ContainerClient(url, name, credential=_ACCOUNT_KEY) as container:
                container.create_container()

        yield Cloud("az", variables, make)
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "Azurite does not listen"
            time.sleep(0.05)
        else:
            return


def _put(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()


def _from_google(environ: dict[str, Any]) -> None:
    """Make a request to Google's store one to S3.

    Source: https://cloud.google.com/storage/docs/xml-api/reference-headers, ``x-goog-if-generation-match``: with 0, an
    object is stored only if there is none.
    """
    environ["HTTP_AUTHORIZATION"] = _ANYBODY
    if environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None) == "0":
        environ["HTTP_IF_NONE_MATCH"] = "*"


@contextmanager
def _moto(change: Callable[[dict[str, Any]], None] = lambda _: None) -> Iterator[str]:
    """Serve moto's S3; give its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses what its other services need
        from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415  # takes seconds
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            """Keep the test's output clean."""

    s3 = DomainDispatcherApplication(create_backend_app)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        change(environ)
        return s3(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
