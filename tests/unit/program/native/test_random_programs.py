"""Random numeric programs: native runs and the source agree in results, exceptions and changes to lists."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from pointsman.program.compiler import compile_source
from pointsman.program.link import link
from pointsman.program.native import NotNative, native_function
from pointsman.program.native.engine import available

pytestmark = pytest.mark.skipif(available() is not None, reason=f"no native code: {available()}")
INTS = ("a", "b", "u", "v", "i", "3", "11", "-7", "2", "4611686018427387904")
INT_RULES = (
    "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} // 7)", "({i} % 13)", "({i} % {i})", "(-{i})", "min({i}, {i})",
    "max({i}, {i}, 2)", "abs({i})", "({i} if {b} else {i})", "({i} & {i})", "items[{i} % len(items)]", "h({i}, {i})",
)  # fmt: skip
FLOAT_RULES = ("({f} + {f})", "({f} * {f})", "({f} - {f})", "({f} / 3)", "({f} % 2.5)", "({f} // -1.5)",
               "min({f}, {f})", "(-{f})", "abs({f})", "({f} + {i})", "float({i})")  # fmt: skip
BOOL_RULES = ("({i} < {i})", "({i} == {i})", "({f} >= {f})", "({i} <= {f})", "(not {b})", "({b} and {b})", "p")
STATEMENTS = (
    "u = {i}", "v += {i}", "v -= {i}", "u, v = {i}, {i}", "x = {f}", "p = {b}", "items[{i} % len(items)] = {i}",
    "items[-1] = {i}", "items.append({i})", "own.append({i})", "own = own[1:]", "if {b}: return {r}",
    "if {b}: raise ValueError({i})", "if {b}:{B}", "if {b}:{B}else:{B}", "for i in range(5):{B}",
    "for i in range(6, 0, -2):{B}", "for j, w in enumerate(other, 2): u += w - j",
)  # fmt: skip
RESULTS = ("(u, x, p, v)", "u + v", "own", "items")


class Writer:
    """Expands the rules above; parts that are nested deeply are plain names."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.result = self.random.choice(RESULTS)
        self.calls = False

    def part(self, kind: str, depth: int) -> str:
        plain = {"i": INTS, "f": ("x", "y", "1.5", "-0.0"), "b": ("p",)}[kind]
        rules = {"i": INT_RULES if self.calls else INT_RULES[:-1], "f": FLOAT_RULES, "b": BOOL_RULES}[kind]
        if depth > 2 or self.random.random() < 0.3:
            return self.random.choice(plain)
        return self.fill(self.random.choice(rules), depth + 1, 0)

    def fill(self, rule: str, depth: int, indent: int) -> str:
        text = rule
        while "{" in text:
            start = text.index("{")
            kind = text[start + 1]
            if kind == "B":
                made = self.block(indent + 1, depth + 1) + "    " * indent
            else:
                made = self.result if kind == "r" else self.part(kind, depth if indent == 0 else 1)
            text = text[:start] + made + text[start + 3 :]
        return text

    def block(self, indent: int, depth: int) -> str:
        rules = STATEMENTS if depth < 3 else STATEMENTS[:12]
        lines = [self.fill(self.random.choice(rules), depth, indent).rstrip() for _ in range(self.random.randint(1, 3))]
        return "\n" + "".join("    " * indent + line + "\n" for line in lines)

    def program(self) -> str:
        start = "    items, own, other = [a, b, 3], [b], [1]\n    u, v, i, x, y, p = a, 1, 0, 0.5, 2.5, True"
        result, self.result = self.result, "u + v"
        helper = f"def h(a: int, b: int) -> int:\n{start}{self.block(1, 1)}    return u\n"
        self.result, self.calls = result, True
        params = "a: int, b: int, x: float, y: float, p: bool, items: list[int], other: list[int]"
        body = "".join(self.block(1, 0) for _ in range(3))
        return f"{helper}def f({params}):\n    u, v, i, own = a, b, 0, [1, a, 2]{body}    return {self.result}\n"


def arguments(chosen: random.Random) -> tuple[Any, ...]:
    def number() -> int:
        large = chosen.choice([2**63 - 1, -(2**63), 2**63, chosen.randint(-(10**10), 10**10)])
        return large if chosen.random() < 0.1 else chosen.randint(-5, 9)

    def real() -> float:
        return chosen.choice([chosen.uniform(-9, 9)] * 3 + [0.0, -0.0, 1e300, float("inf"), float("nan"), 2.0**53])

    items = [number() for _ in range(chosen.randint(1, 6))]
    other = [chosen.randint(0, 9) for _ in range(chosen.randint(0, 4))]
    return number(), number(), real(), real(), chosen.random() < 0.5, items, other


def outcome(function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Any, ...]:
    args = copy.deepcopy(given)
    try:
        result = function(*args)
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return type(error), str(error), repr(args)
    return type(result), repr(result), repr(args), result is args[5]


@pytest.mark.parametrize("seed", range(24))
def test_random_program(seed: int) -> None:
    source = Writer(seed).program()
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    program = compile_source(source, "f")
    python, falls = link(program).entry, []

    def counted(*args: Any) -> Any:
        falls.append(args)
        return python(*args)

    native = native_function(program, counted)
    if isinstance(native, NotNative):  # constants grew while they were folded, or every path raises
        assert native.code in {"large_constant", "no_result"}, native
        return
    chosen = random.Random(seed)
    for _ in range(12):
        given = arguments(chosen)
        before = len(falls)
        expected = outcome(namespace["f"], given)
        assert outcome(native.entry, given) == expected, source
        assert len(falls) > before or not issubclass(expected[0], Exception)
