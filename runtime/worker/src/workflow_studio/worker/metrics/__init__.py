"""What Prometheus reads of the worker: counts and times of this process, and what waits in the database."""

from workflow_studio.worker.metrics.exposition import Exposition
from workflow_studio.worker.metrics.instruments import Metrics
from workflow_studio.worker.metrics.pool import MeasuredPool
from workflow_studio.worker.metrics.state import State

__all__ = ["Exposition", "MeasuredPool", "Metrics", "State"]
