"""``studio dev`` in an app of Nitro."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.dev.apps import NITRO
from tests.e2e.dev.checks import DevChecks

if TYPE_CHECKING:
    from tests.e2e.dev.support import DevApp


class TestDevOfNitro(DevChecks):
    app: ClassVar[DevApp] = NITRO
