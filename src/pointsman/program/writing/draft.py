"""The function in a model's reply: a fenced block, or the whole text."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pointsman.core import Unverified
from pointsman.program.frontend import Module

__all__ = ["FILENAME", "BadDraft", "Draft", "read_draft"]

FILENAME: Final = "draft.py"
"""How messages about a draft call it."""

_THOUGHT_END: Final = "</think>"  # what reasoning models write first is not their answer
_FENCE: Final = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class BadDraft(Unverified):
    """A reply, or what is in it, cannot be a program of ours. It goes back to the model."""

    code = "bad_draft"


@dataclass(frozen=True, slots=True)
class Draft:
    """A module as a model wrote it, parsed and not executed, and which of its functions is asked for."""

    module: Module
    entry: str


def read_draft(reply: str, function: str | None = None) -> Draft:
    """The draft of a reply: of several blocks the last that defines a function, of several functions the last.

    Args:
        reply: what the model wrote.
        function: the name that it was asked to give, or None.

    Raises:
        BadDraft: it holds no function, or none of that name.
        Refusal: PM001 for a function that does not parse.
    """
    texts = [textwrap.dedent(text) for text in _texts(reply)]
    asked = [text for text in texts if function in _functions(text)]
    found = asked or [text for text in texts if _functions(text)] or [text for text in texts if "def " in text]
    if not found:
        raise BadDraft("the reply holds no Python function")
    module = Module.parse(found[-1], FILENAME)
    names = list(module.functions)
    if not names or (function is not None and function not in names):
        listed = ", ".join(names) or "none at the top level"
        raise BadDraft(f"the reply defines {listed}; expected {function or 'a function'}")
    return Draft(module, function or names[-1])


def _texts(reply: str) -> Iterator[str]:
    answer = re.sub(r"\r\n?", "\n", reply).rpartition(_THOUGHT_END)[2]
    blocks = [match[2] for match in _FENCE.finditer(answer)]
    yield from blocks or [answer]


def _functions(text: str) -> list[str]:
    """None for a text that does not parse."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
