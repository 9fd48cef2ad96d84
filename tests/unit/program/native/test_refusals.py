"""What has no native form says so, with a stable code and the place; nothing else comes out of the decision."""

import doctest
import sys

import pytest

from pointsman.program.compiler import compile_source
from pointsman.program.native import NotNative, engine, function, native_function

here = pytest.mark.skipif(engine.available() is not None, reason=f"no native code: {engine.available()}")
REFUSED = {
    "def f(a): return a + 1": "parameter",
    "def f(a: dict): return len(a)": "parameter",
    "def f(a: int):\n    x = 1 if a > 2 else 0.5\n    return x": "mixed_kinds",
    "def f(a: int): return str(a)": "call",
    "def f(a: int): return abs()": "call",
    "def f(a: int):\n    try:\n        return 1 // a\n    except ValueError:\n        return 0": "exception_handler",
    "def f(a: int): return a + 18446744073709551616": "large_constant",
    "def f(a: int):\n    while True:\n        raise ValueError(a)": "no_result",
    "def f(a: int):\n    x = g(a)\n    return 1\ndef g(a):\n    return g(a)": "no_result",
    "def f(a: str): return a.split()": "method",
    "def f(*a): return len(a)": "function_shape",
    "from collections import defaultdict\ndef f(a: int):\n    d = defaultdict(int)\n    d[a] += 1\n    return d[a]": "reference",
    "def f(a: list[int]): return sorted(a, key=lambda x: -x)": "reference",
    "def f(a: int): return a, int": "reference",
    "def f(a: int):\n    match a:\n        case 1: return 2\n        case int(): return 3\n    return 4": "reference",
    "def f(a: int):\n    g = lambda x: x + a\n    return g(a)": "operation",
    "def f(a: int):\n    def g():\n        yield a\n    for x in g():\n        a += x\n    return a": "operation",
    "def f(a: int): return sum(i * a for i in range(a))": "operation",
}


@here
@pytest.mark.parametrize(("source", "code"), REFUSED.items())
def test_refusals_have_stable_codes(source: str, code: str) -> None:
    answer = native_function(compile_source(source, "f"))
    assert isinstance(answer, NotNative)
    assert answer.code == code
    assert answer.reason
    assert answer.function in {"f", "g"}
    assert str(answer).startswith(f"not native ({code}) in {answer.function}")


@here
def test_a_refusal_says_where() -> None:
    source = """
def f(a: int):
    for i in range(a):
        a += 2
    while a > 7:
        a = helper(a)
    return a
def helper(b):
    b += 1
    while b > 3:
        b -= len(str(b))
    return b
"""
    answer = native_function(compile_source(source, "f"))
    assert isinstance(answer, NotNative)
    assert (answer.code, answer.function, answer.line) == ("call", "helper", 10)
    assert str(answer) == "not native (call) in helper from line 10: a call of builtins.str with int"


@here
def test_a_large_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.program.native.infer._MAX_NODES", 3)
    answer = native_function(
        compile_source("def f(a: int):\n    while a > 9:\n        a -= a % 3 + 1\n    return a", "f")
    )
    assert isinstance(answer, NotNative)
    assert answer.code == "too_large"


def test_without_llvmlite_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    engine.available.cache_clear()
    try:
        answer = native_function(compile_source("def f(a: int): return a", "f"))
    finally:
        engine.available.cache_clear()
    assert isinstance(answer, NotNative)
    assert answer.code == "unavailable"
    assert "pip install 'pointsman[native]'" in str(answer)


@here
def test_the_example_in_the_docstring() -> None:
    result = doctest.testmod(function)
    assert result.attempted > 3
    assert not result.failed


@here
def test_a_variable_that_is_unassigned_on_a_path_that_raises() -> None:
    source = """
def f(n: int):
    i = 0
    while i < n:
        i += 1
        if i == 100:
            raise ValueError(x)
    while i > 0:
        if i == 3:
            x = i
        i -= 1
        if i == -5:
            raise ValueError(x)
    return i
"""
    made = native_function(compile_source(source, "f"))
    assert not isinstance(made, NotNative)
    assert made.entry(5) == 0
