"""The interpreter agrees with CPython and with emitted code on random programs; what it says of bad calls and fuel."""

from collections.abc import Callable

import pytest

from pointsman.core import NotFound, Unverified
from pointsman.program import frontend
from pointsman.program.check.fuzz import generate_program
from pointsman.program.frontend.builder import Program
from pointsman.program.interpret import Interpreter, interpret
from pointsman.program.support import OutOfFuel

# what the front end refuses of the generator's programs
OUTSIDE = frozenset({"PM208", "PM210"})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--fuzz-seeds")))


def lowered(source: str, entry: str = "f", **options: bool) -> Program:
    return frontend.lower_program(frontend.Module.parse(source), entry, **options)


def test_random_programs_agree(seed: int, disagreements: Callable[..., list[str]]) -> None:
    program = generate_program(seed)
    try:
        found = disagreements(program.source, program.inputs, program.entry)
    except frontend.Refusal as refusal:
        found = [] if refusal.code in OUTSIDE else [str(refusal)]
    assert found == []


def test_most_random_programs_are_taken() -> None:
    refused = 0
    for seed in range(25):
        program = generate_program(seed)
        try:
            lowered(program.source, program.entry)
        except frontend.Refusal:
            refused += 1
    assert refused <= 5


def test_keywords_and_arguments() -> None:
    program = lowered("def f(a, b=2, *rest, k=3, **more): return a, b, rest, k, more")
    assert interpret(program, "f", [1]) == (1, 2, (), 3, {})
    assert interpret(program, "f", [1, 5, 6], {"k": 0, "z": 1}) == (1, 5, (6,), 0, {"z": 1})
    with pytest.raises(TypeError, match=r"f\(\) missing 1 required positional argument: 'a'"):
        interpret(program, "f", [])


def test_another_function_than_the_entry() -> None:
    program = lowered("def g(x): return x + 1\ndef f(x): return g(x)")
    assert interpret(program, "g", [1]) == 2
    with pytest.raises(NotFound, match=r"no function 'h'; there are \['f', 'g'\]"):
        interpret(program, "h", [])


def test_opaque_functions_are_called_when_given() -> None:
    program = lowered("def g(x): return x is x\ndef f(x): return g(x) + 1", allow_opaque=True)
    assert interpret(program, "f", [1], opaque={"g": lambda x: x * 10}) == 11
    with pytest.raises(Unverified, match="'g'"):
        interpret(program, "f", [1])


def test_fuel_is_shared_by_calls_and_loops() -> None:
    program = lowered("def g(n):\n    while n: n -= 1\ndef f(n):\n    for _ in range(n): g(n)")
    assert interpret(program, "f", [3], fuel=40) is None
    with pytest.raises(OutOfFuel):
        interpret(program, "f", [10], fuel=40)


def test_an_interpreter_keeps_memo_tables_and_module_values() -> None:
    source = "from functools import cache\nBASE = sum((1, 2))\n@cache\ndef f(x): return [x + BASE]"
    interpreter = Interpreter(lowered(source))
    first = interpreter.function("f")(1)
    assert first == [4]
    assert interpreter.function("f")(1) is first
