"""Functions: signatures, module functions, closures, module-level values; and the program that an entry reaches."""

from __future__ import annotations

import ast

from pointsman.program import ir
from pointsman.program.frontend.bound import check_bound
from pointsman.program.frontend.builder import Builder, Program, loc_of
from pointsman.program.frontend.module import FunctionNode, Module
from pointsman.program.frontend.names import capture, dotted_path, is_constant, may_be_opaque
from pointsman.program.frontend.records import declare_record
from pointsman.program.frontend.refusal import Refusal
from pointsman.program.frontend.scopes import Scope, analyse, is_generator, used_up
from pointsman.program.ir import UNBOUND, Const, Operand, Ref, Var
from pointsman.program.support import RESERVED

__all__ = ["lower_closure", "lower_global", "lower_program"]

_TYPES = {
    "int": "int", "bool": "bool", "str": "str", "float": "float", "list": "list", "List": "list", "dict": "dict",
    "Dict": "dict", "set": "set", "Set": "set", "tuple": "tuple", "Tuple": "tuple", "bytes": "bytes",
}  # fmt: skip

# refused for what they do, not for how they are written: calling the original would be no better
_NEVER_OPAQUE = frozenset(
    {"PM001", "PM002", "PM003", "PM101", "PM102", "PM103", "PM105", "PM107", "PM201", "PM203", "PM204"}
)


def lower_program(module: Module, entry: str, *, allow_opaque: bool = False) -> Program:
    """The IR of ``entry`` and of everything that it reaches.

    With ``allow_opaque`` a function that is refused stays a call to the original. Raises Refusal otherwise, and
    always when the entry itself does not exist.
    """
    program = Program(module, allow_opaque=allow_opaque)
    module.function(entry)
    for name in module.classes:
        declare_record(program, name)
    program.want(entry)
    for name in program.wanted:  # grows while it is read
        snapshot = dict(program.functions), dict(program.globals), len(program.wanted)
        try:
            _lower_function(program, name)
        except Refusal as refusal:
            if not allow_opaque or refusal.code in _NEVER_OPAQUE or not may_be_opaque(module, module.functions[name]):
                raise
            program.functions, program.globals = snapshot[0], snapshot[1]
            del program.wanted[snapshot[2] :]
            program.opaque[name] = refusal
    order = list(module.constants)
    program.globals = dict(sorted(program.globals.items(), key=lambda item: order.index(item[0])))
    return program


def _lower_function(program: Program, name: str) -> None:
    node = program.module.function(name)
    if isinstance(node, ast.AsyncFunctionDef):
        raise program.module.refuse("PM201", node)
    scope = analyse(node)
    b = Builder(program, node, name, scope, None)
    memo = _memo(b, node)
    params = _params(b, node, closure=False)
    program.functions[name] = _finish(b, node, node.name, params, memo)
    _check_bound_everywhere(program, name)


def _finish(b: Builder, node: FunctionNode, qualname: str, params: tuple[ir.Param, ...], memo: int) -> ir.Function:
    from pointsman.program.frontend.expressions import lower
    from pointsman.program.frontend.statements import lower_body

    b.used_up = used_up(node) | (b.parent.used_up if b.parent else set())
    _make_cells(b, node)
    if isinstance(node, ast.Lambda):
        b.add(ir.Return(lower(b, node.body)))
    else:
        lower_body(b, node.body)
    b.add(ir.Return(Const(None)))
    captures = tuple(sorted(b.captured))
    return ir.Function(b.name, qualname, params, tuple(b.body), captures, memo, is_generator(node), loc_of(node))


def _make_cells(b: Builder, node: FunctionNode) -> None:
    names = {p.arg for p in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]}
    names |= {p.arg for p in (node.args.vararg, node.args.kwarg) if p}
    for name in sorted(b.scope.cells):
        initial: Operand = b.let("copy", Var(name), node=node) if name in names else Const(UNBOUND)
        b.assign(name, b.let("cell", initial, node=node), node)


def _memo(b: Builder, node: ast.FunctionDef) -> int:
    memo = 0
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        path = dotted_path(b, call.func if call else decorator)
        if path == "functools.cache" and call is None:
            memo = -1
        elif path == "functools.lru_cache":
            memo = 128 if call is None else _cache_size(b, call)
        else:
            raise b.refuse("PM106", decorator, ast.unparse(decorator))
    return memo


def _cache_size(b: Builder, call: ast.Call) -> int:
    values = [*call.args, *(k.value for k in call.keywords if k.arg == "maxsize")]
    if len(values) > 1 or any(k.arg != "maxsize" for k in call.keywords):
        raise b.refuse("PM106", call, ast.unparse(call))
    if not values:
        return 128
    if isinstance(values[0], ast.Constant) and values[0].value is None:
        return -1
    if isinstance(values[0], ast.Constant) and type(values[0].value) is int and values[0].value > 0:
        return values[0].value
    raise b.refuse("PM106", call, ast.unparse(call))


def _params(b: Builder, node: FunctionNode, *, closure: bool) -> tuple[ir.Param, ...]:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    params = []
    for position, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        kind = "positional_only" if position < len(args.posonlyargs) else "plain"
        params.append(_param(b, arg, kind, default, closure=closure))
    if args.vararg:
        params.append(_param(b, args.vararg, "star", None, closure=closure))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        params.append(_param(b, arg, "keyword_only", default, closure=closure))
    if args.kwarg:
        params.append(_param(b, args.kwarg, "double_star", None, closure=closure))
    return tuple(params)


def _param(b: Builder, arg: ast.arg, kind: str, default: ast.expr | None, *, closure: bool) -> ir.Param:
    if arg.arg in RESERVED or (arg.arg.startswith("__") and arg.arg.endswith("__")):
        raise b.refuse("PM216", arg, arg.arg)
    annotation = None if arg.annotation is None else _annotation_text(arg.annotation)
    outer = (annotation or "").partition("[")[0].rpartition(".")[2]
    checked = _TYPES.get(outer) if kind not in {"star", "double_star"} else None
    value = None if default is None else _default(b, arg.arg, default, closure=closure)
    return ir.Param(arg.arg, kind, checked, annotation, value)


def _annotation_text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node)


def _float_of_constant(b: Builder, node: ast.expr) -> Const | None:
    """``float("inf")``: the usual way to write a number that has no literal."""
    match node:
        case ast.Call(func=func, args=[ast.Constant(value=str() | int() | float() as value)], keywords=[]):
            try:
                return Const(float(value)) if dotted_path(b, func) == "builtins.float" else None
            except (ValueError, OverflowError):
                return None
    return None


def _default(b: Builder, name: str, node: ast.expr, *, closure: bool) -> Operand:
    """A constant, a named thing, or (for a closure) a value computed when the closure is made."""
    from pointsman.program.frontend.names import module_name

    try:
        constant = ast.literal_eval(node)
    except (ValueError, TypeError):
        constant = UNBOUND
    if constant is not UNBOUND and is_constant(constant):
        return Const(constant)
    number = _float_of_constant(b, node)
    if number is not None:
        return number
    if constant is not UNBOUND or isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp):
        raise b.refuse("PM107", node)
    if closure and b.parent is not None:
        hidden = f"{name}#default"
        b.captured[hidden] = "value"
        return Var(hidden)
    outer = Builder(b.program, b.node, f"{b.name}.default", Scope(), None)
    if isinstance(node, ast.Name):
        value = module_name(outer, node.id, node)
    else:
        from pointsman.program.frontend.expressions import lower

        value = lower(outer, node)
    if outer.body or not isinstance(value, Const | Ref):
        folded = _fold(node)
        if folded is None:
            raise b.refuse("PM107", node)
        return folded
    return value


def _fold(node: ast.expr) -> Const | None:
    """Constant arithmetic such as ``10**9 + 7`` or ``-1 / 2``; None for anything else."""
    from pointsman.program import catalogue
    from pointsman.program.frontend.expressions import BINARY

    match node:
        case ast.Constant(value=value) if type(value) in {int, float, str}:
            return Const(value)
        case ast.BinOp(left=left, op=op, right=right):
            a, z = _fold(left), _fold(right)
            compute = catalogue.OPERATIONS[BINARY[type(op)]].compute
            if a is None or z is None or compute is None or not _small(a.value, z.value):
                return None
            try:
                return Const(compute(a.value, z.value))
            except (TypeError, ValueError, ArithmeticError):
                return None
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _fold(operand)
            return Const(-inner.value) if inner is not None and type(inner.value) in {int, float} else None
    return None


def _small(left: object, right: object) -> bool:
    return all(not isinstance(v, int) or abs(v) <= 4096 for v in (left, right))


def lower_closure(b: Builder, node: ast.Lambda | ast.FunctionDef, name: str) -> Operand:
    """A function made inside a function; the operand is the closure, made from what it captures."""
    from pointsman.program.frontend.expressions import lower

    outer_memo = _memo(b, node) if isinstance(node, ast.FunctionDef) and node.decorator_list else 0
    inner = Builder(b.program, node, name, analyse(node), b)
    params = _params(inner, node, closure=True)
    qualname = f"{_qualname(b)}.<locals>.{'<lambda>' if isinstance(node, ast.Lambda) else node.name}"
    inner_function = _finish(inner, node, qualname, params, outer_memo)
    own = node.name if isinstance(node, ast.FunctionDef) else None
    values: list[Operand] = []
    defaults = {f"{a.arg}#default": d for a, d in _defaults_of(node)}
    for captured in inner_function.captures:
        if captured in defaults:
            values.append(b.snapshot(lower(b, defaults[captured]), node))
        elif captured == own and captured in b.scope.names and captured not in b.scope.cells:
            values.append(Const(UNBOUND))  # itself: the closure's own name inside its factory
            inner_function = _with_self(inner_function, captured)
        else:
            values.append(_captured_operand(b, captured))
    b.program.functions[name] = inner_function
    if isinstance(values, list) and not values:
        return Ref(f"function:{name}") if inner_function.memo == 0 else b.let("closure", attrs=(name,), node=node)
    return b.let("closure", *values, attrs=(name,), node=node)


def _defaults_of(node: FunctionNode) -> list[tuple[ast.arg, ast.expr]]:
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = list(zip(positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True))
    pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
    return pairs


def _with_self(function: ir.Function, name: str) -> ir.Function:
    """Marks a capture as the closure itself (it is bound by the closure's own definition)."""
    from dataclasses import replace

    captures = tuple(f"{c}#self" if c == name else c for c in function.captures)
    prefix = ir.Let(name, "copy", (Var(f"{name}#self"),))
    return replace(function, captures=captures, body=(prefix, *function.body))


def _captured_operand(b: Builder, name: str) -> Operand:
    if name in b.comprehension_names:
        return Var(b.comprehension_names[name])
    if name in b.scope.names or capture(b, name):
        return Var(name)
    raise b.refuse("PM104", b.node, repr(name))


def _qualname(b: Builder) -> str:
    parts: list[str] = []
    builder: Builder | None = b
    while builder is not None:
        if not isinstance(builder.node, ast.Lambda):
            parts.append(builder.node.name)
        elif not builder.comprehension_names:
            parts.append("<lambda>")
        builder = builder.parent
    return ".<locals>.".join(reversed(parts))


def lower_global(program: Program, name: str, value: ast.expr) -> None:
    """A module-level value becomes a function without parameters, called once, by the first call of the entry."""
    if name in program.globals:
        return
    program.globals[name] = f"{name}.value"
    thunk = ast.Lambda(args=ast.arguments([], [], None, [], [], None, []), body=value)
    ast.copy_location(thunk, value)
    b = Builder(program, thunk, program.globals[name], Scope(), None)
    program.functions[b.name] = _finish(b, thunk, "<module>", (), 0)
    _check_bound_everywhere(program, b.name)


def _check_bound_everywhere(program: Program, name: str) -> None:
    """Inserts the checks for variables that may be unbound, from a function into the closures it makes."""
    for function_name, function in check_bound(program.functions, name).items():
        program.functions[function_name] = function
