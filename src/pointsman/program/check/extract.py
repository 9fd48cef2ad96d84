"""The part of a module that one function needs, as a module that can be executed by itself.

before:  imports, functions, classes, module values, calls at the top level, ``if __name__ == "__main__"``
after:   what the function reaches by name, in the same order; imports that fail are skipped; no other statement

Names are followed syntactically, through annotations too, so it may keep more than is needed; it keeps less only where
a module changes itself through ``globals()`` or through calls.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator

__all__ = ["minimal_source"]


def minimal_source(source: str, entry: str) -> str:
    """Raises SyntaxError when the source does not parse."""
    tree = ast.parse(source)
    statements = [statement for statement in tree.body if not _is_main_guard(statement)]
    needed, kept = {entry, "*"}, set[int]()  # anything may come from `import *`
    grown = True
    while grown:
        grown = False
        for position, statement in enumerate(statements):
            if position not in kept and not needed.isdisjoint(_changes(statement)):
                kept.add(position)
                needed.update(_reads(statement))
                grown = True
    body = [_safe(s, needed) for i, s in enumerate(statements) if i in kept or _is_future(s)]
    return ast.unparse(ast.fix_missing_locations(ast.Module([s for s in body if s is not None], []))) + "\n"


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _changes(statement: ast.stmt) -> Iterator[str]:
    """The module-level names that a statement binds, stores into or calls a method of."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.alias(name=name, asname=asname):
                yield asname or name.partition(".")[0]
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
                yield name


def _reads(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value  # perhaps an annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _doctest_names(ast.get_docstring(node) or "")


def _doctest_names(text: str) -> Iterator[str]:
    try:
        for example in doctest.DocTestParser().get_examples(text) if ">>>" in text else ():
            yield from (node.id for node in ast.walk(ast.parse(example.source)) if isinstance(node, ast.Name))
    except (ValueError, SyntaxError):
        return  # a malformed docstring needs nothing


def _safe(statement: ast.stmt, needed: set[str]) -> ast.stmt | None:
    """An import of the needed names only, which may fail."""
    if not isinstance(statement, ast.Import | ast.ImportFrom) or _is_future(statement):
        return statement
    names = [a for a in statement.names if a.name == "*" or (a.asname or a.name.partition(".")[0]) in needed]
    if not names:
        return None
    if isinstance(statement, ast.Import):
        attempt: ast.stmt = ast.Import(names)
    else:
        attempt = ast.ImportFrom(statement.module, names, statement.level)
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [ast.Pass()])
    return ast.Try([attempt], [handler], [], [])
