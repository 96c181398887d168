"""What goes wrong with an object store.

ObjectStoreError             it cannot be used
└── ObjectMissingError       it has no such object, or what it has is not that object
"""

from __future__ import annotations

from typing import ClassVar


class ObjectStoreError(Exception):
    """An object store cannot be used.

    Args:
        message: What happened.
        recovery: What to do about it.
    """

    code: ClassVar[str] = "object_store_failed"

    def __init__(self, message: str, recovery: str = "Check the object store and the worker's access to it.") -> None:
        super().__init__(message)
        self.message = message
        self.recovery = recovery


class ObjectMissingError(ObjectStoreError):
    """An object is not there, or is damaged.

    Args:
        name: Its name.
        reason: What is wrong with it.
    """

    def __init__(self, name: str, reason: str = "is not in the object store") -> None:
        super().__init__(f"The object {name} {reason}.", "Restore it from a backup of the object store.")
        self.name = name
