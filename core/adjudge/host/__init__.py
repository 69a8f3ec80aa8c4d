"""Finds plugins, picks components by name, and turns a run file into components."""
