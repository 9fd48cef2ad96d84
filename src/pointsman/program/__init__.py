"""Ordinary code -> proved routing tables -> code again.

Covered: the table of a function, or a refusal that says where and why. See ``docs/program.md``. The names below are
loaded when they are first used: running a table needs neither the front end nor a solver.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.program.frontend.refusal import Refusal
    from pointsman.program.judgement import answering, choose, extract, judge
    from pointsman.program.pipeline import Compiled, CompileOptions, MismatchError, compile_function, compile_table
    from pointsman.program.runtime import Answer, Outcome, Table, load_table

__all__ = [
    "Answer",
    "CompileOptions",
    "Compiled",
    "MismatchError",
    "Outcome",
    "Refusal",
    "Table",
    "answering",
    "choose",
    "compile_function",
    "compile_table",
    "extract",
    "judge",
    "load_table",
]

_HOMES = {
    "Refusal": "frontend.refusal",
    **dict.fromkeys(("answering", "choose", "extract", "judge"), "judgement"),
    **dict.fromkeys(("CompileOptions", "Compiled", "MismatchError", "compile_function", "compile_table"), "pipeline"),
    **dict.fromkeys(("Answer", "Outcome", "Table", "load_table"), "runtime"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
