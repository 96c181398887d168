"""Column types of the migrations."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

STRING: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""A text that is ordered by its bytes."""
