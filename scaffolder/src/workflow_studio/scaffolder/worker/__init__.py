"""Start a worker as a process of its own; this package never imports it."""
