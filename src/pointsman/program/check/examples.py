"""The inputs that a source brings along: doctests and own tests are run with a recorder in the function's place."""

from __future__ import annotations

import ast
import copy
import doctest
import functools
from collections.abc import Callable, Mapping
from typing import Any

from pointsman.program.check.behaviour import Behaviour, Row, observe
from pointsman.program.check.sandbox import TimeUp, time_limit

__all__ = ["call_text", "definition", "recorded_rows", "run_tests"]

_MAX_ROWS = 24
_TEST_SECONDS = 3.0


def recorded_rows(
    entry: str,
    original: Callable[..., Any],
    namespace: Mapping[str, Any],
    tests: str,
    seconds: float,
    *,
    doctests: bool = True,
) -> list[Row]:
    """The arguments of every call that doctests of the function and ``tests`` make. Runs them."""
    found: list[Row] = []
    names = {**namespace, entry: _recorder(original, found)}
    text = (getattr(original, "__doc__", None) or "") if doctests else ""
    try:
        with time_limit(seconds):
            for example in doctest.DocTestParser().get_examples(text) if ">>>" in text else ():
                _attempt(example.source, "single", names)
            for statement in _statements(tests):
                _attempt(statement, "exec", names)
    except (TimeUp, ValueError):
        pass  # a malformed or slow docstring gives fewer rows
    return found


def _recorder(original: Callable[..., Any], found: list[Row]) -> Callable[..., Any]:
    @functools.wraps(original)
    def record(*args: Any, **kwargs: Any) -> Any:
        if len(found) < _MAX_ROWS:
            found.append(copy.deepcopy((args, kwargs)))
        return original(*args, **kwargs)

    return record


def _attempt(source: str, mode: str, names: dict[str, Any]) -> None:
    """A test that fails has still shown its arguments."""
    try:
        exec(compile(source, "<test>", mode, dont_inherit=True), names)  # noqa: S102  in the sandboxed child
    except TimeUp:
        raise
    except BaseException:  # noqa: BLE001
        return


def _statements(tests: str) -> list[str]:
    try:
        return [ast.unparse(statement) for statement in ast.parse(tests).body]
    except SyntaxError:
        return []


def run_tests(tests: str, namespace: Mapping[str, Any], max_depth: int) -> list[Behaviour]:
    """How each statement of ``tests`` ends in a copy of the namespace."""
    names = dict(namespace)

    def run(statement: str) -> None:
        exec(compile(statement, "<test>", "exec", dont_inherit=True), names)  # noqa: S102  in the sandboxed child

    return [observe(run, ((statement,), {}), _TEST_SECONDS, max_depth) for statement in _statements(tests)]


def call_text(entry: str, row: Row) -> str:
    """The call, as Python would write it."""
    args, kwargs = row
    try:
        parts = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    except Exception:  # noqa: BLE001  a record's own repr
        parts = ["..."]
    return f"{entry}({', '.join(parts)})"[:2_000]


def definition(source: str, entry: str) -> ast.AST:
    """The last top-level definition of a function; an empty module where there is none."""
    found = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == entry]
    return found[-1] if found else ast.Module([], [])
