"""Answers each request with as little language model as it needs.

    from pointsman import compile_function, load_table

The names below are loaded when they are first used, so that ``import pointsman`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.program import (
        Table,
        answering,
        choose,
        compile_function,
        compile_table,
        extract,
        judge,
        load_table,
    )

__version__ = "0.1.0"
__all__ = [
    "Table",
    "__version__",
    "answering",
    "choose",
    "compile_function",
    "compile_table",
    "extract",
    "judge",
    "load_table",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pointsman' has no attribute {name!r}")
    from pointsman import program

    return getattr(program, name)
