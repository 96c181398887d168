"""How executors are run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.worker.execution.node import NodeRuntime

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What an executor's environment takes over from the worker's: nothing that could be a secret."""

_REFUSED: Final = ("VERCEL", "VERCEL_DEPLOYMENT_ID", "WORKFLOW_QUEUE_NAMESPACE", "WORKFLOW_TARGET_WORLD")
"""Variables with which the Workflow SDK would look for another World or other queues (source: @workflow/core 4.8.9)."""

_DEFAULT_PORT: Final = 3000
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEAP_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """How executors are run. Times are in seconds.

    Attributes:
        nodes: The Node.js to run them with, best first; by default what :func:`find_nodes` finds. An artifact that does
            not want the first is run with the first that it wants.
        env: The variables of the app's own environment. The worker's environment is not handed on.
        public_url: The address of this worker as webhook callers see it: ``https://host[:port][/prefix]``, or
            ``http://localhost:port``, which are all that the Workflow SDK can express.
        processes_per_deployment: How many executors one deployment may have.
        start_timeout: How long loading an artifact may take.
        hang_timeout: How long an executor may be silent before it is killed. Code that computes without a pause keeps
            it silent.
        idle_timeout: How long an executor is kept without work.
        drain_timeout: How long a retired executor may take to end.
        request_timeout: How long a webhook handler may take to answer: it may wait for its workflow to do so.
        encrypts: Whether runs may have encryption keys. If not, executors need not ask for them.
        memory_limit_mb: Resident memory, in MiB, at which an executor is killed. V8's heap is held to three quarters.

    Raises:
        ValueError: If ``public_url`` is of another form.
    """

    nodes: tuple[NodeRuntime, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    public_url: str | None = None
    processes_per_deployment: int = 1
    start_timeout: float = 60
    hang_timeout: float = 120
    idle_timeout: float = 300
    drain_timeout: float = 10
    request_timeout: float = 300
    encrypts: bool = True
    memory_limit_mb: int = 2048

    def __post_init__(self) -> None:
        _split_public_url(self.public_url)
        if self.processes_per_deployment < 1:
            raise ValueError("processes_per_deployment must be at least 1.")

    @property
    def heap_limit_mb(self) -> int:
        """The limit of V8's old generation, in MiB."""
        return max(32, int(self.memory_limit_mb * _HEAP_SHARE))

    @property
    def port(self) -> int:
        """The port that webhook URLs name if ``public_url`` is not https."""
        return _split_public_url(self.public_url)[1]

    def environment(self) -> dict[str, str]:
        """Return the environment of an executor."""
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {name: value for name, value in self.env.items() if name not in _REFUSED}
        # With VERCEL_URL, webhook URLs start with https://$VERCEL_URL (source: @workflow/core 4.8.9, workflow.js).
        environment.pop("VERCEL_URL", None)
        if vercel_url := _split_public_url(self.public_url)[0]:
            environment["VERCEL_URL"] = vercel_url
        environment.setdefault("NODE_ENV", "production")
        return environment


def _split_public_url(url: str | None) -> tuple[str | None, int]:
    """Return the value of ``VERCEL_URL``, if it takes one to express ``url``, and the port otherwise."""
    if url is None:
        return None, _DEFAULT_PORT
    parts = urlsplit(url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme == "https" and parts.hostname and plain:
        return f"{parts.netloc}{parts.path}".rstrip("/"), _DEFAULT_PORT
    if parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS and plain and parts.path in {"", "/"}:
        return None, parts.port or 80
    raise ValueError(
        f"The public URL {url!r} cannot be used: webhook URLs of the Workflow SDK are either "
        "https://host[:port][/prefix] or http://localhost:port. Use one of these forms."
    )
