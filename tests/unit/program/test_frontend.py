"""The front end: what each refusal says and where it points, and golden IR of small functions, which are executed too."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from pointsman.program import frontend, ir
from pointsman.program.frontend import REFUSALS, Refusal, builder

GOLDEN = Path(__file__).parents[2] / "golden"

# code -> (source, line of the refusal, the text over its caret); line 0: it points at no line
TRIGGERS: dict[str, tuple[str, int, str]] = {
    "PM001": ("x = 1\ndef f(:\n    pass\n", 2, ":"),
    "PM002": ("def g(): return 1\n", 0, ""),
    "PM003": ("import math\nif math.pi > 3:\n    def f(): return 1\n", 2, "if math.pi > 3:"),
    "PM101": ("def f(x):\n    print(x)\n", 2, "print"),
    "PM102": ("import os\ndef f():\n    return os.getcwd()\n", 3, "os.getcwd"),
    "PM103": ("def f(x):\n    return eval(x)\n", 2, "eval"),
    "PM104": ("def f(x):\n    return x + nowhere\n", 2, "nowhere"),
    "PM105": ("SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return SEEN\n", 3, "SEEN"),
    "PM106": ("import functools\n@functools.wraps(len)\ndef f(x):\n    return x\n", 2, "functools.wraps(len)"),
    "PM107": ("def f(x, seen=[]):\n    return seen\n", 1, "[]"),
    "PM108": ("def f(x):\n    return x.colour\n", 2, "x.colour"),
    "PM109": ("def f(x):\n    return x.paint(1)\n", 2, "x.paint"),
    "PM110": ("class Tree:\n    def grow(self): return 1\ndef f():\n    return Tree()\n", 4, "Tree"),
    "PM111": (
        "import operator\ndef f(x):\n    return operator.attrgetter('real.__class__')(x)\n",
        3,
        "operator.attrgetter('real.__class__')",
    ),
    "PM201": ("def f(xs):\n    async def g(): return 1\n    return g\n", 2, "async def g(): return 1"),
    "PM203": ("def f(x):\n    with x as y:\n        return y\n", 2, "with x as y:"),
    "PM204": ("COUNT = 0\ndef f():\n    global COUNT\n    COUNT = 1\n", 4, "COUNT"),
    "PM205": ("def f(x):\n    import math\n    math = x\n    return math\n", 2, "import math"),
    "PM206": ("def f():\n    class A: pass\n    return A\n", 2, "class A: pass"),
    "PM207": ("def f(x):\n    try:\n        return 1 // x\n    except* ValueError:\n        pass\n", 2, "try:"),
    "PM208": ("def f(xs):\n    return [lambda: x for x in xs]\n", 2, "lambda: x"),
    "PM209": ("def f(a, b):\n    return a is b\n", 2, "a is b"),
    "PM210": ("def f(x):\n    match x:\n        case str(a, b):\n            return a\n", 3, "str(a, b)"),
    "PM211": ("def f(xs, d):\n    return [0 for d[0] in xs]\n", 2, "d[0]"),
    "PM212": ("def f(x):\n    raise\n", 2, "raise"),
    "PM213": ("def f(xs):\n    return sum((y := x) for x in xs)\n", 2, "y := x"),
    "PM214": ("def f(x):\n    del x.name\n", 2, "x.name"),
    "PM215": ("def f():\n    return lambda: (yield)\n", 2, "yield"),
    "PM216": ("def f(x, _range):\n    return x\n", 1, "_range"),
    "PM217": ("from pointsman import judge\ndef f(t, q):\n    return judge(q, t)\n", 3, "judge(q, t)"),
    "PM218": ("from pointsman import judge\ndef f(n: int):\n    return judge('it is late', n)\n", 3, "n"),
    "PM219": (
        "from pointsman import extract\ndef f(t):\n    return extract(list, 'all of them', t)\n",
        3,
        "extract(list, 'all of them', t)",
    ),
    "PM301": ("def f(x):\n" + "    x = x + 1\n" * 60, 1, "def f(x):"),
}


def refusal_of(source: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        frontend.lower_program(frontend.Module.parse(source, "shop.py"), "f")
    return caught.value


def over_caret(refusal: Refusal) -> str:
    lines = str(refusal).split("\n")
    at = next((i for i, line in enumerate(lines) if line.strip() and not line.strip("^ \t")), None)
    if at is None:
        return ""
    start, end = lines[at].index("^"), len(lines[at])
    return lines[at - 1][start:end]


def test_every_refusal_has_a_trigger() -> None:
    assert TRIGGERS.keys() == REFUSALS.keys()


@pytest.mark.parametrize("code", TRIGGERS)
def test_a_refusal_points_at_its_cause(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MAX_STATEMENTS", 50)
    source, line, text = TRIGGERS[code]
    refusal = refusal_of(source)
    assert refusal.code == code
    assert refusal.line == line
    assert over_caret(refusal) == text
    assert REFUSALS[code][1] in str(refusal)
    assert str(refusal).startswith(f"shop.py:{line}:" if line else "shop.py: ")


@pytest.mark.parametrize("line", ["import nothing", "from math import nothing", "import nothing.more as m"])
def test_an_import_that_fails_is_refused_where_it_is_not_used(line: str) -> None:
    refusal = refusal_of(f"def f(x):\n    {line}\n    return x\n")
    assert (refusal.code, over_caret(refusal)) == ("PM102", line)
    frontend.lower_program(frontend.Module.parse("def f(x):\n    import json, math\n    return x\n", "shop.py"), "f")


def test_an_argument_computed_after_a_starred_one_is_refused() -> None:
    """Python spreads the starred argument first; IR spreads all of them at the call."""
    refusal = refusal_of("def g(x): return x\ndef f(xs):\n    return max(*xs, g(xs))\n")
    assert (refusal.code, over_caret(refusal)) == ("PM213", "g(xs)")


def test_the_caret_counts_characters_not_bytes() -> None:
    refusal = refusal_of("def f(x):\n    y = 'éé'; return x.colour\n")
    assert over_caret(refusal) == "x.colour"


GOLDENS: dict[str, tuple[str, tuple[tuple[object, ...], ...]]] = {
    "arithmetic": ("def f(a: int, b: int):\n    return (a + b) // 2 - a % b\n", ((7, 2), (-7, 2), (1, 0))),
    "branches": (
        "def f(x: int):\n    if 0 <= x < 10 and x != 5:\n        return 'in'\n    elif x < 0:\n        return 'low'\n    return 'out'\n",
        ((3,), (5,), (-1,), (10,)),
    ),
    "counted_loop": (
        "def f(n: int):\n    t = 0\n    for i in range(1, n, 2):\n        if i == 7:\n            break\n        t += i\n    else:\n        t = -t\n    return t\n",
        ((0,), (5,), (20,)),
    ),
    "iteration": (
        "def f(xs):\n    out = []\n    for k, (a, *b) in xs:\n        out[:0] = [k, a, b]\n    return out\n",
        (([(1, "ab"), (2, "c")],), ([],), ([(1, "")],)),
    ),
    "handlers": (
        "def f(x, log):\n    try:\n        return 10 // x\n    except ZeroDivisionError as e:\n        log.append(str(e))\n    finally:\n        log.append('end')\n",
        ((0, []), (5, []), ("a", [])),
    ),
    "closures": (
        "def f(n):\n    count = 0\n    def step(by=n):\n        nonlocal count\n        count += by\n        return count\n    return step(), step(5), [lambda k=k: k + n for k in (1, 2)][1]()\n",
        ((3,),),
    ),
    "comprehensions": (
        "def f(m, k):\n    return {x: sum(y * k for y in row) for x, row in enumerate(m) if row}\n",
        (([[1, 2], [], [3]], 2), ([], 0)),
    ),
    "unbound": ("def f(x):\n    if x:\n        y = 1\n    return y\n", ((0,), (1,))),
    "patterns": (
        "def f(x):\n    match x:\n        case [a, *rest] if rest:\n            return a, rest\n        case {'k': 1 | 2 as v}:\n            return v\n        case str(s):\n            return s\n",
        (([1, 2],), ([1],), ({"k": 2},), ("t",), (3,)),
    ),
    "generator": (
        "def g(n):\n    while n:\n        yield f'{n!r:>3}'\n        n -= 1\ndef f(n):\n    return list(g(n))\n",
        ((2,), (0,)),
    ),
}


def shown(source: str) -> str:
    """The source, and the IR of each of its functions."""
    lowered = frontend.lower_program(frontend.Module.parse(source), "f")
    return "\n".join([source, *(ir.dump(lowered.functions[name]) for name in sorted(lowered.functions))])


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_ir(name: str, request: pytest.FixtureRequest, disagreements: Callable[..., list[str]]) -> None:
    source, inputs = GOLDENS[name]
    text, path = shown(source), GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path.name} is missing; make it with --update-golden and read it"
    assert text == path.read_text()
    assert disagreements(source, inputs) == []


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == GOLDENS.keys()


def test_locations_are_those_of_the_file() -> None:
    """Positions are those of the file, not of the function."""
    source = dedent(
        """
        # a comment

        def f(x):
            return (x +
                    1)
        """
    )
    function = frontend.lower_program(frontend.Module.parse(source), "f").functions["f"]
    step = function.body[0]
    assert (function.loc.line, step.loc.line, step.loc.end_line) == (4, 5, 6)


def test_type_that_makes_a_class_is_refused() -> None:
    source = "def f(x):\n    return type('C', (), {'x': x})\n"
    with pytest.raises(Refusal) as found:
        frontend.lower_program(frontend.Module.parse(source), "f")
    assert found.value.code == "PM103"
    assert "makes a class" in found.value.message
