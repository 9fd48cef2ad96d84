"""Requests in free words: a program's parameters are read from one, and what is missing is asked for."""

from pointsman.program.text.filling import Filled, fill
from pointsman.program.text.parameters import Wanted, is_request, summary_of, wanted_of

__all__ = ["Filled", "Wanted", "fill", "is_request", "summary_of", "wanted_of"]
