"""The part of a draft that may be executed, in the sandboxed child of the differential test.

Nobody has read a draft before it is compiled, and the sandbox stops accidents, not harm. So what is kept is what the
function needs, and of that only what the front end has read:

before:  imports, functions, records, module values, calls at the top level
after:   ``from __future__ import annotations`` (they are not evaluated), then what the function reaches, as written

Covered: statements at the top level that do something; definitions, values and imports that nothing reached uses.
Doctests, which are source in a text, are left out by ``CompileOptions.doctests``.
Not covered: defects of the front end.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from pointsman.program import catalogue
from pointsman.program.frontend import Module, lower_program
from pointsman.program.frontend.builder import Program
from pointsman.program.frontend.records import is_type
from pointsman.program.writing.draft import BadDraft, Draft

__all__ = ["IMPORTABLE", "accepted_source"]

IMPORTABLE: Final = frozenset(catalogue.LIBRARY) | {"dataclasses", "enum", "typing"}
"""The modules that a draft may import from."""

_OURS: Final = "pointsman"  # where questions come from, which are refused with a reason of their own
_FUTURE: Final = "from __future__ import annotations"


def accepted_source(draft: Draft) -> str:
    """The source that is compiled, executed for comparison, and kept.

    Raises:
        Refusal: the front end does not take the function or what it calls.
        BadDraft: a function imports from a module that is not listed, or has an annotation that calls something.
    """
    module = draft.module
    lowered = lower_program(module, draft.entry)
    statements = [statement for statement in ast.parse(module.source).body if _is_read(statement, lowered)]
    needed = _needed(statements, draft.entry, module)
    for node in (node for statement in needed for node in ast.walk(statement)):
        if problem := _problem(node):
            raise BadDraft(f"line {getattr(node, 'lineno', 1)}: {problem}")
    return _joined([_text(statement, module.source) for statement in needed])


def _problem(node: ast.AST) -> str | None:
    """What the front end passes over inside of what it has read: imports that nothing uses, and annotations."""
    if isinstance(node, ast.Import | ast.ImportFrom) and not _is_listed(node):
        return f"{ast.unparse(node)!r} is not from one of {', '.join(sorted(IMPORTABLE))}"
    kinds = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    strange = next((kind for kind in kinds if kind is not None and not is_type(kind)), None)
    return None if strange is None else f"the annotation {ast.unparse(strange)!r} is not the name of a type"


def _is_read(statement: ast.stmt, lowered: Program) -> bool:
    """Whether the front end has read all that executing a statement evaluates."""
    module = lowered.module
    match statement:
        case ast.FunctionDef(name=name):
            return name in lowered.functions and module.functions[name].lineno == statement.lineno
        case ast.ClassDef(name=name):
            return name in lowered.records and module.classes[name].lineno == statement.lineno
        case ast.Import() | ast.ImportFrom():
            return _is_listed(statement)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            made = lowered.globals.keys() | lowered.records.keys()
            return is_type(value) or _is_literal(value) or made.issuperset(_bound(statement))
    return False


def _is_listed(node: ast.Import | ast.ImportFrom) -> bool:
    named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
    return getattr(node, "level", 0) == 0 and all(name in IMPORTABLE or name == _OURS for name in named)


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _needed(statements: list[ast.stmt], entry: str, module: Module) -> list[ast.stmt]:
    """What the entry reaches by name, through annotations too, in the source's order."""
    wanted, kept = {entry}, set[ast.stmt]()
    while found := [s for s in statements if s not in kept and not wanted.isdisjoint(_bound(s))]:
        kept.update(found)
        wanted.update(name for statement in found for name in _used(statement, module))
    return [statement for statement in statements if statement in kept]


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of the top level gives a meaning."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
        case ast.Assign(targets=targets):
            yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _used(statement: ast.stmt, module: Module) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from module.classes.keys() & set(re.findall(r"\w+", node.value))  # perhaps an annotation


def _text(statement: ast.stmt, source: str) -> str:
    """As it was written: of a definition whole lines with its decorators, of anything else its own part of a line."""
    if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return ast.get_source_segment(source, statement) or ast.unparse(statement)
    first = min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
    return "\n".join(source.split("\n")[first - 1 : statement.end_lineno]).rstrip()


def _joined(texts: list[str]) -> str:
    """A module of statements: definitions stand two lines apart, imports and values one below the other."""
    source, before = _FUTURE, "future"
    for text in texts:
        kind = "import" if text.startswith(("import ", "from ")) else "value"
        kind = "definition" if text.startswith(("def ", "class ", "@")) else kind
        gap = "\n\n\n" if "definition" in (kind, before) else "\n" if kind == before else "\n\n"
        source, before = f"{source}{gap}{text}", kind
    return source + "\n"
