"""What the packages for apps in Python share."""

from __future__ import annotations

from tests.support import blocking_client


def test_the_connection_that_blocks_is_the_other_one_without_awaiting() -> None:
    written = (blocking_client.CORE / "blocking.py").read_text("utf-8")
    assert written == blocking_client.rendered_core(), "run: python -m tests.support.blocking_client --write"
