"""What can be read from a request for each parameter of a program, and in what words it is asked for.

A parameter that is called `request` or `message` is the request itself. Others are asked for in the
words of the docstring's `Args:`, or by their names. Numbers, truths, texts, dates, options and lists of numbers or
texts can be read; records, dictionaries and other objects are given beside the request.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pointsman.core.asking import Question, Value
from pointsman.program.ir import Param
from pointsman.program.runtime import Table

__all__ = ["Wanted", "is_request", "summary_of", "wanted_of"]

_REQUEST: Final = ("request", "message")
_SCALARS: Final[Mapping[str, Any]] = {"int": "int", "float": "float", "str": "span", "date": "date"}
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_RUN: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[,;]?\s+-?\d+(?:\.\d+)?)*")
_VERB: Final = re.compile(r"(?:Return|Returns|Say|Says|Give|Gives|Tell|Tells|Compute|Computes|Find|Finds)\s+")

Read = Callable[[Value, str], Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parameter that is read from a request.

    Attributes:
        name: of the parameter.
        words: what it is.
        question: how it is asked for.
        read: its JSON value from the answer and the request; None where the answer is no such value.
        is_needed: whether it has no default.
    """

    name: str
    words: str
    question: Question
    read: Read
    is_needed: bool


def is_request(param: Param) -> bool:
    """Whether a parameter is the request itself."""
    return param.name in _REQUEST and param.annotation in {"str", None}


def wanted_of(table: Table) -> tuple[dict[str, Wanted], dict[str, str]]:
    """Parameters that can be read, by name; and those that cannot, with what they are."""
    readable, others = {}, {}
    for param in table.machine.params:
        if is_request(param) or param.kind in {"star", "double_star"}:
            continue
        words = table.parameters.get(param.name) or param.name.replace("_", " ")
        found = _wanted(param, words)
        if found is None:
            others[param.name] = words
        else:
            readable[param.name] = found
    return readable, others


def summary_of(table: Table) -> str:
    """What a program is for, as the end of `this asks for ...`: its first line without the verb and what follows."""
    line = _VERB.sub("", table.description, count=1)
    return re.split(r"[.,;:](?:\s|$)", line)[0].strip() or table.name.replace("_", " ")


def _wanted(param: Param, words: str) -> Wanted | None:
    found = _asked(param.annotation or "", words)
    return None if found is None else Wanted(param.name, words, *found, is_needed=param.default is None)


def _asked(annotation: str, words: str) -> tuple[Question, Read] | None:
    kind = annotation.replace(" ", "").removesuffix("|None").removeprefix("datetime.")
    kind = kind[9:-1] if kind.startswith("Optional[") else kind
    if kind in _SCALARS:
        return Question("extract", words, _SCALARS[kind]), _same
    if kind == "bool":
        return Question("judge", words, "bool"), _same
    if kind in {"list[int]", "list[float]", "list[str]", "tuple[int,...]", "tuple[float,...]"}:
        return Question("extract", words, "span"), _LISTS[re.split(r"[\[\],]", kind)[1]]
    options = _literals(annotation)
    return (Question("extract", words, "option", options), _same) if options else None


def _literals(annotation: str) -> tuple[str, ...]:
    """The texts of `Literal["a", "b"]`."""
    if not annotation.startswith(("Literal[", "typing.Literal[")):
        return ()
    try:
        values = ast.literal_eval("(" + annotation.partition("[")[2].rstrip("]") + ",)")
    except (ValueError, SyntaxError):
        return ()
    return values if all(isinstance(value, str) for value in values) else ()


def _same(value: Value, _: str) -> Any:
    return value


def _numbers(value: Value, request: str) -> list[float] | None:
    found = [float(number) for number in _NUMBER.findall(_whole(str(value), request))]
    return found if found and all(map(math.isfinite, found)) else None


def _whole_numbers(value: Value, request: str) -> list[int] | None:
    found = _NUMBER.findall(_whole(str(value), request))
    if not found or any("." in number for number in found):
        return None
    try:
        return [int(number) for number in found]
    except ValueError:  # thousands of digits
        return None


def _whole(part: str, request: str) -> str:
    """A part of a list of numbers as all of the list: where it begins and ends is plain to see, so code does that."""
    start = request.find(part)
    if start < 0:
        return part
    end = start + len(part)
    for run in _RUN.finditer(request):
        if run.start() <= start < run.end() or run.start() < end <= run.end():
            start, end = min(start, run.start()), max(end, run.end())
    return request[start:end]


def _texts(value: Value, _: str) -> list[str] | None:
    return [part.strip() for part in str(value).split(",") if part.strip()] or None


_LISTS: Final[Mapping[str, Read]] = {"int": _whole_numbers, "float": _numbers, "str": _texts}
