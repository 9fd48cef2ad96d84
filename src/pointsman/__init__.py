"""Answers each request with as little language model as it needs."""

__version__ = "0.1.0"
