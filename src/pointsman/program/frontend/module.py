"""What a source file defines at its top level, found without running it."""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass, field

from pointsman.program import catalogue
from pointsman.program.frontend.constants import changed_constants
from pointsman.program.frontend.refusal import Refusal

__all__ = ["FunctionNode", "Module", "data_attributes"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Module:
    """One source file. ``imports`` maps a local name to a module (``math``) or a member (``math.sqrt``)."""

    source: str
    filename: str
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    unstable: dict[str, ast.stmt] = field(default_factory=dict)  # names bound in ways that are not followed

    @classmethod
    def parse(cls, source: str, filename: str = "<source>") -> Module:
        """Raises Refusal PM001 when the source is not Python 3.11."""
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError, RecursionError) as exc:
            place = ast.Pass(
                lineno=getattr(exc, "lineno", None) or 1, col_offset=max((getattr(exc, "offset", 1) or 1) - 1, 0)
            )
            raise Refusal("PM001", place, filename, source, getattr(exc, "msg", None) or str(exc)) from exc
        module = cls(source, filename)
        for statement in tree.body:
            module._add(statement)
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                module.unstable.update(dict.fromkeys(node.names, node))
        for name, where in changed_constants(tree, module.constants).items():
            module.unstable.setdefault(name, where)
        return module

    def refuse(self, code: str, node: ast.AST | None, detail: str = "") -> Refusal:
        return Refusal(code, node, self.filename, self.source, detail)

    def function(self, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Raises Refusal PM002 or PM003."""
        if name in self.unstable:
            raise self.refuse("PM003", self.unstable[name], name)
        if name not in self.functions:
            known = ", ".join(sorted(self.functions)) or "none"
            raise self.refuse("PM002", None, f"{name!r}; this file defines: {known}")
        return self.functions[name]

    def _bound(self, name: str) -> bool:
        return any(name in names for names in (self.functions, self.classes, self.constants, self.imports))

    def _add(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                # the last definition is the one that calls see; an earlier one of the same name is dead
                self._forget(name)
                self.functions[name] = statement
            case ast.ClassDef(name=name):
                self._forget(name)
                self.classes[name] = statement
            case ast.Import(names=names):
                for alias in names:
                    self.imports[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom(module=source, names=names, level=level) if any(a.name == "*" for a in names):
                self._import_star(statement, f"{'.' * level}{source or ''}")
            case ast.ImportFrom(module=source, names=names, level=level):
                for alias in names:
                    self._forget(alias.asname or alias.name)
                    self.imports[alias.asname or alias.name] = f"{'.' * level}{source or ''}.{alias.name}"
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value, statement)
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                self._assign([ast.Name(id=name)], value, statement)
            case ast.Expr() | ast.Pass():
                pass
            case ast.If(test=test) if _is_main_test(test):
                pass
            case _:
                for node in ast.walk(statement):
                    bound = _binding_name(node)
                    if bound == "*":
                        self.unstable.update(dict.fromkeys(self._all_bound(), statement))
                    elif bound is not None:
                        self.unstable[bound] = statement

    def _assign(self, targets: list[ast.expr], value: ast.expr, statement: ast.stmt) -> None:
        for target in targets:
            match target:
                case ast.Name(id=name) if not self._bound(name):
                    self.constants[name] = value
                case ast.Tuple(elts=elts) if isinstance(value, ast.Tuple) and len(value.elts) == len(elts):
                    for element, part in zip(elts, value.elts, strict=True):
                        self._assign([element], part, statement)
                case _:
                    for node in ast.walk(target):
                        if isinstance(node, ast.Name):
                            self.unstable[node.id] = statement

    def _import_star(self, statement: ast.stmt, source: str) -> None:
        """``from math import *`` binds what that module has; an unknown module may bind anything bound so far."""
        if source not in catalogue.LIBRARY:
            self.unstable.update(dict.fromkeys(self._all_bound(), statement))
            return
        module = importlib.import_module(source)
        for name in getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]:
            self._forget(name)
            self.imports[name] = f"{source}.{name}"

    def _all_bound(self) -> list[str]:
        return [*self.functions, *self.classes, *self.constants, *self.imports]

    def _forget(self, name: str) -> None:
        for names in (self.functions, self.classes, self.constants, self.imports):
            names.pop(name, None)


# the interpreter's own attributes (frames, code, generators) and private ones
_RESERVED_PREFIXES = ("_", "f_", "co_", "tb_", "gi_", "cr_", "ag_", "mro")


def data_attributes(node: ast.ClassDef) -> frozenset[str]:
    """Names that hold data in instances of a class: declared in its body, or set on self, but not methods."""
    methods = {s.name for s in node.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
    found: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found.add(statement.target.id)
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store) and isinstance(child.value, ast.Name):
            found |= {child.attr} if child.value.id == "self" else set()
    return frozenset(name for name in found - methods if not name.startswith(_RESERVED_PREFIXES))


def _is_main_test(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def _binding_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        return node.id
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.alias):
        return node.asname or node.name.partition(".")[0]
    return None
