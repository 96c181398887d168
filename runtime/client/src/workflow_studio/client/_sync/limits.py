# Made from _async/limits.py by tests.support.blocking_client; change that.

"""How many steps there may be at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.client._calls import limits as calls
from workflow_studio.client._sync.base import Base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.compute.api import Limits


class Limiting(Base):
    """Says how many steps all workers together work on at the same time."""

    def list_limits(self) -> Limits:
        """Return the limits that count, by name."""
        return self._send(calls.list_limits())

    def set_limits(self, most: Mapping[str, int | None]) -> Limits:
        """Set limits, for all workers at once, and return those that count then.

        Args:
            most: How many steps there may be, by ``workflow:``, ``deployment:`` or ``key:`` and a name, or ``*`` for
                every other name. 0 lets none begin; None removes a limit, so that the settings count again. Those that
                are not named stay.
        """
        return self._send(calls.set_limits(most))
