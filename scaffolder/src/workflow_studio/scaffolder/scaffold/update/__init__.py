"""Bringing an app forward to a later version of the template, with the edits of its owner kept."""
