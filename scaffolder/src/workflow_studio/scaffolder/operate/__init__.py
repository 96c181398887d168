"""Look after a worker: its runs, deployments, keys and audit log."""
