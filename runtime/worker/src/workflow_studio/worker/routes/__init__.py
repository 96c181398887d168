"""The worker's addresses. Thin: a route checks, asks the engine, and shows the answer."""
