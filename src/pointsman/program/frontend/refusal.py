"""Refusals: each construct that the compiler does not take, with a stable id, the reason and the nearest rewriting."""

from __future__ import annotations

import ast
from typing import Final

from pointsman.core import Unsupported

__all__ = ["REFUSALS", "Refusal"]

# id -> (what is refused, what to write instead)
REFUSALS: Final[dict[str, tuple[str, str]]] = {
    "PM001": ("the source does not parse", "correct the syntax error; Python 3.11 grammar is accepted"),
    "PM002": ("no such function", "name a function that is defined at the top level of the file, as FILE:FUNCTION"),
    "PM003": ("a function that is defined twice or under a condition", "keep one unconditional definition"),
    "PM101": ("input or output", "return the value, and let the caller print, read or write"),
    "PM102": ("a module or member that is not in the list of pure ones", "pass the value in as a parameter"),
    "PM103": ("a builtin that is impure or runs text as code", "call the function that the text names directly"),
    "PM104": ("a name that is not defined", "define it, or import it at the top of the module"),
    "PM105": ("a module-level variable that may be changed", "pass it as a parameter and return the new value"),
    "PM106": ("a decorator other than functools.cache and lru_cache", "call the decorator's effect explicitly"),
    "PM107": ("a mutable default argument", "default to None and make the value inside the function"),
    "PM108": ("an attribute that no known type has", "declare a frozen dataclass or NamedTuple with that field"),
    "PM109": ("a method that no known type has", "make it a function that takes the object as a parameter"),
    "PM110": ("a class that is not a plain record", "use a frozen dataclass, NamedTuple, TypedDict or Enum"),
    "PM111": ("looking up an attribute by a name that is not constant and listed", "write a lambda: lambda x: x.name"),
    "PM201": ("asynchronous code", "write the synchronous form"),
    "PM203": ("a `with` statement", "open the resource outside and pass its content in"),
    "PM204": ("`global`", "pass the value as a parameter and return the new one"),
    "PM205": ("an import in this place", "import at the top of the module or function"),
    "PM206": ("a class inside a function", "define the record at module level"),
    "PM207": ("`except*`", "use a plain `except`"),
    "PM208": (
        "a closure over a comprehension's variable that outlives its turn",
        "bind it as a default: lambda i=i: ...",
    ),
    "PM209": ("an identity test between two computed values", "use == for values, or compare with None"),
    "PM210": ("a pattern of this kind", "use an if/elif chain"),
    "PM211": ("a starred target of this kind", "slice the sequence instead"),
    "PM212": ("this kind of statement", "write it with if, for, while, assignments and return"),
    "PM213": ("this kind of expression", "compute it in separate statements"),
    "PM214": ("a deletion of this kind", "delete one subscript or name at a time"),
    "PM215": ("`yield` in a comprehension, a lambda, or a `try` with `finally`", "collect into a list"),
    "PM216": ("a parameter whose name emitted code uses for itself", "rename the parameter"),
    "PM217": (
        "a judgement that is not written out",
        "call it at once, with constant words first and the text last: judge('it is late', message)",
    ),
    "PM218": ("a judgement on a value that is not a text", "pass a parameter that is annotated str, or str(...)"),
    "PM219": (
        "extraction of this kind",
        "extract int, float, str (words of the text), datetime.date or an Enum of this file",
    ),
    "PM301": ("a function that is too large to explore", "split it into smaller functions"),
}


class Refusal(Unsupported):
    """A construct is refused. ``str()`` shows file, line, the source under a caret, the reason and a rewriting.

    Attributes:
        code: an id of ``REFUSALS``; stable.
        line, column: 1-based line and 0-based column in the file.
    """

    def __init__(self, code: str, node: ast.AST | None, filename: str, source: str, detail: str = "") -> None:
        what, hint = REFUSALS[code]
        self.line = getattr(node, "lineno", 0)
        self.column = getattr(node, "col_offset", 0)
        self.filename = filename
        self.reason = f"{what}: {detail}" if detail else what
        self.hint = hint
        where = f"{filename}:{self.line}:{self.column + 1}: " if self.line else f"{filename}: "
        excerpt = _excerpt(source, node) if self.line else ""
        super().__init__(f"{where}{code} not supported: {self.reason}\n{excerpt}  instead: {hint}", code=code)


def _excerpt(source: str, node: ast.AST | None) -> str:
    lines = source.splitlines()
    line = getattr(node, "lineno", 0)
    if not 0 < line <= len(lines):
        return ""
    text = lines[line - 1]
    # ast counts columns in UTF-8 bytes; the caret stands under characters
    start = len(text.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
    end_column = getattr(node, "end_col_offset", None)
    same_line = getattr(node, "end_lineno", line) == line and end_column is not None
    end = len(text.encode()[:end_column].decode(errors="ignore")) if same_line else len(text)
    blank = "".join("\t" if c == "\t" else " " for c in text[:start])
    return f"    {text}\n    {blank}{'^' * max(1, end - start)}\n"
