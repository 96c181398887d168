"""Work on the database that needs no worker: ``python -m workflow_studio.worker.db``."""
