"""Taking Workflow Studio out of an app."""
