"""Whether a module-level function is pure, judged by its text and, through calls, by that of everything it reaches.

Pure: no input or output, no import outside a list of deterministic standard modules, no change of module variables, no
classes but plain records, no ``with``, nothing asynchronous, no method that no builtin type has; and it gives a value.
The judgement does not depend on what the compiler takes, so that it can be a denominator for it.

Not judged: whether arguments are mutated (that is allowed), and what values passed as functions do.
"""

from __future__ import annotations

import ast
import builtins
import collections
import datetime
import decimal
import fractions
import re
import string
from typing import Final

from pointsman.program.frontend.module import Module

__all__ = ["impurity"]

_PURE_MODULES: Final = frozenset(
    {
        "math",
        "cmath",
        "collections",
        "itertools",
        "functools",
        "heapq",
        "bisect",
        "string",
        "re",
        "copy",
        "operator",
        "fractions",
        "decimal",
        "typing",
        "typing_extensions",
        "dataclasses",
        "enum",
        "abc",
        "numbers",
        "statistics",
        "__future__",
        "types",
        "keyword",
        "datetime",
        "calendar",
        "colorsys",
    }
)
_IMPURE_BUILTINS: Final = frozenset(
    {
        "print",
        "input",
        "open",
        "eval",
        "exec",
        "compile",
        "__import__",
        "globals",
        "locals",
        "vars",
        "breakpoint",
        "exit",
        "quit",
        "help",
        "id",
        "setattr",
        "delattr",
        "memoryview",
    }
)
_RECORD_BASES: Final = frozenset({"NamedTuple", "TypedDict", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})
_CACHES: Final = frozenset({"cache", "lru_cache", "wraps"})
_TYPES: Final = (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, BaseException,
    collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict, fractions.Fraction,
    decimal.Decimal, re.Pattern, re.Match, datetime.date, datetime.timedelta, string.Formatter,
)  # fmt: skip
_METHODS: Final = frozenset(name for kind in _TYPES for name in dir(kind) if not name.startswith("__"))


def impurity(module: Module, entry: str) -> str | None:
    """Why the function is not pure, in a few words; None when it is."""
    judge = _Judge(module)
    waiting = [entry]
    for name in waiting:  # grows while it is read
        reason = judge.function(name, is_entry=name == entry)
        if reason is not None:
            return reason if name == entry else f"{name}: {reason}"
        waiting.extend(sorted(judge.called - set(waiting)))
    return None


class _Judge:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.called: set[str] = set()
        self.fields = {
            statement.target.id
            for node in module.classes.values()
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }

    def function(self, name: str, *, is_entry: bool) -> str | None:
        node = self.module.functions[name]
        if isinstance(node, ast.AsyncFunctionDef):
            return "asynchronous"
        local = _bound_names(node)
        reasons = (self._node(part, local) for part in ast.walk(node))
        decorators = (None if _last_name(d) in _CACHES else f"decorator {ast.unparse(d)}" for d in node.decorator_list)
        reason = next((r for r in (*decorators, *reasons) if r is not None), None)
        if reason is None and is_entry and not _gives_value(node):
            return "no value is returned"
        return reason

    def _node(self, node: ast.AST, local: set[str]) -> str | None:
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.AsyncFunctionDef():
                return "asynchronous"
            case ast.Global(names=names):
                return f"global {names[0]}"
            case ast.With() | ast.ClassDef():
                return type(node).__name__.lower()
            case ast.Import(names=names) if not all(_is_pure_module(a.name) for a in names):
                return f"import {names[0].name}"
            case ast.ImportFrom(module=source, level=level) if level or not _is_pure_module(source or ""):
                return f"import {source}"
            case ast.Name(id=name) if name not in local:
                return self._name(name)
            case ast.Attribute():
                return self._attribute(node, local)
        return None

    def _name(self, name: str) -> str | None:
        module = self.module
        if name in module.unstable:
            return f"module variable {name}"
        if name in module.functions:
            self.called.add(name)
        elif name in module.classes:
            return None if _is_record(module.classes[name]) else f"class {name}"
        elif name in module.imports:
            return None if _is_pure_module(module.imports[name]) else f"import {module.imports[name]}"
        elif name in module.constants:
            return next((r for part in ast.walk(module.constants[name]) if (r := self._node(part, set()))), None)
        elif name in _IMPURE_BUILTINS or not hasattr(builtins, name):
            return f"name {name}"
        return None

    def _attribute(self, node: ast.Attribute, local: set[str]) -> str | None:
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        outer = {*self.module.imports, *self.module.classes} - local
        if isinstance(root, ast.Name) and root.id in outer:
            return None  # judged where the name is
        if node.attr in _METHODS or node.attr in self.fields:
            return None
        return f"attribute {node.attr}"


def _is_pure_module(name: str) -> bool:
    return name.partition(".")[0] in _PURE_MODULES


def _last_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _bound_names(function: ast.AST) -> set[str]:
    """Every name that the function or a function inside it binds."""
    names: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                names.add(name)
            case ast.MatchStar(name=str(name)) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.FunctionDef(name=name) if node is not function:
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
    return names


def _is_record(node: ast.ClassDef) -> bool:
    marked = any(_last_name(d) == "dataclass" for d in node.decorator_list)
    marked = marked or any(_last_name(base) in _RECORD_BASES for base in node.bases)
    plain = ast.AnnAssign | ast.Assign | ast.Pass | ast.Expr
    return marked and all(isinstance(statement, plain) for statement in node.body)


def _gives_value(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.Return) and node.value is not None:
            return True
    return False
