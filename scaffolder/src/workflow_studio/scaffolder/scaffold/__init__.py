"""Adding Workflow Studio to an app: detection, the template, edits of the user's files, and the plan they add up to."""
