"""Build an app's workflows into an artifact."""
