"""Ordinary code -> proved routing tables -> code again.

Covered: the table of a function, or a refusal that says where and why. See ``docs/program.md``.
"""

from pointsman.program.frontend.refusal import Refusal
from pointsman.program.pipeline import CompileOptions, Compiled, MismatchError, compile_function, compile_table
from pointsman.program.runtime import Answer, Outcome, Table, load_table

__all__ = [
    "Answer",
    "CompileOptions",
    "Compiled",
    "MismatchError",
    "Outcome",
    "Refusal",
    "Table",
    "compile_function",
    "compile_table",
    "load_table",
]
