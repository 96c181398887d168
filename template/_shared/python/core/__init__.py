"""What Workflow Studio does in every app in Python, whatever its framework."""
