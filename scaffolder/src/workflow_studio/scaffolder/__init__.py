"""Workflow Studio."""
