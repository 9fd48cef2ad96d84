"""The slow obvious twin of emitted code: executes structured IR directly, statement by statement.

Nothing is explored, optimised or generated here, so an error of the compiler's later passes cannot also be ours.
One activation is a stack of frames, one frame for each body that is being executed; a jump or an exception cuts the
stack back to the block, loop or handler that it goes to, which is also how a generator stops at `yield` and goes on.

Covered: every function the front end takes, generators included. Not covered: ``repr`` of functions and cells; the
depth at which recursion ends; the module that CPython names in "f() argument after * must be an iterable"; what
`finally` does when a suspended generator is thrown away.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.core import InternalError, NotFound, Unverified
from pointsman.program import catalogue, ir
from pointsman.program.frontend.builder import Program
from pointsman.program.judgement import Unanswered
from pointsman.program.records import make_record
from pointsman.program.support import NAMESPACE, OutOfFuel

__all__ = ["Interpreter", "Stop", "interpret"]

_FUEL: Final = 10**6  # loop rounds and calls; chosen: seconds
_CONVERSIONS: Final[dict[int, Callable[[Any], Any]]] = {-1: lambda value: value, 114: repr, 115: str, 97: ascii}


def interpret(
    program: Program,
    entry: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    fuel: int = _FUEL,
    *,
    records: Mapping[str, type] | None = None,
    opaque: Mapping[str, Any] | None = None,
) -> Any:
    """What ``entry`` returns; its exceptions pass through. Raises OutOfFuel after ``fuel`` loop rounds and calls."""
    return Interpreter(program, fuel, records=records, opaque=opaque).function(entry)(*args, **(kwargs or {}))


@dataclass(slots=True)
class _Frame:
    """A body that is being executed. ``opened`` is the Block, Loop or Try whose body this is, if it is one's."""

    body: ir.Body
    opened: ir.Statement | None = None
    position: int = 0


@dataclass(slots=True)
class _Activation:
    """One call: its variables and its stack. ``awaits`` is the target of the `yield` at which it stopped."""

    variables: dict[str, Any]
    frames: list[_Frame]
    awaits: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why an activation stopped running: "return", "yield" or "yield_from", with the value."""

    why: str
    value: Any


@dataclass
class Interpreter:
    """One program with its module values, memo tables and remaining fuel. Calls of one interpreter share them."""

    program: Program
    fuel: int = _FUEL
    records: Mapping[str, type] | None = None
    opaque: Mapping[str, Any] | None = None
    _functions: dict[str, Callable[..., Any]] = field(default_factory=dict, init=False)
    _globals: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        given = self.records or {}
        self._types = {n: given.get(n) or make_record(record) for n, record in self.program.records.items()}

    def function(self, name: str) -> Callable[..., Any]:
        """The callable of a function that captures nothing. Raises NotFound, and Unverified for an opaque one."""
        if name in self._functions:
            return self._functions[name]
        if name in self.program.opaque:
            if self.opaque is None or name not in self.opaque:
                raise Unverified(f"the original {name!r} is not given", code="opaque_untrusted")
            return self.opaque[name]  # type: ignore[no-any-return]  # callers give callables
        if name not in self.program.functions:
            raise NotFound(f"no function {name!r}; there are {sorted(self.program.functions)}")
        self._functions[name] = self._closure(self.program.functions[name], ())
        return self._functions[name]

    def _closure(self, function: Any, captured: Sequence[Any]) -> Callable[..., Any]:
        """A Python callable for ``function`` with these captured values; ``name#self`` captures the closure itself."""
        shared = dict(zip(function.captures, captured, strict=True))

        def call(*args: Any, **kwargs: Any) -> Any:
            self._spend()
            bound = _bind(function, args, kwargs, lambda default: self._value(default, shared))
            activation = self._begin(function, {**shared, **bound})
            return self._generator(activation) if function.generator else self._run(activation).value

        call.__name__, call.__qualname__ = function.qualname.rpartition(".")[2], function.qualname
        memo = function.memo
        closure = functools.lru_cache(None if memo < 0 else memo)(call) if memo else call
        shared.update({name: closure for name in function.captures if name.endswith("#self")})
        return closure

    def _begin(self, function: Any, variables: dict[str, Any]) -> Any:
        """An activation at the function's start, for ``_run``; with ``_handle``, all that is about statements."""
        return _Activation(variables, [_Frame(function.body)])

    def _generator(self, activation: Any) -> Generator[Any, Any, Any]:
        while (stop := self._run(activation)).why != "return":
            try:
                if stop.why == "yield":
                    activation.variables[activation.awaits] = yield stop.value
                else:
                    activation.variables[activation.awaits] = yield from stop.value
            except (OutOfFuel, Unanswered):
                raise
            except BaseException as error:  # noqa: BLE001  what was thrown in is the program's to handle
                self._handle(activation, error)
        return stop.value

    def _spend(self) -> None:
        self.fuel -= 1
        if self.fuel < 0:
            raise OutOfFuel

    # -- statements ------------------------------------------------------------------------------------------------

    def _run(self, activation: _Activation) -> Stop:
        """Executes until the function returns or yields."""
        while activation.frames:
            frame = activation.frames[-1]
            if frame.position == len(frame.body):
                self._end_of_body(activation, frame)
                continue
            statement = frame.body[frame.position]
            frame.position += 1
            try:
                stop = self._statement(activation, statement)
            except (OutOfFuel, Unanswered):
                raise
            except BaseException as error:  # noqa: BLE001  handed to the program's own handler, or raised again
                self._handle(activation, error)
                continue
            if stop is not None:
                return stop
        return Stop("return", None)

    def _end_of_body(self, activation: _Activation, frame: _Frame) -> None:
        if isinstance(frame.opened, ir.Loop):
            self._spend()
            frame.position = 0
        else:
            activation.frames.pop()

    def _statement(self, activation: _Activation, statement: ir.Statement) -> Stop | None:
        variables, frames = activation.variables, activation.frames
        match statement:
            case ir.Let(target=target, op="yield" | "yield_from" as op, args=args):
                activation.awaits = target
                return Stop(op, self._value(args[0], variables))
            case ir.Let(target=target):
                variables[target] = self._operation(statement, variables)
            case ir.If(test=test, then=then, orelse=orelse):
                frames.append(_Frame(then if self._value(test, variables) else orelse))
            case ir.Next():
                self._next(activation, statement)
            case ir.Block(body=body) | ir.Loop(body=body) | ir.Try(body=body):
                frames.append(_Frame(body, statement))
            case ir.Jump(target=label):
                self._jump(activation, label)
            case ir.Return(value=value):
                return Stop("return", self._value(value, variables))
            case ir.Raise(exception=exception):
                raise self._value(exception, variables)
        return None

    def _next(self, activation: _Activation, statement: ir.Next) -> None:
        missing = object()
        item = next(self._value(statement.iterator, activation.variables), missing)
        if item is missing:
            activation.frames.append(_Frame(statement.exhausted))
        else:
            activation.variables[statement.target] = item
            activation.frames.append(_Frame(statement.then))

    def _jump(self, activation: _Activation, label: str) -> None:
        """Past the end of the block ``label``, or to the start of the loop ``label``."""
        while activation.frames:
            opened = activation.frames[-1].opened
            if isinstance(opened, ir.Loop) and opened.label == label:
                activation.frames[-1].position = len(activation.frames[-1].body)
                return
            activation.frames.pop()
            if isinstance(opened, ir.Block) and opened.label == label:
                return
        raise InternalError(f"a jump to {label!r} from outside it", code="invalid_ir")

    def _handle(self, activation: _Activation, error: BaseException) -> None:
        """Goes to the innermost handler; raises ``error`` on when there is none."""
        while activation.frames:
            opened = activation.frames.pop().opened
            if isinstance(opened, ir.Try):
                activation.variables[opened.caught] = error
                activation.frames.append(_Frame(opened.handler))
                return
        raise error

    # -- operations ------------------------------------------------------------------------------------------------

    def _value(self, operand: ir.Operand, variables: Mapping[str, Any]) -> Any:
        match operand:
            case ir.Var(name=name):
                return variables[name]
            case ir.Const(value=value):
                return value
            case ir.Ref(path=path):
                return self._reference(path)

    def _reference(self, path: str) -> Any:
        kind, _, rest = path.partition(":")
        if kind == "function" and rest:
            return self.function(rest)
        if kind == "record" and rest:
            name, _, member = rest.partition(".")
            return getattr(self._types[name], member) if member else self._types[name]
        return catalogue.resolve_ref(path)

    def _operation(self, let: ir.Let, variables: Mapping[str, Any]) -> Any:
        args = [self._value(arg, variables) for arg in let.args]
        match let.op:
            case "call":
                return _call(args[0], args[1:], let.attrs[0])
            case "call_method":
                return _call(getattr(args[0], let.attrs[0]), args[1:], let.attrs[1])
            case "closure":
                return self._closure(self.program.functions[let.attrs[0]], args)
            case "global_get":
                return self._global(let.attrs[0])
            case "comprehension":
                return self._comprehension(args, *let.attrs)
        rule = _RULES.get(let.op)
        if rule is not None:
            return rule(args, *let.attrs)
        if let.op.startswith("inplace_"):
            return getattr(operator, _INPLACE.get(let.op[8:], f"i{let.op[8:]}"))(*args)
        compute = catalogue.OPERATIONS[let.op].compute
        if compute is None:
            raise InternalError(f"the interpreter has no rule for {let.op!r}", code="invalid_ir")
        return compute(*args)

    def _global(self, name: str) -> Any:
        if name not in self._globals:
            self._globals[name] = self.function(self.program.globals[name])()
        return self._globals[name]

    def _comprehension(
        self, args: list[Any], kind: str, captured: Sequence[str], clauses: Any, results: Any, lazy: bool
    ) -> Any:
        known = dict(zip(captured, args[1:], strict=True))
        rows = self._rows(iter(args[0]), known, clauses)
        items = (tuple(self._part(name, row) for name in results) for row in rows)
        if kind == "generator":
            return self._generated(items)
        try:
            if kind == "dict":
                return {key: value for key, value in items}  # noqa: C416  dict() would take any iterable as a pair
            return [item for (item,) in items] if kind == "list" else {item for (item,) in items}
        except _Carried as carried:
            raise carried.error from None

    def _generated(self, items: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        try:
            for (item,) in items:
                yield item
        except _Carried as carried:
            raise carried.error from None

    def _rows(self, items: Iterator[Any], known: dict[str, Any], clauses: Any) -> Iterator[dict[str, Any]]:
        """The variables of each round, as the clauses bind and filter them; the first clause is a `for`."""
        tests = 1
        while tests < len(clauses) and clauses[tests][0] == "if":
            tests += 1
        for item in items:
            self._spend()
            row = {**known, **_match_targets(clauses[0][1], item)}
            if not all(self._part(clause[1], row) for clause in clauses[1:tests]):
                continue
            if tests == len(clauses):
                yield row
            else:
                yield from self._rows(iter(self._part(clauses[tests][2], row)), row, clauses[tests:])

    def _part(self, name: str, row: Mapping[str, Any]) -> Any:
        """The value of a comprehension's part. Raises _Carried for StopIteration, which would end our generators."""
        function = self.program.functions[name]
        wanted = [p.name for p in function.params] + list(function.captures)
        try:
            return self._run(self._begin(function, {n: row[n] for n in wanted})).value
        except StopIteration as error:
            raise _Carried(error) from None


class _Carried(Exception):
    """Brings a StopIteration of a comprehension's part out of the generators in between."""

    def __init__(self, error: StopIteration) -> None:
        super().__init__()
        self.error = error


def _match_targets(pattern: Any, value: Any) -> dict[str, Any]:
    if isinstance(pattern, str):
        return {pattern.removeprefix("*"): value}
    stars = [i for i, p in enumerate(pattern) if isinstance(p, str) and p.startswith("*")]
    before, after = (stars[0], len(pattern) - stars[0] - 1) if stars else (len(pattern), None)
    bound: dict[str, Any] = {}
    for inner, part in zip(pattern, _unpack(value, before, after), strict=True):
        bound.update(_match_targets(inner, part))
    return bound


def _unpack(value: Any, before: int, after: int | None) -> tuple[Any, ...]:
    """The parts of ``a, b = value`` or, with ``after``, of ``a, *rest, z = value``; messages are CPython's."""
    if not hasattr(type(value), "__iter__") and not hasattr(type(value), "__getitem__"):
        raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
    items, missing = iter(value), object()
    parts: list[Any] = []
    wanted = f"{before}" if after is None else f"at least {before + after}"
    while len(parts) < before:
        item = next(items, missing)
        if item is missing:
            raise ValueError(f"not enough values to unpack (expected {wanted}, got {len(parts)})")
        parts.append(item)
    if after is None:
        if next(items, missing) is not missing:
            raise ValueError(f"too many values to unpack (expected {before})")
        return tuple(parts)
    rest = list(items)
    if len(rest) < after:
        raise ValueError(f"not enough values to unpack (expected {wanted}, got {before + len(rest)})")
    middle = len(rest) - after
    return (*parts, rest[:middle], *rest[middle:])


def _call(callee: Callable[..., Any], values: Sequence[Any], shape: Sequence[str]) -> Any:
    """A call whose ``shape`` says of each value: positional, ``*``, ``**``, or the keyword that it is for."""
    if tuple(shape) == ("*",):
        return callee(*values[0])
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for value, mark in zip(values, shape, strict=True):
        if mark == "":
            args.append(value)
        elif mark == "*":
            args = [*args, *value]
        else:
            extra = value if mark == "**" else {mark: value}
            if not hasattr(extra, "keys") or set(kwargs) & set(extra):
                return callee(*args, **kwargs, **extra)  # raises what Python raises
            kwargs = {**kwargs, **extra}
    return callee(*args, **kwargs)


def _display(items: list[Any], starred: Sequence[int] = ()) -> list[Any]:
    result: list[Any] = []
    for position, item in enumerate(items):
        result = [*result, *item] if position in starred else [*result, item]
    return result


def _dict_display(items: list[Any]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        result = {**result, **value} if key is ir.UNBOUND else {**result, key: value}
    return result


def _set_cell(args: list[Any]) -> None:
    args[0][0] = args[1]


_INPLACE: Final = {"bit_and": "iand", "bit_or": "ior", "bit_xor": "ixor"}
# operation -> its value, from the list of its arguments and then its attrs
_RULES: Final[dict[str, Callable[..., Any]]] = {
    "copy": lambda args: args[0],
    "build_list": _display,
    "build_tuple_star": lambda args, starred: tuple(_display(args, starred)),
    "build_set": lambda args, starred=(): set(_display(args, starred)),
    "build_dict": _dict_display,
    "format": lambda args, conversion: format(_CONVERSIONS[conversion](args[0]), args[1]),
    "join_strings": lambda args: "".join(args),
    "set_item": lambda args: operator.setitem(*args),
    "delete_item": lambda args: operator.delitem(*args),
    "get_attribute": lambda args, name: getattr(args[0], name),
    "get_method": lambda args, name: getattr(args[0], name),
    "set_attribute": lambda args, name: setattr(args[0], name, args[1]),
    "unpack": lambda args, before, after: _unpack(args[0], before, after),
    "project": lambda args, index: args[0][index],
    "iterate": lambda args: iter(args[0]),
    "index": lambda args: NAMESPACE["_index"](args[0]),
    "check_bound": lambda args, name, kind: NAMESPACE["_check_bound"](args[0], name, kind),
    "cell": lambda args: [args[0]],
    "cell_get": lambda args, name, kind: NAMESPACE["_cell_get"](args[0], name, kind),
    "cell_set": _set_cell,
    "caught_is": lambda args: isinstance(args[0], args[1]),
    "exception": lambda args: NAMESPACE["_exception"](args[0]),
    "assertion": lambda args: AssertionError(*args),
    "set_cause": lambda args: NAMESPACE["_set_cause"](*args),
    "match_class": lambda args: isinstance(args[0], args[1]),
    **{op: lambda args, *attrs, op=op: NAMESPACE[f"_{op}"](attrs, args[0]) for op in catalogue.QUESTIONS},
    "match_shape": lambda args, shape: NAMESPACE[f"_is_{shape}"](args[0]),
}


# -- arguments -----------------------------------------------------------------------------------------------------


def _bind(
    function: ir.Function, args: tuple[Any, ...], kwargs: dict[str, Any], value_of: Callable[[ir.Operand], Any]
) -> dict[str, Any]:
    """The parameters' values for a call. Raises TypeError with CPython's message when the arguments do not fit."""
    title = f"{function.qualname}()"
    positional = [p for p in function.params if p.kind in {"positional_only", "plain"}]
    bound: dict[str, Any] = dict(zip([p.name for p in positional], args, strict=False))
    extra = _bind_keywords(function, title, bound, kwargs)
    by_kind = {p.kind: p.name for p in function.params}
    if len(args) > len(positional) and "star" not in by_kind:
        raise TypeError(_too_many(function, title, positional, len(args), bound))
    named = [p for p in function.params if p.kind == "keyword_only"]
    for wanted, label in ((positional, "positional"), (named, "keyword-only")):
        missing = [p.name for p in wanted if p.name not in bound and p.default is None]
        if missing:
            plural = "" if len(missing) == 1 else "s"
            raise TypeError(f"{title} missing {len(missing)} required {label} argument{plural}: {_listed(missing)}")
        for param in wanted:
            if param.name not in bound and param.default is not None:
                bound[param.name] = value_of(param.default)
    if "star" in by_kind:
        bound[by_kind["star"]] = args[len(positional) :]
    if "double_star" in by_kind:
        bound[by_kind["double_star"]] = extra
    return bound


def _bind_keywords(function: ir.Function, title: str, bound: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Binds the keywords that name parameters; the others, where ``**`` takes them, are the result."""
    named = {p.name for p in function.params if p.kind in {"plain", "keyword_only"}}
    takes_any = any(p.kind == "double_star" for p in function.params)
    only = [p.name for p in function.params if p.kind == "positional_only" and p.name in kwargs]
    extra: dict[str, Any] = {}
    for name, value in kwargs.items():
        if name in named:
            if name in bound:
                raise TypeError(f"{title} got multiple values for argument {name!r}")
            bound[name] = value
        elif takes_any:
            extra[name] = value
        elif only:
            shown = repr(", ".join(only))
            raise TypeError(f"{title} got some positional-only arguments passed as keyword arguments: {shown}")
        else:
            raise TypeError(f"{title} got an unexpected keyword argument {name!r}")
    return extra


def _too_many(
    function: ir.Function, title: str, positional: Sequence[ir.Param], given: int, bound: Mapping[str, Any]
) -> str:
    required, most = sum(p.default is None for p in positional), len(positional)
    takes = f"{most}" if required == most else f"from {required} to {most}"
    plural = "" if most == 1 and required == most else "s"
    only = sum(p.name in bound for p in function.params if p.kind == "keyword_only")
    if only:
        both = f"{given} positional argument{'' if given == 1 else 's'} (and {only} keyword-only argument"
        return f"{title} takes {takes} positional argument{plural} but {both}{'' if only == 1 else 's'}) were given"
    return f"{title} takes {takes} positional argument{plural} but {given} {'was' if given == 1 else 'were'} given"


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    if len(shown) < 3:
        return " and ".join(shown)
    return f"{', '.join(shown[:-1])}, and {shown[-1]}"
