"""``studio dev`` in an app of Hono."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.dev.apps import HONO
from tests.e2e.dev.checks import DevChecks

if TYPE_CHECKING:
    from tests.e2e.dev.support import DevApp


class TestDevOfHono(DevChecks):
    app: ClassVar[DevApp] = HONO
