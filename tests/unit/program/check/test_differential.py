"""The differential test: equal programs, wrong ones, and originals that cannot be tested."""

import dataclasses

import pytest

from pointsman.program.check.differential import differential_test
from pointsman.program.compiler import compile_source


def _against(original, compiled, entry="f", **options):
    """Compares the original with the program of another source: a compiler that is wrong in a known way."""
    return differential_test(original, "<test>", compile_source(compiled, entry), **options)


def _equal(source, entry="f", **options):
    return _against(source, source, entry, **options)


def test_equal_function():
    found = _equal("def f(a: int, b: int) -> int:\n    return a // b\n")
    assert (found.status, found.mismatch, found.undecided, found.unstable) == ("equal", None, 0, 0)
    assert found.tested > 50
    assert 0 < found.returned < found.tested  # some raise ZeroDivisionError


@pytest.mark.parametrize(
    ("original", "compiled"),
    [
        ("def f(n: int):\n    return n > 41\n", "def f(n: int):\n    return n >= 41\n"),
        ("def f(n: int):\n    return n\n", "def f(n: int):\n    return float(n)\n"),
        ("def f(n: int):\n    return 1 // n\n", "def f(n: int):\n    return 1 // n if n else 0\n"),
        ("def f(s: str):\n    return s.upper()\n", "def f(s: str):\n    return s\n"),
        ("def f(x: list):\n    return x\n", "def f(x: list):\n    return x[:]\n"),
        ("def f(x: list):\n    x.append(1)\n", "def f(x: list):\n    pass\n"),
        ("def f(x):\n    return sum(x)\n", "def f(x):\n    return sum(x[1:])\n"),
        ("def f(n: int):\n    raise ValueError(n)\n", "def f(n: int):\n    raise ValueError(n + 1)\n"),
        ("def f(n: int):\n    yield n\n", "def f(n: int):\n    yield n\n    yield n\n"),
        ("def f(n: int):\n    return n\n", "def f(n: int):\n    while n == 2: pass\n    return n\n"),
    ],
)
def test_mismatches_are_found(original, compiled):
    found = _against(original, compiled)
    assert found.status == "mismatch"
    assert found.mismatch.original != found.mismatch.emitted
    assert found.mismatch.input.startswith("f(")


def test_counterexamples_are_small():
    found = _against(
        "def f(items: list[int]):\n    return max(items, default=0) > 50\n",
        "def f(items: list[int]):\n    return max(items, default=0) > 90\n",
    )
    assert found.mismatch == dataclasses.replace(found.mismatch, original="True", emitted="False")
    assert len(found.mismatch.input) <= len("f([51])")


def test_doctests_and_extra_inputs_come_first():
    original = "def f(n: int):\n    '''\n    >>> f(987654)\n    1\n    '''\n    return int(n == 987654)\n"
    assert _against(original, "def f(n: int):\n    return 0\n", max_examples=0).mismatch.input == "f(987654)"
    plain = "def f(n: int):\n    return int(n == 987654)\n"
    by_name = _against(plain, "def f(n: int):\n    return 0\n", extra_inputs=[{"n": 987654}], max_examples=0)
    assert by_name.mismatch.input == "f(n=987654)"
    by_place = _against(plain, "def f(n: int):\n    return 0\n", extra_inputs=[(987654,)], max_examples=0)
    assert by_place.status == "mismatch"


def test_doctests_may_be_left_out(tmp_path):
    mark = tmp_path / "mark"
    source = f"def f(n: int):\n    '''\n    >>> f(open({str(mark)!r}, 'w').close())\n    '''\n    return n\n"
    assert _equal(source, doctests=False).status == "equal"
    assert not mark.exists()
    assert _equal(source).status == "equal"
    assert mark.exists()


def test_own_tests_are_run_on_both():
    source = "def f(s):\n    return s[::-1]\n"
    tests = "assert f('abc') == 'cba'\nassert f('') == 'x'\n"
    found = _equal(source, tests=tests)
    assert (found.status, found.tests_passed) == ("equal", (1, 2))
    wrong = _against(source, "def f(s):\n    return s\n", tests=tests, max_examples=0)
    assert wrong.status == "mismatch"


def test_slow_original_is_undecided():
    source = "def f():\n    n = 0\n    while True:\n        n += 1\n"
    found = _equal(source)
    assert (found.status, found.tested) == ("undecided", 0)
    assert found.undecided > 0


def test_original_stuck_in_c_is_undecided():
    source = "def f(n: int):\n    return 10 ** (10 ** 9 + n) % 7\n"
    found = _equal(source, seconds=0.2, max_examples=0, extra_inputs=[(5,)])
    assert found.status == "undecided"


def test_changing_original_is_not_a_mismatch():
    original = "import random\ndef f(n: int):\n    return random.random()\n"
    found = _against(original, "def f(n: int):\n    return 0.5\n")
    assert (found.status, found.mismatch) == ("undecided", None)
    assert found.unstable > 0


@pytest.mark.parametrize(
    "source", ["import no_such_module_at_all\ndef f():\n    return 1\n", "raise SystemExit\ndef f(): pass\n"]
)
def test_source_that_does_not_run(source):
    found = _against(source, "def f():\n    return 1\n")
    assert found.status == "not_runnable"
    assert found.detail


def test_records_of_the_source_are_used():
    source = (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Point:\n    x: int\n    y: int\n"
        "def f(p: Point, q: Point) -> Point:\n    return Point(p.x + q.x, p.y - q.y)\n"
    )
    found = _equal(source)
    assert found.status == "equal"
    assert found.returned > 30


def test_same_seed_gives_the_same_counts():
    source = "def f(a: list[str], b: float):\n    return a * int(b)\n"
    first, second = (_equal(source, seed=4) for _ in range(2))
    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(second, seconds=0)
