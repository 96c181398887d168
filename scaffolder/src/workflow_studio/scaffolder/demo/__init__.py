"""``studio demo``: the whole road, once, in a temporary folder."""
