"""Native programs give what CPython gives, for results, exceptions and changes to lists; and they do run natively."""

import copy
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.program.compiler import compile_source
from pointsman.program.link import link
from pointsman.program.native import NativeFunction, native_function
from pointsman.program.native.engine import available
from pointsman.program.support import OutOfFuel

pytestmark = pytest.mark.skipif(available() is not None, reason=f"no native code: {available()}")
EXAMPLES = Path(__file__).parents[4] / "examples"
INTS = (
    st.integers()
    | st.integers(-5, 5)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**62, 2**31, 2**53 + 1])
)
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 0.5, 1.5, 2.5, -2.5, 2.0**53, 2.0**63, -(2.0**63), 1e308, 5e-324])
BOOLS = st.booleans()


@cache
def built(source: str, name: str) -> tuple[Callable[..., Any], NativeFunction, list[int]]:
    """(the source's function, the native one, how often Python had to run)."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    program = compile_source(source, name)
    python = link(program).entry
    falls: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        falls.append(1)
        return python(*args, **kwargs)

    native = native_function(program, counted)
    assert isinstance(native, NativeFunction), native
    return namespace[name], native, falls


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    given_ = copy.deepcopy(args)
    try:
        result = function(*given_)
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return type(error), str(error), repr(given_)
    same = [result is g for g in given_ if isinstance(g, list)]
    return type(result), repr(result), repr(given_), same


def agree(source: str, name: str, *args: Any) -> bool:
    """Asserts equality; says whether the run was native."""
    original, native, falls = built(source, name)
    before = len(falls)
    assert outcome(native.entry, args) == outcome(original, args), (name, args)
    return len(falls) == before


BINARY = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "bit_and": "&",
          "bit_or": "|", "bit_xor": "^", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}  # fmt: skip


def binary(symbol: str, left: str, right: str) -> str:
    return f"def f(a: {left}, b: {right}):\n    return a {symbol} b\n"


@pytest.mark.parametrize("symbol", BINARY.values(), ids=list(BINARY))
@given(a=INTS, b=INTS, p=BOOLS)
@settings(max_examples=25, deadline=None)
def test_int_operations(symbol: str, a: int, b: int, p: bool) -> None:
    agree(binary(symbol, "int", "int"), "f", a, b)
    agree(binary(symbol, "int", "int"), "f", p, b)  # another type than the annotation says


@pytest.mark.parametrize("symbol", ["+", "-", "*", "//", "%", "/", "<", "==", "**"])
@given(a=FLOATS, b=FLOATS, n=INTS)
@settings(max_examples=25, deadline=None)
def test_float_operations(symbol: str, a: float, b: float, n: int) -> None:
    agree(binary(symbol, "float", "float"), "f", a, b)
    if symbol != "**":
        agree(binary(symbol, "int", "float"), "f", n, b)


SCALARS = """
import math
def shifts(a: int, b: int):
    return a << b, a >> b
def power(a: int, b: int):
    return a ** b
def unary(a: int, p: bool, x: float):
    return -a, +p, ~a, abs(a), -x, abs(x), not a, -p
def conversions(x: float, a: int):
    return int(x), float(a), bool(x), round(x), bool(a)
def extremes(a: int, b: int, x: float, y: float):
    return min(a, b), max(a, b, 3), min(x, y), max(x, y, 0.5)
def logic(p: bool, q: bool):
    return p & q, p | q, p ^ q, p + q, p == q
def functions(x: float, y: float):
    return math.sqrt(x), math.sin(x), math.exp(y), math.log(x), math.atan2(x, y), math.fmod(x, y), math.floor(y)
def cube(x: float):
    return x ** 3, x ** 2.0
def member(a: int, s: str):
    return a in (1, 2, 300), s in ("x", "yes"), s == "yes"
"""


@given(a=INTS, b=st.integers(-2, 70), x=FLOATS, y=FLOATS, p=BOOLS, q=BOOLS)
@settings(max_examples=40, deadline=None)
def test_scalar_functions(a: int, b: int, x: float, y: float, p: bool, q: bool) -> None:
    agree(SCALARS, "shifts", a, b)
    agree(SCALARS, "power", a % 100 - 50, b)
    agree(SCALARS, "unary", a, p, x)
    agree(SCALARS, "conversions", x, a)
    agree(SCALARS, "extremes", a, b, x, y)
    agree(SCALARS, "logic", p, q)
    agree(SCALARS, "functions", x, y)
    agree(SCALARS, "cube", x)
    agree(SCALARS, "member", b, "yes" if p else "x" if q else "")


def test_results_keep_their_types_and_run_natively() -> None:
    assert agree(SCALARS, "unary", 5, True, -0.0)
    assert agree(SCALARS, "conversions", 2.5, 7)
    assert agree(SCALARS, "functions", 2.0, 0.5)
    assert agree(SCALARS, "power", 3, 39)
    assert not agree(SCALARS, "power", 3, 40)  # overflows
    assert not agree(SCALARS, "functions", -1.0, 0.5)  # math domain error
    assert agree(SCALARS, "member", 300, "yes")


LISTS = """
def get(items: list[int], i: int):
    return items[i]
def put(items: list[int], i: int, value: int):
    items[i] = value
    items[-1] = items[0] + 1
    return items
def total(items: list[float]):
    result = 0.0
    for x in items:
        result += x
    return result
def flip(items: list[bool], i: int):
    items[i] = not items[i]
    return items[i]
def both(a: list[int], b: list[int]):
    a[0] = 7
    b[0] = b[0] + 1
    return a[0] + b[0]
def squares(n: int):
    made = [0] * n
    for i in range(n):
        made[i] = i * i
    made.append(n)
    return made
def stack(items: list[int]):
    items.append(len(items))
    items.extend(items)
    last = items.pop()
    part = items[1:-1]
    part.append(last)
    return part
def sieve(n: int):
    composite = [False] * (n + 1)
    found = []
    for i in range(2, n + 1):
        if not composite[i]:
            found.append(i)
            for j in range(i * i, n + 1, i):
                composite[j] = True
    return found
def nested(rows: list[int], n: int):
    best = -1
    for i, x in enumerate(rows):
        for j in range(i):
            if rows[j] * x > best:
                best = rows[j] * x
            if best > n:
                return i, j, best > 3
    return -1, -1, False
"""
SMALL = st.lists(st.integers(-9, 9) | INTS, max_size=6)


@given(items=SMALL, i=st.integers(-8, 8), value=INTS, xs=st.lists(FLOATS, max_size=5), ps=st.lists(BOOLS, max_size=4))
@settings(max_examples=40, deadline=None)
def test_lists(items: list[int], i: int, value: int, xs: list[float], ps: list[bool]) -> None:
    agree(LISTS, "get", items, i)
    agree(LISTS, "put", items, i, value)
    agree(LISTS, "total", xs)
    agree(LISTS, "flip", ps, i)
    agree(LISTS, "both", items, items[::-1])
    agree(LISTS, "squares", i)
    agree(LISTS, "stack", items)
    agree(LISTS, "nested", items, value)


def test_lists_run_natively_and_only_success_changes_them() -> None:
    assert agree(LISTS, "put", [5, 6], -2, 9)
    assert agree(LISTS, "sieve", 200)
    assert agree(LISTS, "stack", [1, 2, 3])
    assert agree(LISTS, "nested", [3, 1, 2], 4)
    assert not agree(LISTS, "put", [2**63 - 1, 6], 1, 9)  # the sum overflows after items[1] was assigned
    assert not agree(LISTS, "get", [1, 2], 2)
    assert not agree(LISTS, "get", [1, True], 1)
    assert not agree(LISTS, "get", [1, 2**70], 1)
    assert agree(LISTS, "get", [1, 2**70], 0)  # nobody looks at the large one


def test_one_list_given_twice() -> None:
    original, native, _ = built(LISTS, "both")
    first, second = [1, 2], [1, 2]
    assert native.entry(first, first) == original(second, second)
    assert first == second


def test_list_argument_of_another_type() -> None:
    agree(LISTS, "get", (1, 2), 1)
    agree(LISTS, "get", [0.5, 2.0], 0)
    agree(LISTS, "get", "text", 0)
    agree(LISTS, "get", [1], 0.5)
    agree(LISTS, "get", None, 0)


def test_a_list_that_is_not_written_keeps_its_objects() -> None:
    _, native, _ = built(LISTS, "put")
    items = [10**15, 10**16, 0]
    kept = items[1]
    native.entry(items, 0, 3)
    assert items == [3, 10**16, 4]
    assert items[1] is kept


CALLS = """
def ackermann(m: int, n: int) -> int:
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def even(n: int) -> bool:
    return True if n == 0 else odd(n - 1)
def odd(n: int) -> bool:
    return False if n == 0 else even(n - 1)
def helper(a, b=3):
    return a * b
def default(n: int, m: int = 4):
    return helper(n) + helper(n, m)
def forever(n: int):
    while n < 2:
        n = 1 - n
    return n
def fails(n: int):
    if n > 3:
        raise KeyError("large", n)
    return 10 // n
def deep(n: int) -> int:
    return 0 if n == 0 else 1 + deep(n - 1)
def nothing(n: int):
    for i in range(n):
        if i > 5:
            return None
"""


def test_calls() -> None:
    assert agree(CALLS, "ackermann", 2, 3)
    assert agree(CALLS, "fib", 15)
    assert agree(CALLS, "even", 20)
    assert agree(CALLS, "default", 5)
    assert agree(CALLS, "default", 5, 6)
    assert agree(CALLS, "nothing", 9)
    assert not agree(CALLS, "deep", 600)
    for n in (0, 1, 4):
        agree(CALLS, "fails", n)
    assert outcome(built(CALLS, "deep")[1].entry, (10**5,))[0] is RecursionError


def test_keywords_and_wrong_calls() -> None:
    original, native, _ = built(CALLS, "default")
    assert native.entry(m=2, n=7) == native(7, m=2) == original(7, 2)
    for args, kwargs in (((), {}), ((1, 2, 3), {}), ((1,), {"k": 2}), ((1,), {"n": 2})):
        with pytest.raises(TypeError) as expected:
            original(*args, **kwargs)
        with pytest.raises(TypeError) as raised:
            native.entry(*args, **kwargs)
        assert str(raised.value) == str(expected.value)


def test_fuel() -> None:
    _, native, _ = built(CALLS, "forever")
    with pytest.raises(OutOfFuel):
        native.metered(10_000, 1)
    _, small, _ = built(CALLS, "fib")
    assert small.metered(10**6, 15) == 610
    with pytest.raises(OutOfFuel):
        small.metered(10, 15)
    _, fails, _ = built(CALLS, "fails")
    with pytest.raises(ZeroDivisionError):
        fails.metered(1000, 0)


def test_signals_interrupt_a_long_loop() -> None:
    class Late(Exception):
        pass

    def raise_late(*_: object) -> None:
        raise Late

    _, native, falls = built(CALLS, "forever")
    before = signal.signal(signal.SIGALRM, raise_late)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Late):
            native.entry(1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not falls


def test_importing_does_not_load_the_compiler() -> None:
    code = "import sys, pointsman.program.native; print({'numba', 'llvmlite'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_other_threads_run_during_a_long_loop() -> None:
    """The endless loop is ended by a thread; were the GIL held, that thread could not run, and the alarm would end it."""

    class Ended(Exception):
        pass

    class Held(Exception):
        pass

    def end(*_: object) -> None:
        raise Ended

    def give_up(*_: object) -> None:
        raise Held

    def other() -> None:
        go.wait()
        time.sleep(0.05)  # the loop has begun, or the test shows nothing this time
        signal.raise_signal(signal.SIGUSR1)  # its handler runs in the main thread

    _, native, _ = built(CALLS, "forever")
    native.compile()
    go = threading.Event()
    thread = threading.Thread(target=other)
    before = signal.signal(signal.SIGUSR1, end), signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        thread.start()
        with pytest.raises(Ended):
            go.set(), native.entry(1)
    finally:
        signal.alarm(0)
        thread.join()
        signal.signal(signal.SIGUSR1, before[0])
        signal.signal(signal.SIGALRM, before[1])


def test_no_memory_is_kept() -> None:
    import resource

    original, native, _ = built(LISTS, "squares")
    for _ in range(3):
        native.entry(100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        native.entry(100_000)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    )  # kilobytes; 100 leaked lists take 80 MB
    assert native.entry(50) == original(50)


TEXT = """
def vowels(text: str) -> int:
    count = 0
    for c in text:
        if c in "aeiou" or c == "y":
            count += 1
    return count
def code(text: str, i: int):
    return ord(text[i]), text[i], text == "abc", text[i].isdigit(), text[i].upper()
def name(i: int) -> str:
    return ("zero", "one", "e")[i]
def pair(a: str, b: str):
    return a == b, len(a), a
"""


@given(text=st.text(max_size=6) | st.text("aby1 é", max_size=6), i=st.integers(-7, 7))
@settings(max_examples=40, deadline=None)
def test_text(text: str, i: int) -> None:
    agree(TEXT, "vowels", text)
    agree(TEXT, "code", text, i)
    agree(TEXT, "name", i)
    agree(TEXT, "pair", text, text[::-1])
    agree(TEXT, "pair", text, "".join(text))


CASES = {
    "gcd:gcd": [(48, 36), (-7, 0), (2**63 - 1, 10**17)],
    "factorial:factorial": [(20,), (0,)],
    "fibonacci:fibonacci": [(80,), (92,)],
    "power:power": [(3, 39), (2, 0)],
    "collatz:collatz_steps": [(27,), (837799,)],
    "primes:count_primes": [(300,), (-5,)],
    "count:count": [([1, 2, 1], 1), ([], 1)],
    "bubble_sort:bubble_sort": [([5, 1, 4, 2, 8],), ([],)],
    "binary_search:binary_search": [([1, 3, 5], 5), ([], 4)],
    "reverse:reverse": [([1, 2, 3],)],
    "income_tax:income_tax": [(30_001, "single"), (90_000, "head")],
    "merge_sorted:merge_sorted": [([1, 4, 9], [2, 4, 8, 10]), ([], [1])],
    "palindrome:is_palindrome": [("A man, a plan, a canal: Panama",), ("router",)],
    "edit_distance:edit_distance": [("kitten", "sitting"), ("", "abc")],
    "calendar_rules:day_of_week": [(2024, 2, 29)],
}


@pytest.mark.parametrize("name", CASES)
def test_examples_run_natively(name: str) -> None:
    module, _, function = name.partition(":")
    source = (EXAMPLES / f"{module}.py").read_text()
    assert all(agree(source, function, *args) for args in CASES[name])


@pytest.mark.parametrize(
    ("name", "args"), [("factorial", (25,)), ("fibonacci", (94,)), ("factorial", (-1,)), ("power", (2, -1))]
)
def test_examples_beyond_64_bits_and_errors(name: str, args: tuple[int, ...]) -> None:
    assert not agree((EXAMPLES / f"{name}.py").read_text(), name, *args)


def test_signed_zero_and_nan() -> None:
    source = "def f(x: float, y: float):\n    return x % y, x // y, x * y, x == x, x < y\n"
    for x in (0.0, -0.0, math.nan, math.inf, -math.inf, -7.5, 5.0):
        for y in (0.0, -3.0, 2.5, math.inf, math.nan, -math.inf):
            agree(source, "f", x, y)
