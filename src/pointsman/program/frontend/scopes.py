"""Which names a function binds, which its inner functions share, and which of those need a box (a cell).

A closed-over variable is captured *by value* when that cannot be told from Python's by-reference capture: it is
bound once, before the closure is made, and outside any loop; or the closure is used up by the call it is an argument of
(``sorted(key=lambda ...)``, ``sum(x for ...)``). Every other one lives in a cell that all closures share.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pointsman.program.frontend.module import FunctionNode

__all__ = ["Scope", "analyse", "bound_names", "free_names", "inner_functions", "parameters", "used_up"]

_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

# calls that are done with their arguments when they return
_CONSUMERS = frozenset(
    "sum any all min max sorted list tuple set frozenset dict len str Counter deque OrderedDict reduce nlargest "
    "nsmallest mean median fsum prod bytes".split()
)
_CONSUMING_METHODS = frozenset(
    "join sort extend update union intersection difference issubset issuperset sub reduce nlargest nsmallest Counter "
    "fsum prod mean median deque".split()
)
# calls that hand their arguments on to whoever consumes their result
_LAZY = frozenset("map filter zip enumerate reversed iter islice chain takewhile dropwhile starmap accumulate".split())


@dataclass
class Scope:
    """Names of one function: its own, those boxed in cells, and the functions directly inside it."""

    names: set[str] = field(default_factory=set)
    cells: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    has_walrus: bool = False


def parameters(node: FunctionNode) -> list[ast.arg]:
    args = node.args
    starred = [a for a in (args.vararg,) if a] + args.kwonlyargs + [a for a in (args.kwarg,) if a]
    return [*args.posonlyargs, *args.args, *starred]


def _own_nodes(node: ast.AST, into_comprehensions: bool = True) -> Iterator[ast.AST]:
    """The nodes that belong to a function itself: not those inside inner functions."""
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, _FUNCTIONS | ast.ClassDef):
            continue
        if isinstance(child, _COMPREHENSIONS) and not into_comprehensions:
            continue
        yield from _own_nodes(child, into_comprehensions)


def is_generator(node: FunctionNode) -> bool:
    """Whether a `yield` stands in the function itself, also where it is never reached."""
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in _own_nodes(_function_body(node)))


def is_read_outside(node: FunctionNode, name: str, parts: Iterable[ast.AST]) -> bool:
    """Whether ``name`` is read (or deleted) in the function or in functions inside it, but not in ``parts``."""
    inside = {id(inner) for part in parts for inner in ast.walk(part)}
    reads = (n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Store))
    return any(id(n) not in inside for n in reads)


def _function_body(node: FunctionNode) -> ast.AST:
    body: list[ast.stmt] = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else node.body
    return ast.Module(body=body, type_ignores=[])


def _stored(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name


def bound_names(node: FunctionNode) -> Iterator[str]:
    """Every binding of a name by the function itself, repeated as often as it is bound.

    Imports are not among them: they name library members for the whole function (statements.py).
    """
    for parameter in parameters(node):
        yield parameter.arg
    body = _function_body(node)
    for child in _own_nodes(body, into_comprehensions=False):
        yield from _stored(child)
        if isinstance(child, _COMPREHENSIONS):  # only a walrus binds outside a comprehension
            yield from (n.target.id for n in _own_nodes(child) if isinstance(n, ast.NamedExpr))


def inner_functions(node: FunctionNode) -> list[FunctionNode | ast.GeneratorExp]:
    """Functions made inside ``node`` (also in its comprehensions): the closures that may capture its names."""
    return [n for n in _own_nodes(_function_body(node)) if isinstance(n, _FUNCTIONS | ast.GeneratorExp)]


def free_names(node: FunctionNode | ast.GeneratorExp) -> set[str]:
    """The names that a closure reads from outside itself."""
    if isinstance(node, ast.GeneratorExp):
        bound = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        return used - bound
    declared = {name for n in _own_nodes(_function_body(node)) if isinstance(n, ast.Nonlocal) for name in n.names}
    own = set(bound_names(node)) - declared
    used = set(declared)
    for child in _own_nodes(_function_body(node)):
        if isinstance(child, ast.Name):
            used.add(child.id)
        elif isinstance(child, _FUNCTIONS):
            used |= free_names(child)
            for default in [*child.args.defaults, *child.args.kw_defaults]:
                used |= {n.id for n in ast.walk(default) if isinstance(n, ast.Name)} if default else set()
    return used - own - _comprehension_only(node)


def _comprehension_only(node: FunctionNode) -> set[str]:
    """Names that occur in this function only as variables of its comprehensions."""
    inside: set[str] = set()
    outside: set[str] = set()
    for child in _own_nodes(_function_body(node), into_comprehensions=False):
        if isinstance(child, _COMPREHENSIONS):
            targets = {n.id for g in child.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
            names = {n.id for n in ast.walk(child) if isinstance(n, ast.Name)}
            first = {n.id for n in ast.walk(child.generators[0].iter) if isinstance(n, ast.Name)}
            inside |= targets
            outside |= (names - targets) | first
        elif isinstance(child, ast.Name):
            outside.add(child.id)
        elif isinstance(child, _FUNCTIONS):
            outside |= free_names(child)
    return inside - outside


def used_up(node: FunctionNode) -> set[ast.AST]:
    """The lambdas and generators in ``node`` that are finished when the call they are an argument of returns."""
    found: set[ast.AST] = set()

    def visit(child: ast.AST, consumed: bool) -> None:
        if isinstance(child, ast.Lambda | ast.GeneratorExp):
            if consumed:
                found.add(child)
            return
        if isinstance(child, ast.Call):
            name = getattr(child.func, "attr", None) or getattr(child.func, "id", "")
            methods = isinstance(child.func, ast.Attribute)
            inner = name in (_CONSUMING_METHODS | _CONSUMERS if methods else _CONSUMERS) or (name in _LAZY and consumed)
            visit(child.func, False)
            for argument in [*child.args, *(k.value for k in child.keywords)]:
                visit(argument.value if isinstance(argument, ast.Starred) else argument, inner)
            return
        for grandchild in ast.iter_child_nodes(child):
            visit(grandchild, False)

    for child in ast.walk(_function_body(node)):
        if isinstance(child, ast.Call):
            visit(child, False)
    return found


def _bound_once_before(node: FunctionNode, name: str, closures: list[ast.AST]) -> bool:
    """Whether ``name`` has one binding, at the top level of the body, that every given closure comes after."""
    if list(bound_names(node)).count(name) != 1:
        return False
    if name in {p.arg for p in parameters(node)}:
        return True
    if isinstance(node, ast.Lambda):
        return False
    for position, statement in enumerate(node.body):
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.FunctionDef) and name in _statement_bindings(
            statement
        ):
            earlier = {n for s in node.body[:position] for n in ast.walk(s)}
            same = set(ast.walk(statement))
            recursive = isinstance(statement, ast.FunctionDef)
            return not any(c in earlier or (c in same and not (recursive and c is statement)) for c in closures)
    return False


def _statement_bindings(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    return {name for n in ast.walk(statement) for name in _stored(n)}


def analyse(node: FunctionNode) -> Scope:
    """The scope of one function. Cells are the shared names whose capture by value could be told apart."""
    scope = Scope()
    body = _function_body(node)
    for child in _own_nodes(body):
        if isinstance(child, ast.Nonlocal):
            scope.nonlocals.update(child.names)
        elif isinstance(child, ast.Global):
            scope.globals.update(child.names)
        elif isinstance(child, ast.NamedExpr):
            scope.has_walrus = True
    scope.names = set(bound_names(node)) - scope.nonlocals - scope.globals
    consumed = used_up(node)
    closures = [c for c in inner_functions(node) if c not in consumed]
    written = {
        name
        for closure in inner_functions(node)
        for n in ast.walk(closure)
        if isinstance(n, ast.Nonlocal)
        for name in n.names
    }
    for name in scope.names:
        capturing = [c for c in closures if name in free_names(c)]
        if name in written or (capturing and not _bound_once_before(node, name, list(capturing))):
            scope.cells.add(name)
    return scope
