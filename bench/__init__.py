"""Side-by-side measurements of Worlds: the same workflows, from one build of one app, on one machine."""
