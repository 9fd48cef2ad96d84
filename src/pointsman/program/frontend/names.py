"""What a name in the source refers to: a variable, a cell, a captured value, or something of the module or library."""

from __future__ import annotations

import ast
import builtins

from pointsman.program import catalogue, ir
from pointsman.program.frontend.builder import Builder
from pointsman.program.frontend.module import Module
from pointsman.program.frontend.records import record_of
from pointsman.program.frontend.refusal import Refusal

_PURE_PACKAGES = frozenset(name.partition(".")[0] for name in catalogue.LIBRARY) | {
    "typing",
    "dataclasses",
    "enum",
    "__future__",
}

__all__ = ["dotted_path", "load_name", "may_be_opaque", "module_name", "reference", "store_name"]

_IMPURE_BUILTINS = frozenset(
    "eval exec compile __import__ globals locals vars getattr setattr delattr id memoryview".split()
)
_IO_BUILTINS = frozenset("print input open breakpoint exit quit help".split())


def load_name(b: Builder, name: str, node: ast.AST) -> ir.Operand:
    """The operand for reading ``name``; reading a cell is a step of its own."""
    if name in b.comprehension_names:
        return ir.Var(b.comprehension_names[name])
    if name in b.scope.names:
        if name in b.scope.cells:
            return b.let("cell_get", ir.Var(name), attrs=(name, "local"), node=node)
        operand = ir.Var(name)
        return b.snapshot(operand, node) if b.scope.has_walrus else operand
    found = capture(b, name)
    if found == "value":
        return ir.Var(name)
    if found == "cell":
        return b.let("cell_get", ir.Var(name), attrs=(name, "free"), node=node)
    return module_name(b, name, node)


def store_name(b: Builder, name: str, value: ir.Operand, node: ast.AST) -> None:
    if name in b.comprehension_names:
        raise b.refuse("PM213", node, f"assignment to the comprehension's variable {name!r}")
    if name in b.scope.globals:
        raise b.refuse("PM204", node, name)
    if name in b.scope.nonlocals:
        if capture(b, name) != "cell":
            raise b.refuse("PM204", node, f"nonlocal {name}")
        b.add(ir.Let(b.temp(), "cell_set", (ir.Var(name), value)))
    elif name in b.scope.cells:
        b.add(ir.Let(b.temp(), "cell_set", (ir.Var(name), value)))
    else:
        b.assign(name, value, node)


def capture(b: Builder, name: str) -> str | None:
    """How ``name`` reaches this function from an enclosing one: by ``value``, as a ``cell``, or not at all (None).

    Records the capture here and in every function between, so that each passes it on.
    """
    if name in b.captured:
        return b.captured[name]
    parent = b.parent
    if parent is None or name in b.scope.globals:
        return None
    if name in parent.comprehension_names:
        kind: str | None = "value"
    elif name in parent.scope.names:
        kind = "cell" if name in parent.scope.cells else "value"
    else:
        kind = capture(parent, name)
    if kind is not None:
        b.captured[name] = kind
    return kind


def module_name(b: Builder, name: str, node: ast.AST) -> ir.Operand:
    """Something of the module, the library or the builtins. Raises Refusal for whatever is not known to be pure."""
    module = b.module
    imported = b.imported(name)
    if imported is not None and name not in module.imports:
        return reference(b, imported, node)
    if name in module.unstable:
        code = "PM105" if name not in module.functions else "PM003"
        raise b.refuse(code, node, f"{name!r} (see line {module.unstable[name].lineno})")
    if name in module.functions:
        b.program.want(name)
        return ir.Ref(f"function:{name}")
    if name in module.classes:
        return _class(b, name, node)
    if name in module.constants:
        return _module_constant(b, name, node)
    if imported is not None:
        return reference(b, imported, node)
    if name in _IO_BUILTINS:
        raise b.refuse("PM101", node, name)
    if name in _IMPURE_BUILTINS:
        raise b.refuse("PM103", node, name)
    if name in catalogue.BUILTINS or name in catalogue.EXCEPTIONS:
        return ir.Ref(f"builtins.{name}")
    if name == "__name__":
        raise b.refuse("PM104", node, name)
    if hasattr(builtins, name):
        raise b.refuse("PM103", node, name)
    raise b.refuse("PM104", node, repr(name))


def may_be_opaque(module: Module, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
    """Whether nothing in a definition, or in what it refers to, is known to be impure. Names that are not known are."""
    for child in ast.walk(node):
        if isinstance(child, ast.With | ast.AsyncWith | ast.Global | ast.Import | ast.ImportFrom | ast.Await):
            return False
        if not isinstance(child, ast.Name) or child.id in seen:
            continue
        name = child.id
        if name in _IO_BUILTINS or name in _IMPURE_BUILTINS or name in module.unstable:
            return False
        if name in module.imports and module.imports[name].partition(".")[0] not in _PURE_PACKAGES:
            return False
        inner = module.functions.get(name) or module.classes.get(name)
        if inner is not None and inner is not node and not may_be_opaque(module, inner, seen | {name}):
            return False
    return True


def _class(b: Builder, name: str, node: ast.AST) -> ir.Operand:
    """A record; any other class stays the original, where opaque parts are allowed."""
    try:
        return ir.Ref(f"record:{record_of(b.program, name, node)}")
    except Refusal as refusal:
        if not b.program.allow_opaque or not may_be_opaque(b.module, b.module.classes[name]):
            raise
        b.program.opaque[name] = refusal
        return ir.Ref(f"function:{name}")


def _module_constant(b: Builder, name: str, node: ast.AST) -> ir.Operand:
    value = b.module.constants[name]
    literal = _literal(value)
    if literal is not None:
        return literal
    from pointsman.program.frontend.functions import lower_global  # the one cycle: a value may need any expression

    record = named_tuple_of(b, name, value)
    if record is not None:
        return ir.Ref(f"record:{record}")
    lower_global(b.program, name, value)
    return b.let("global_get", attrs=(name,), node=node)


def named_tuple_of(b: Builder, name: str, value: ast.expr) -> str | None:
    """``Point = namedtuple("Point", ...)`` declares a record."""
    if not isinstance(value, ast.Call):
        return None
    path = dotted_path(b, value.func)
    if path not in {"collections.namedtuple", "typing.NamedTuple"}:
        return None
    return record_of(b.program, name, value)


def _literal(value: ast.expr) -> ir.Const | None:
    try:
        constant = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return ir.Const(constant) if is_constant(constant) else None


def is_constant(value: object) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(is_constant(item) for item in value)
    return value is None or value is Ellipsis or type(value) in {bool, int, float, complex, str, bytes}


def dotted_path(b: Builder, node: ast.expr) -> str | None:
    """``math.sqrt`` for an expression that spells a library member through this module's imports, else None."""
    if isinstance(node, ast.Name):
        name = node.id
        if name in b.comprehension_names or name in b.scope.names or capture(b, name) or name in b.module.unstable:
            return None
        imported = b.imported(name)
        if imported is not None:
            return imported
        known = name in catalogue.BUILTINS and not b.module._bound(name)
        return f"builtins.{name}" if known else None
    if isinstance(node, ast.Attribute):
        head = dotted_path(b, node.value)
        return f"{head}.{node.attr}" if head else None
    return None


def reference(b: Builder, path: str, node: ast.AST) -> ir.Operand:
    """A library member by its full path; immutable values (``math.pi``) become constants."""
    if path in {"typing.List", "typing.Dict", "typing.Tuple", "typing.Set"}:
        path = f"builtins.{path.rpartition('.')[2].lower()}"
    try:
        value = catalogue.resolve_ref(path)
    except (KeyError, ImportError, AttributeError):
        raise b.refuse("PM102", node, path) from None
    if path in catalogue.BY_NAME:
        raise b.refuse("PM111", node, f"{path} that is not called at once")
    # nan has no literal and is not equal to itself: it stays a reference
    return ir.Const(value) if is_constant(value) and value == value else ir.Ref(path)
