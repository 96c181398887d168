"""The protocol of Workflow Studio."""
