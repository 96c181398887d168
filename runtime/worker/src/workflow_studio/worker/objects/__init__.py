"""Where large things are kept: the built-in forms of :class:`workflow_studio.worker.parts.ObjectStore`."""

from workflow_studio.worker.objects.errors import ObjectMissingError, ObjectStoreError
from workflow_studio.worker.objects.local import LocalObjects
from workflow_studio.worker.objects.memory import MemoryObjects
from workflow_studio.worker.objects.opening import SCHEMES, open_objects

__all__ = ["SCHEMES", "LocalObjects", "MemoryObjects", "ObjectMissingError", "ObjectStoreError", "open_objects"]
