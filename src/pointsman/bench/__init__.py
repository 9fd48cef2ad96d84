"""Measurements of each level. Every one checks its answers first and ends its output in one JSON line."""
