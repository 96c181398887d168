"""Executors: the Node.js processes that run deployments, and the pool that keeps them.

:class:`NodeExecutorPool` is the ``ExecutorPool`` of ``ports.py``. The JavaScript that runs in an executor is in
``host/``.
"""

from workflow_studio.worker.execution.node import NodeNotFoundError, NodeRuntime, find_node, find_nodes
from workflow_studio.worker.execution.options import ExecutorOptions
from workflow_studio.worker.execution.pool import ExecutorStatus, NodeExecutorPool

__all__ = [
    "ExecutorOptions",
    "ExecutorStatus",
    "NodeExecutorPool",
    "NodeNotFoundError",
    "NodeRuntime",
    "find_node",
    "find_nodes",
]
