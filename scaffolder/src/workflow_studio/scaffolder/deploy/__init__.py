"""Upload artifacts to a worker and choose the one that new runs use."""
