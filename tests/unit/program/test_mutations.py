"""The mutation check: break one rule of the compiler at a time, and a small fixed suite of programs notices.

Each mutant replaces one entry of a table or one function by a wrong one, while the suite is compiled and run. A mutant
is noticed when some program's outcome differs from CPython's, or when the compiler or the verifier stops.
"""

import ast
import copy
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pointsman.program import catalogue, frontend
from pointsman.program.compiler import build_program
from pointsman.program.emit import placing, text
from pointsman.program.explore import explorer, facts, kinds, terms
from pointsman.program.frontend import expressions, matching, scopes, statements
from pointsman.program.ir import Const
from pointsman.program.link import link
from pointsman.program.table.machine import symbols, terms_of

Mutant = Callable[[pytest.MonkeyPatch], None]

BINARY_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
}  # fmt: skip
INTEGERS = ((7, 2), (-7, 2), (3, 3), (0, 5))
ORDERED = ((1, 2), (2, 1), (2, 2))

# name -> (source, inputs): one program for each thing that a mutant can break
SUITE: dict[str, tuple[str, tuple[tuple[Any, ...], ...]]] = {
    **{
        kind.__name__: (f"def f(a, b):\n    a {symbol}= 1\n    return a {symbol} b\n", INTEGERS)
        for kind, symbol in BINARY_OPERATORS.items()
    },
    "unary": ("def f(a, b): return -a, +b, ~a, not b, +(a == b)", INTEGERS),
    "order": ("def f(a, b): return a < b, a <= b, a > b, a >= b, a == b, a != b", ORDERED),
    "order_int": ("def f(a: int, b: int): return a < b, a <= b, a > b, a >= b, a == b, a != b", ORDERED),
    "branches_int": (
        "def f(x: int, y: int):\n    if x <= 5: r = 'le'\n    elif x > 9: r = 'gt'\n    else: r = 'mid'\n"
        "    if 3 < y: r += 'a'\n    if 4 >= y: r += 'b'\n    if x != y: r += 'c'\n    return r\n",
        tuple((x, y) for x in (4, 5, 6, 9, 10) for y in (3, 4, 5, 10)),
    ),
    "branches_float": (
        "def f(x: float, y: float):\n    if x <= y: return 'le'\n    if not x > y: return 'not gt'\n    return 'gt'\n",
        ((1.0, 2.0), (2.0, 2.0), (3.0, 2.0), (float("nan"), 1.0)),
    ),
    "negated": (
        "def f(x, xs, a: int, b: int):\n    r = []\n    while not x is None:\n        r.append(1)\n        x = None\n"
        "    while a < b:\n        a += 1\n    while not (a == 9):\n        a = 9\n"
        "    while a not in xs:\n        xs.append(a)\n    return r, xs, a\n",
        ((1, [], 1, 3), (None, [9], 5, 3)),
    ),
    "negated_parts": ("def f(xs, a: int): return [x for x in xs if not x == a], [x for x in xs if not x is None], "
                      "[x for x in xs if x not in (1, None)]", (([1, 2, None], 1),)),
    "negated_branches": (
        "def f(s: str, t: str, a: int, b: int, x: float, y: float):\n    r = []\n    if s in t: pass\n    else: r.append('in')\n"
        "    if a * 1000 == b * 500: pass\n    else: r.append('eq')\n    if x < y: pass\n    else: r.append('lt')\n"
        "    if x <= y: pass\n    else: r.append('le')\n    return r\n",
        (("a", "ab", 1, 2, 1.0, 2.0), ("a", "b", 1, 3, 2.0, 2.0), ("a", "a", 0, 0, float("nan"), 1.0)),
    ),
    "store_order": ("def f(log):\n    def g(v):\n        log.append(v)\n        return v\n    d = {}\n    k = g(1)\n    v = g(2)\n    d[k] = v\n    return d", (([],),)),
    "format_of_bool": ("def f(b: bool, s: str): return f'{b}', f'{b}{s}', f'{b!r}'", ((True, "a"), (False, ""))),
    "unused_mod": ("def f(a: int, b: int):\n    a % b\n    return a", ((1, 0), (1, 2))),
    "membership": ("def f(x, xs): return x in xs, x not in xs, x in (1, 2), x not in {1, 2}", ((1, [1]), (3, [1]))),
    "identity": ("def f(x): return x is None, x is not None, x is True, x is False", ((None,), (0,), (True,), (False,))),
    "shifted": (
        "def f(x: int):\n    y = x + 3\n    if y < 10: r = 'a'\n    else: r = 'b'\n    z = x - 2\n    if z == 4: r += 'c'\n"
        "    return r, x + 1 + 2 - 5, x + 1 - 1\n",
        ((6,), (7,), (3,), (8,)),
    ),
    "bounds": (
        "def f(x: int, y: int):\n    r = ''\n    if x < 3:\n        if x < 5: r += 'a'\n        if x > 2: r += 'never'\n"
        "        if x == 2: r += 'two'\n    else:\n        if x < 3: r += 'never'\n        if x < 4: r += 'three'\n"
        "    if 0 <= y < 4:\n        if -y > -4: r += 'n'\n        if -y < 0: r += 'm'\n        if y * 2 > 5: r += 'p'\n"
        "        if y + y < 7: r += 's'\n        if y - 4 < 0: r += 'd'\n        if y - 4 < -3: r += 'e'\n    return r\n",
        tuple((x, y) for x in (1, 2, 3, 4) for y in (-1, 0, 1, 2, 3, 4)),
    ),
    "bounds_computed": (
        "def f(x: int, y: int):\n    r = ''\n    m = x % 5\n    if m < 4: r += 'a'\n    if m > 0: r += 'b'\n    if m < 5: r += 'c'\n"
        "    if 0 <= x < 20:\n        q = x // 5\n        if q < 3: r += 'd'\n        if q > 0: r += 'e'\n        if x >> 1 > 8: r += 'f'\n"
        "        if x & 6 < 6: r += 'g'\n        if abs(x - 10) < 10: r += 'h'\n        if min(x, 7) < 7: r += 'i'\n"
        "        if max(x, 7) > 7: r += 'j'\n        if x << 1 > 19: r += 'k'\n        if x * y > 3 and 1 <= y < 3: r += 'l'\n"
        "    return r\n",
        tuple((x, y) for x in (-3, 0, 4, 5, 7, 9, 10, 17, 19) for y in (0, 1, 2)),
    ),
    "bounds_excluded": (
        "def f(x: int):\n    if 0 <= x <= 3:\n        if x == 0: return 'zero'\n        if x < 1: return 'never'\n        if x == 3: return 'three'\n"
        "        if x > 1: return 'two'\n        return 'one'\n    return 'out'\n",
        tuple((x,) for x in range(-1, 5)),
    ),
    "same_atom": ("def f(a, b):\n    r = []\n    if a == b: r.append(1)\n    if a == b: r.append(2)\n    else: r.append(3)\n    return r", ((1, 1), (1, 2))),
    "known_text": ("def f(s: str):\n    if s == 'a':\n        return s in ('a', 'b'), s == 'b'\n    return s in ('b', 'c'), s != 'a'", (("a",), ("b",), ("z",))),
    "loop_bounds": ("def f(n: int):\n    c = 0\n    i = 0\n    while i < n:\n        i += 1\n        if i > 3: c += 10\n        if i < 1: c += 100\n        c += 1\n    return c, i",
                    ((0,), (3,), (6,))),
    "divisor": ("def f(a: int, b: int):\n    log = []\n    try: log.append(a % b)\n    except ZeroDivisionError: log.append('zero')\n    if b > 0: log.append(a // b)\n    return log",
                ((7, 0), (7, 2), (-7, 3))),
    "unused_error": ("def f(a: int, b: int):\n    a // b\n    a << b\n    return a", ((1, 0), (1, 1), (1, -1))),
    "chain": ("def f(a, b, c): return a < b < c, (a, b) < (b, c)", ((1, 2, 3), (1, 3, 2), (3, 1, 2))),
    "chain_test": ("def f(a, b, c):\n    if a < b <= c: return 'in'\n    return 'out'", ((1, 2, 2), (1, 3, 2), (3, 3, 3))),
    "and_or": ("def f(a, b):\n    x = a and b\n    y = a or b\n    if a and not b: x = 'if'\n    if a or b: y = 'or', y\n    return x, y",
               tuple((a, b) for a in (0, 1, "") for b in (0, 2, []))),
    "truth": ("def f(x, s: str, n: int):\n    return [bool(x), not s, not n, 1 if x else 2, 3 if s else 4, 5 if n else 6]",
              (([], "", 0), ([1], "a", -1), (None, "b", 2))),
    "in_place": ("def f(xs, ys):\n    zs = xs\n    zs += ys\n    return xs, zs", (([1], [2]), ((1,), (2,)))),
    "item_order": ("def f(log):\n    def g(v):\n        log.append(v)\n        return v\n    d = {}\n    d[g(1)] = g(2)\n    d[g(1)] += g(3)\n    return d", (([],),)),
    "slices": ("def f(xs): return xs[1:], xs[:2], xs[::2], xs[1:3], xs[2:0:-1], xs[slice(1, 2)]", (([1, 2, 3, 4],), ("abcd",))),
    "stores": ("def f(xs, d):\n    xs[0] = 9\n    del xs[1]\n    d['k'] = xs[0]\n    return xs, d", (([1, 2, 3], {}),)),
    "texts": ("def f(x, s: str): return f'{x}{s}-{x!r:>4}{s:<3}', str(x), s.upper(), f'{s}', s * 2", ((1, "a"), ("b", ""))),
    "displays": ("def f(a, xs): return [a, *xs], (a, *xs), {a}, {'a': a, **{'b': 1}}, (a,), ()", ((1, [2]), (3, ()))),
    "unpacking": ("def f(xs):\n    a, *b, c = xs\n    (d, e), g = (a, c), b\n    return a, b, c, d, e, g", (([1, 2, 3],), ([1, 2],), ([1],))),
    "closures": ("def f(n):\n    c = 0\n    def g(k=n):\n        nonlocal c\n        c += k\n        return c\n    return g(), g(5), c", ((2,),)),
    "late_closure": ("def f():\n    gs = []\n    for i in range(3):\n        gs.append(lambda: i)\n    return [g() for g in gs]", ((),)),
    "handlers": ("def f(x, log):\n    try:\n        try: r = 1 // x\n        except TypeError as e: r = str(e)[:3]\n        else: log.append('else')\n        finally: log.append('finally')\n"
                 "    except ZeroDivisionError: return 'zero', log\n    return r, log", ((0, []), (1, []), ("a", []))),
    "loops": ("def f(xs):\n    r = []\n    for i, x in enumerate(xs):\n        if x == 0: continue\n        if x == 9: break\n        r.append((i, x))\n    else: r.append('else')\n    for k in range(3, 0, -1): r.append(k)\n    return r",
              (([1, 0, 2],), ([1, 9, 2],), ([],))),
    "while_else": ("def f(n: int):\n    r = 0\n    while n > 0:\n        n -= 2\n        if n == 3: break\n        r += 1\n    else: return 'else', r\n    return r", ((7,), (4,), (0,))),
    "unbound": ("def f(x):\n    if x: y = 1\n    return y", ((0,), (1,))),
    "matches": ("def f(x):\n    match x:\n        case [a, *rest]: return a, rest\n        case {'k': v}: return v\n        case 1 | 2: return 'low'\n        case str(s): return s\n        case None: return 'none'\n        case _: return 'other'",
                (([1, 2],), ([],), ({"k": 3},), (1,), (2,), (3,), ("t",), (None,))),
    "isinstance": ("def f(b: bool, n: int): return isinstance(b, int), isinstance(n, bool), isinstance(n, str), isinstance(n, int)", ((True, 1),)),
    "guards": ("def f(n: int, s: str, b: bool): return n + n, s + s, b is True, n == 1, not n", ((1, "a", True), ("x", 1, 1), (1.5, "a", False), (True, "b", 0))),
    "calls": ("def g(a, b=2, *c, k=3, **d): return a, b, c, k, d\ndef f(xs): return g(*xs), g(1, k=xs), g(1, **{'z': 2})", (([1, 2, 3],),)),
    "lengths": ("def f(s: str, xs: list):\n    n = len(s)\n    if n < 0: return 'never'\n    if n == 0: return 'empty'\n    if len(xs) > 0: return n, len(xs)\n    return n", (("", []), ("ab", []), ("a", [1]))),
    "minmax": ("def f(a: int, b: int): return min(a, b), max(a, b), abs(a), int(b)", ((1, 2), (-3, 2))),
    "sets": ("def f(x): return {1, 2} == {2, 1}, x in frozenset({1, 2}), -0.0, 1e300 * x", ((1,), (3,))),
    "folded": ("def f(): return 7 // 2, -7 // 2, -7 % 3, 2 ** 5, 1 << 4, 7 & 3, 7 | 8, 7 ^ 2, 3 - 5, 2 * 3, 'a' + 'b', 1 < 2, 2 <= 1, 1 == 1.0, not 1, -(3), ~4", ((),)),
    "floats": ("def f(x: float, y: float):\n    if x != y: return 'differ', x + y, x - y, x * y\n    return 'same', abs(x), -x", ((1.5, 2.0), (2.0, 2.0), (0.0, -0.0), (float("nan"), 1.0))),
}  # fmt: skip


def outcome(entry: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, str]:
    given = copy.deepcopy(arguments)
    try:
        return "value", repr((entry(*given), given))
    except Exception as error:  # noqa: BLE001 - what a program raises is its outcome
        return type(error).__name__, repr((error.args, given))


def expected() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for name, (source, inputs) in SUITE.items():
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        yield name, [outcome(namespace["f"], arguments) for arguments in inputs]


EXPECTED = dict(expected())


def by_bounds_alone(known: facts.Facts, atom: Any) -> None:
    """In place of the solver, which would hide what the bounds get wrong, and takes seconds."""


def noticed_by(first: str = "") -> str | None:
    """The first program of the suite whose compiled form is not what CPython does; ``first`` is tried first."""
    for name in sorted(SUITE, key=lambda name: name != first):
        source, inputs = SUITE[name]
        try:
            lowered = frontend.lower_program(frontend.Module.parse(source), "f")
            program = build_program(lowered, "f", by_bounds_alone)
            with ending_soon(link(program, metered=True, every_table=True)) as entry:
                results = [outcome(entry, arguments) for arguments in inputs]
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - a compiler that stops has noticed
            return f"{name}: {error!r}"
        except BaseException as error:
            if type(error).__name__ != "OutOfFuel":
                raise
            return f"{name}: does not end"
        if results != EXPECTED[name]:
            return name
    return None


@contextmanager
def ending_soon(linked: Any) -> Iterator[Callable[..., Any]]:
    def entry(*arguments: Any) -> Any:
        linked.meter[:] = [0, 5_000]
        return linked.entry(*arguments)

    yield entry


def swap(table: dict[Any, Any], key: Any, other: Any) -> Mutant:
    return lambda patch: patch.setitem(table, key, table[other])


def put(table: dict[Any, Any], key: Any, value: Any) -> Mutant:
    return lambda patch: patch.setitem(table, key, value)


def become(module: Any, name: str, make: Callable[[Any], Any]) -> Mutant:
    """Replaces a function or constant of a module by what ``make`` makes of it."""
    return lambda patch: patch.setattr(module, name, make(getattr(module, name)))


def template(op: str, new: str) -> Mutant:
    changed = dataclasses.replace(catalogue.OPERATIONS[op], template=new)
    return put(catalogue.OPERATIONS, op, changed)


def changed_result(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda original: lambda *args, **kwargs: change(original(*args, **kwargs))


def unflipped(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: (original(*args)[0], False)


_NEXT = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.FloorDiv, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitXor, ast.BitXor: ast.BitOr,
}  # fmt: skip
_COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_UNARIES = {ast.USub: ast.UAdd, ast.UAdd: ast.USub, ast.Invert: ast.USub}


def wrong_bounds(op: str, wrong: tuple[int | None, int | None]) -> Mutant:
    def make(original: Any) -> Any:
        return lambda name, args: wrong if name == op else original(name, args)

    return become(facts, "_binary_bounds", make)


def total_for(op: str) -> Mutant:
    """The explorer takes an operation that may raise for one that does not."""

    def make(original: Any) -> Any:
        def rule(name: str, *rest: Any) -> tuple[str, bool]:
            kind, total = original(name, *rest)
            return (kind, True) if name.removeprefix("inplace_") == op else (kind, total)

        return rule

    return become(explorer, "result_kind", make)


def without(op: str) -> Mutant:
    """The fold of an operation gives one more than it should."""

    def make(original: Any) -> Any:
        def fold(name: str, args: Any) -> Any:
            result = original(name, args)
            wrong = name == op and result is not None and type(result.value) is int
            return Const(result.value + 1) if wrong else result

        return fold

    return become(terms, "fold", make)


def _unshift_wrongly(left: Any, right: Const) -> tuple[Any, Const]:
    while getattr(left, "op", "") in {"add", "sub"}:
        left, right = left.args[0], Const(right.value + left.args[1].value)
    return left, right


def _less(bound: int | None) -> int | None:
    return None if bound is None else bound - 1


MUTANTS: dict[str, Mutant] = {
    **{f"lower_{a.__name__}_as_{b.__name__}": swap(expressions.BINARY, a, b) for a, b in _NEXT.items()},
    **{f"lower_{a.__name__}_as_{b.__name__}": swap(expressions._COMPARE, a, b) for a, b in _COMPARED.items()},
    **{f"lower_{a.__name__}_as_{b.__name__}": swap(expressions._UNARY, a, b) for a, b in _UNARIES.items()},
    **{f"print_{op}_turned": swap(text._NEGATED, op, other) for op, other in
       {"eq": "is", "in": "eq", "is": "in"}.items()},
    "print_lt_turned_weakly": put(text._NEGATED, "lt", ">"),
    "print_turned_floats": become(text, "_ORDERED", lambda kinds_: kinds_ | {"float", "any"}),
    **{f"print_{op}": template(op, new) for op, new in {
        "add": "{0} - {1}", "sub": "{1} - {0}", "mul": "{0} + {1}", "floordiv": "int({0} / {1})", "mod": "{0} // {1}",
        "truediv": "{0} // {1}", "lt": "{0} <= {1}", "le": "{0} < {1}", "eq": "{0} is {1}", "in": "{1} in {0}",
        "is": "{0} == {1}", "neg": "+{0}", "not": "bool({0})", "bit_and": "{0} | {1}", "pow": "{1} ** {0}",
        "invert": "-{0}", "rshift": "{0} << {1}", "bit_xor": "{0} ^ {1} ^ 1",
    }.items()},
    "print_slice_without_step": lambda patch: patch.setattr(
        text._SliceText, "of", staticmethod(lambda s: ":".join(s.parts[:2]).replace("None", "") if hasattr(s, "parts") else s)),
    "print_star_lost": lambda patch: patch.setitem(
        text._RULES, "build_list", lambda p, a, t: "[" + ", ".join(x.text for x in p) + "]"),
    "print_dict_star_lost": lambda patch: patch.setitem(text._RULES, "build_dict", lambda p, a, t: "{}"),
    "print_conversion_lost": lambda patch: patch.setitem(
        text._RULES, "format", lambda p, a, t: f"_format({p[0].text}, {p[1].text})"),
    "print_shape_lost": become(text, "arguments", lambda f: lambda pieces, shape: ", ".join(p.text for p in pieces)),
    "emit_store_order": become(placing, "pending_order", lambda f: lambda node:
                               [s for term in terms_of(node) for s in symbols(term)]),
    "terms_le_as_lt": become(terms, "_order", unflipped),
    "terms_eq_unflipped": become(terms, "_equal", unflipped),
    "terms_identity_unflipped": become(terms, "_identity", unflipped),
    "terms_truth_unflipped": become(terms, "_truth", unflipped),
    "terms_negated_is_itself": become(explorer, "negated", lambda f: lambda term: term),
    "terms_unshift_sign": become(terms, "_unshift", lambda f: _unshift_wrongly),
    "terms_shift_sign": become(terms, "_shift", lambda f: lambda term, by: f(term, -by)),
    "terms_order_of_floats_total": become(terms, "_TOTAL_ORDER", lambda s: s | {"float"}),
    "terms_isinstance_of_bool": become(terms, "_isinstance", lambda f: lambda value, kind: Const(False)),
    "terms_identity_call": become(terms, "_identity_call", lambda f: lambda args, kind: len(args) == 2),
    "terms_format_dropped": become(terms, "_simplify", lambda f: lambda op, args, attrs:
                                   args[0] if op == "format" else f(op, args, attrs)),
    **{f"fold_{op}": without(op) for op in ("floordiv", "mod", "pow", "lshift", "bit_and", "sub", "mul", "invert")},
    "bounds_mod": wrong_bounds("mod", (0, 3)),
    "bounds_floordiv": wrong_bounds("floordiv", (0, 2)),
    "bounds_add": wrong_bounds("add", (7, 9)),
    "bounds_sub": wrong_bounds("sub", (-4, -4)),
    "bounds_mul": wrong_bounds("mul", (0, 3)),
    "bounds_and": wrong_bounds("bit_and", (0, 5)),
    "bounds_rshift": wrong_bounds("rshift", (0, 8)),
    "bounds_lshift": wrong_bounds("lshift", (0, 19)),
    "bounds_negate": become(facts, "_negate", lambda f: lambda bounds: bounds),
    "bounds_meet": become(facts, "_meet", lambda f: lambda left, right: (f(left, right)[0], _less(f(left, right)[1]))),
    "bounds_exclude": become(facts, "_exclude", lambda f: lambda bounds, term, value, now:
                             facts._narrow(bounds, term, (value + 2, None))),
    "bounds_call": become(facts, "_call_bounds", lambda f: lambda term, args: (0, 6)),
    "bounds_refine_both_ways": become(facts.Facts, "_refine", lambda f: lambda self, bounds, atom, truth:
                                      f(self, bounds, atom, True)),
    "bounds_refine_swapped": become(facts.Facts, "_refine", lambda f: lambda self, bounds, atom, truth:
                                    f(self, bounds, atom, not truth)),
    "truths_opposite": become(facts.Facts, "assume", lambda f: lambda self, atom, truth: f(self, atom, not truth)),
    "join_keeps_the_first": become(explorer, "join", lambda f: lambda left, right: left),
    "kinds_arithmetic_total": become(kinds, "_arithmetic", lambda f: lambda *a: (f(*a)[0], True)),
    "kinds_floordiv_total": total_for("floordiv"),
    "kinds_mod_total": total_for("mod"),
    "kinds_lshift_total": total_for("lshift"),
    "kinds_bool_is_bool": become(kinds, "_unary", lambda f: lambda op, kind: ("bool", True)),
    "jumps_unless": become(statements, "jump_unless", lambda f: lambda b, test, label:
                           f(b, ast.copy_location(ast.UnaryOp(ast.Not(), test), test), label)),
    "chain_ends_late": become(expressions, "_chain", lambda f: lambda b, node, stop: f(b, node, lambda link: None)),
    "closures_by_value": become(scopes, "_bound_once_before", lambda f: lambda *a: True),
    "constant_step": become(statements, "_constant_step", lambda f: changed_result(lambda v: v and -v)(f)),
    "match_fails_never": become(matching, "_fail_unless", lambda f: lambda b, condition, label: None),
}  # fmt: skip

# which program notices which mutants: it is tried first, to save time
NOTICED_BY = {
    "Add": "lower_Add_as_Sub print_add",
    "BitAnd": "lower_BitAnd_as_BitOr print_bit_and",
    "BitOr": "lower_BitOr_as_BitXor",
    "BitXor": "lower_BitXor_as_BitOr print_bit_xor",
    "Div": "lower_Div_as_FloorDiv print_truediv",
    "FloorDiv": "lower_FloorDiv_as_Div print_floordiv",
    "LShift": "lower_LShift_as_RShift",
    "Mod": "lower_Mod_as_FloorDiv print_mod",
    "Mult": "lower_Mult_as_Add print_mul",
    "Pow": "lower_Pow_as_Mult print_pow",
    "RShift": "lower_RShift_as_LShift print_rshift",
    "Sub": "lower_Sub_as_Add print_sub",
    "bounds": "bounds_add bounds_mul bounds_negate chain_ends_late kinds_bool_is_bool",
    "bounds_computed":
        "bounds_and bounds_call bounds_floordiv bounds_lshift bounds_mod bounds_rshift bounds_sub "
        "print_lt_turned_weakly terms_identity_call",
    "bounds_excluded": "bounds_exclude",
    "branches_float": "jumps_unless terms_order_of_floats_total",
    "branches_int": "bounds_meet bounds_refine_both_ways bounds_refine_swapped terms_truth_unflipped truths_opposite",
    "calls": "print_shape_lost",
    "displays": "print_dict_star_lost print_star_lost",
    "folded": "fold_bit_and fold_floordiv fold_invert fold_lshift fold_mod fold_mul fold_pow fold_sub",
    "format_of_bool": "terms_format_dropped",
    "identity": "lower_IsNot_as_Is print_is terms_identity_unflipped",
    "isinstance": "terms_isinstance_of_bool",
    "late_closure": "closures_by_value",
    "loops": "constant_step",
    "matches": "match_fails_never",
    "membership": "lower_In_as_NotIn",
    "negated": "lower_Is_as_IsNot lower_NotIn_as_In print_eq terms_shift_sign",
    "negated_branches": "join_keeps_the_first print_eq_turned print_in print_in_turned print_turned_floats",
    "negated_parts": "print_is_turned",
    "order": "lower_GtE_as_Gt lower_Gt_as_GtE lower_LtE_as_Lt lower_Lt_as_LtE lower_NotEq_as_Eq print_le print_lt",
    "order_int": "terms_eq_unflipped terms_le_as_lt",
    "shifted": "terms_unshift_sign",
    "slices": "print_slice_without_step",
    "store_order": "emit_store_order",
    "texts": "print_conversion_lost",
    "unary":
        "lower_Eq_as_NotEq lower_Invert_as_USub lower_UAdd_as_USub lower_USub_as_UAdd print_invert print_neg "
        "print_not terms_negated_is_itself",
    "unused_error": "kinds_floordiv_total kinds_lshift_total",
    "unused_mod": "kinds_arithmetic_total kinds_mod_total",
}  # fmt: skip
FIRST = {mutant: program for program, mutants in NOTICED_BY.items() for mutant in mutants.split()}


def test_the_suite_passes_unbroken() -> None:
    assert noticed_by() is None
    assert len(MUTANTS) >= 40


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert noticed_by(FIRST.get(name, "")) is not None
