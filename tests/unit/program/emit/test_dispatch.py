"""Which programs become loops and branches, and which a loop over a selector."""

from pathlib import Path

import pytest

from pointsman.program.compiler import compile_source
from pointsman.program.emit.module import emit
from pointsman.program.link import link

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").glob("*.py"))
UNSTRUCTURED = (
    "def f(n: int):\n    for i in range(3):\n        try: 1 // n\n        except ZeroDivisionError:\n"
    "            try: return i\n            finally: n += 1\n        finally: n += 0\n    return 'end'\n"
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_loops_and_branches(path: Path) -> None:
    source = path.read_text()
    names = [line[4 : line.index("(")] for line in source.splitlines() if line.startswith("def ")]
    program = compile_source(source, names[-1], str(path))
    assert emit(program).dispatched == []
    assert emit(program, metered=True).dispatched == []


def test_exits_through_nested_finally_need_a_selector() -> None:
    program = compile_source(UNSTRUCTURED, "f")
    emitted = emit(program)
    assert emitted.dispatched == ["f"]
    assert "while True:" in emitted.source
    namespace: dict[str, object] = {}
    exec(UNSTRUCTURED, namespace)
    function = namespace["f"]
    assert callable(function)
    assert [link(program).entry(n) for n in (0, 1)] == [function(0), function(1)]


def test_what_would_nest_too_deep_for_cpython_needs_a_selector() -> None:
    source = "def f(d):\n    y = 0\n    if d is None: y = 1\n"
    source += "".join(f"    elif (m := d.get({i})) is not None: y = m\n" for i in range(120)) + "    return y\n"
    emitted = emit(compile_source(source, "f"))
    assert emitted.dispatched == ["f"]
    deepest = max(len(line) - len(line.lstrip()) for line in emitted.source.splitlines()) // 4
    assert deepest < 100
    compile(emitted.source, "<emitted>", "exec")
