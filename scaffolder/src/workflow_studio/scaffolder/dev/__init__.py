"""The dev loop: edit a workflow, see it run on the worker, without restarting anything."""
