"""Which module-level containers a program only reads.

A table has its own copy of a module's values, so a program may read them as long as nothing can change them: neither
the container, nor what is in it. Each use is followed to where the value goes. ``M[i]`` of a list of ints is an int and
may go anywhere; ``M[i]`` of a list of lists is a list that must again only be read. What is unknown counts as a change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

from pointsman.program import catalogue

__all__ = ["changed_constants"]

_UNKNOWN: Final = 1_000  # levels of a value whose parts are not known
# what takes a container and gives a value without any part of it
_MEASURES: Final = frozenset(
    "len sum any all str repr isinstance bisect bisect_left bisect_right range abs bool hash".split()
)
_COPIES: Final = frozenset(  # a new container of the same parts, or an iterator over them
    "sorted enumerate zip list tuple set frozenset dict map filter reversed iter Counter copy".split()
)
_PARTS: Final = frozenset("min max".split())  # one of the parts
_IMMUTABLE_RESULTS: Final = frozenset(
    "sum len int float str bool abs round pow ord chr complex bytes hash range".split()
)
_RECORD_MAKERS: Final = frozenset({"namedtuple", "NamedTuple"})


def changed_constants(tree: ast.Module, constants: Mapping[str, ast.expr]) -> dict[str, ast.stmt]:
    """The constants that something may change, each with the statement where."""
    uses = _Uses(tree, constants)
    return {name: where for name in constants if (where := uses.change_of(name)) is not None}


class _Uses:
    def __init__(self, tree: ast.Module, constants: Mapping[str, ast.expr]) -> None:
        self.constants = constants
        self.parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        self.names: dict[str, list[ast.Name]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self.names.setdefault(node.id, []).append(node)

    def change_of(self, name: str) -> ast.stmt | None:
        levels = self.levels(self.constants[name])
        if levels == 0:
            return None
        for node in self.names.get(name, ()):
            if isinstance(node.ctx, ast.Load) and not self._only_read(node, levels):
                return self._statement(node)
        return None

    def _statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    # -- how deep a value can be changed ---------------------------------------------------------------------------

    def levels(self, value: ast.expr, depth: int = 0) -> int:
        """0 for a value that cannot change; else how many steps into it lead to parts that cannot."""
        if depth > 20:
            return _UNKNOWN
        match value:
            case ast.List(elts=elts) | ast.Set(elts=elts):
                return 1 + self._most(elts, depth)
            case ast.Tuple(elts=elts):
                inner = self._most(elts, depth)
                return inner + 1 if inner else 0
            case ast.Dict(keys=keys, values=values):
                return _UNKNOWN if None in keys else 1 + self._most(values, depth)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.DictComp(value=elt):
                return 1 + (0 if self._is_computed(elt, value.generators) else self.levels(elt, depth + 1))
            case ast.Call(func=func, args=args):
                return self._levels_of_call(func, args, depth)
            case ast.Name(id=name):
                return self._levels_of_name(name, depth)
            case ast.BinOp(left=left, right=right):
                return max(self.levels(left, depth + 1), self.levels(right, depth + 1))
            case ast.IfExp(body=body, orelse=orelse):
                return max(self.levels(body, depth + 1), self.levels(orelse, depth + 1))
            case ast.Constant() | ast.JoinedStr() | ast.UnaryOp() | ast.Compare() | ast.Attribute() | ast.Lambda():
                return 0
        return _UNKNOWN

    def _most(self, parts: Iterable[ast.expr], depth: int) -> int:
        return max((self.levels(part, depth + 1) for part in parts), default=0)

    def _levels_of_call(self, func: ast.expr, args: list[ast.expr], depth: int) -> int:
        name = ast.unparse(func).rpartition(".")[2]
        if name in _RECORD_MAKERS or (isinstance(func, ast.Name) and name in _IMMUTABLE_RESULTS):
            return 0
        if name in {"list", "set", "sorted", "tuple", "frozenset"} and len(args) <= 1:
            if not args or isinstance(args[0], ast.Constant | ast.Attribute) or _is_range(args[0]):
                return 0 if name in {"tuple", "frozenset"} else 1
            inner = self.levels(args[0], depth + 1)
            return max(inner, 1) if inner < _UNKNOWN else _UNKNOWN
        if isinstance(func, ast.Attribute) and name in {"split", "splitlines"}:
            return 1
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Constant | ast.JoinedStr):
            return 0  # a method of a string constant
        return _UNKNOWN

    def _levels_of_name(self, name: str, depth: int) -> int:
        """Another constant that cannot change, a function or a type; anything else is not followed."""
        if name in self.constants:
            return 0 if self.levels(self.constants[name], depth + 1) == 0 else _UNKNOWN
        stored = any(not isinstance(n.ctx, ast.Load) for n in self.names.get(name, ()))
        return _UNKNOWN if stored else 0

    def _is_computed(self, element: ast.expr, generators: list[ast.comprehension]) -> bool:
        """Whether a comprehension's element is a number or text made of numbers or text."""
        if not all(_is_range(g.iter) or isinstance(g.iter, ast.Constant) for g in generators):
            return False
        return not any(isinstance(n, ast.List | ast.Set | ast.Dict | ast.ListComp) for n in ast.walk(element))

    # -- where a value goes ----------------------------------------------------------------------------------------

    def _only_read(self, node: ast.expr, levels: int) -> bool:
        """Whether this use changes neither the value nor a part of it. ``levels``: of the value."""
        if levels <= 0:
            return True
        parent = self.parents[node]
        match parent:
            case ast.Subscript(value=value, ctx=ctx) if value is node:
                return isinstance(ctx, ast.Load) and self._only_read(parent, levels - 1)
            case ast.Attribute(attr=attr):
                return attr not in catalogue.MUTATING_METHODS and self._reads_method(parent, levels)
            case ast.Call(func=func) if func is not node:
                return self._reads_call(parent, func, levels)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value) if value is node:
                return self._reads_target(target, parent, levels - 1)
            case ast.BinOp():
                return levels == 1 or self._only_read(parent, levels)
            case ast.Assign(targets=targets) if all(isinstance(t, ast.Tuple | ast.List) for t in targets):
                return levels == 1  # unpacked: the targets get parts
            case ast.AugAssign() | ast.Starred():
                return levels == 1
            case ast.BoolOp():
                return self._only_read(parent, levels)
            case ast.IfExp(test=test):
                return test is node or self._only_read(parent, levels)
        tests = ast.Compare | ast.UnaryOp | ast.FormattedValue | ast.If | ast.While | ast.Assert | ast.Expr
        return isinstance(parent, tests)

    def _reads_method(self, method: ast.Attribute, levels: int) -> bool:
        """``M.get``, ``M.items`` and the like give parts; they are followed where the method is called at once."""
        call = self.parents[method]
        if levels == 1 or method.attr in {"index", "count", "keys"}:
            return True
        if not isinstance(call, ast.Call) or call.func is not method:
            return False
        return self._only_read(call, levels if method.attr in {"items", "values", "copy"} else levels - 1)

    def _reads_call(self, call: ast.Call, func: ast.expr, levels: int) -> bool:
        """The value is an argument."""
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        if name in _MEASURES or name in {"join", "index", "count"}:
            return True
        if isinstance(func, ast.Attribute) and name in {"extend", "update", "get", "union", "intersection", "issubset"}:
            return levels == 1
        if name in _COPIES or name == "deepcopy":
            return levels == 1 or name == "deepcopy" or self._only_read(call, levels)
        return name in _PARTS and self._only_read(call, levels - 1)

    def _reads_target(self, target: ast.expr, loop: ast.AST, levels: int) -> bool:
        """A loop's variable holds parts: each use of its name in the function around must only read."""
        if levels <= 0:
            return True
        if isinstance(target, ast.Tuple):
            return all(self._reads_target(part, loop, levels - 1) for part in target.elts)
        if not isinstance(target, ast.Name):
            return False
        around = self.parents[loop]
        while not isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            around = self.parents[around]
        inside = set(ast.walk(around))
        loads = [n for n in self.names[target.id] if isinstance(n.ctx, ast.Load) and n in inside]
        return all(self._only_read(n, levels) for n in loads)


def _is_range(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "range"
