"""Checks of compiled programs against the Python they came from."""
