"""Work on a worker's database; the worker's own code does it, in a process of its own."""
