"""The connection to the worker, one for each process of the app."""

from __future__ import annotations

import os
import threading

import httpx

from ..settings import WorkflowStudioSettings
from .blocking import WorkflowStudio, open_connection
from .ownership import Ownership


class Connections:
    """Gives each process of a server that forks a connection of its own: two must not share a socket."""

    def __init__(self, settings: WorkflowStudioSettings, transport: httpx.BaseTransport | None) -> None:
        self.settings = settings
        self.ownership = Ownership()
        self._transport = transport
        self._lock = threading.Lock()
        self._studio: WorkflowStudio | None = None
        self._process = os.getpid()

    def get(self) -> WorkflowStudio:
        """Return what the routes share; made when it is first asked for."""
        with self._lock:
            if self._process != os.getpid():
                self._process, self._studio, self.ownership = os.getpid(), None, Ownership()
            if self._studio is None:
                self._studio = open_connection(self.settings, self._transport, self.ownership)
            return self._studio

    def close(self) -> None:
        """Close the connection, if this process made one; the next call makes another."""
        with self._lock:
            if self._studio is not None and self._process == os.getpid():
                self._studio.close()
            self._studio = None
