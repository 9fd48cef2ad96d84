"""Cut machines do what the machines did, and are shallow; rebuilding and equality of DAGs."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.program.compiler import compile_source, explore_machine
from pointsman.program.frontend import Module, lower_program
from pointsman.program.ir import Const
from pointsman.program.link import link
from pointsman.program.table.cut import REST, bound_depth, free_symbols
from pointsman.program.table.machine import (
    App,
    Decide,
    Goto,
    Machine,
    Node,
    Program,
    Return,
    Sym,
    nodes,
    postorder,
    rebuilt,
    successors,
)

X = Sym("x", "int")


def height(root: Node) -> int:
    heights: dict[int, int] = {}
    for node in postorder(root):
        heights[id(node)] = 1 + max((heights[id(child)] for child in successors(node)), default=0)
    return heights[id(root)]


def chain(length: int, leaf: Callable[[int], Node]) -> Node:
    node: Node = Return(Const("end"))
    for number in reversed(range(length)):
        node = Decide(App("lt", (X, Const(number)), (), "bool"), leaf(number), node)
    return node


def explored(source: str) -> tuple[Machine, Program]:
    lowered = lower_program(Module.parse(source), "f")
    machine = explore_machine(lowered.functions["f"], lowered.records)
    return machine, Program("f", {"f": machine}, {}, {}, (), ())


LADDER = "def f(s, x):\n    y = 0\n    for c in s:\n" + "".join(
    f"        {'el' if i else ''}if c == {i} and x > {i}: y += {i}\n" for i in range(12)
) + "        else: y -= 1\n    return y\n"  # fmt: skip
RULES = "def f(s: str, x: int):\n" + "".join(f"    if s.startswith('{i}') and x > {i}: return {i}\n" for i in range(12))
GUARDED = "def f(s, x):\n    y = 0\n    try:\n        y = " + " + ".join(f"s[{i}] // x" for i in range(12)) + (
    "\n    except (IndexError, ZeroDivisionError) as e:\n        return y, str(e)\n    return y\n"
)  # fmt: skip


@pytest.mark.parametrize("max_depth", [1, 2, 5, 9])
@pytest.mark.parametrize("source", [LADDER, RULES, GUARDED], ids=["ladder", "rules", "guarded"])
def test_a_cut_machine_does_the_same_and_is_shallow(source: str, max_depth: int) -> None:
    machine, program = explored(source)
    shallow, origins = bound_depth(machine, max_depth)
    assert any(state.label == REST for state in shallow.states)
    assert max(height(state.root) for state in shallow.states) <= max_depth + 8
    assert len(origins) == len(shallow.states)
    assert all(shallow.states[i].loc == machine.states[origin].loc for i, origin in enumerate(origins))
    before = link(program).entry
    after = link(Program("f", {"f": shallow}, {}, {}, (), ())).entry
    for arguments in [([1, 5, 9], 6), ([], 0), ("0abc", 3), ("11", 20), (list(range(20)), 2), ([4] * 13, 0), ("x", 1)]:
        assert _outcome(before, arguments) == _outcome(after, arguments)


def _outcome(function: Callable[..., object], arguments: tuple[object, ...]) -> str:
    try:
        return repr(function(*arguments))
    except Exception as error:  # noqa: BLE001 - what a program raises is its outcome
        return repr(error)


def test_a_shallow_machine_stays_as_it_is() -> None:
    machine, _ = explored("def f(x: int):\n    if x < 3: return 1\n    return 2\n")
    assert bound_depth(machine) == (machine, [0])


def test_free_symbols_follow_what_a_path_makes() -> None:
    machine, _ = explored("def f(xs, k):\n    for x in xs:\n        if x == k: return x\n    return k\n")
    loop = next(state for state in machine.states if state.loop)
    names = {symbol.name for symbol in free_symbols(loop.root)[id(loop.root)]}
    assert names == {name for name, _ in loop.variables}


def test_deep_chains_are_rebuilt_and_compared_without_recursion() -> None:
    deep = 5_000  # Python's own limit is 1,000 frames
    first = chain(deep, lambda n: Return(Const(n)))
    second = chain(deep, lambda n: Return(Const(n)))
    assert first is not second
    assert first == second
    assert first != chain(deep, lambda n: Return(Const(n if n != deep - 1 else -1)))
    renamed = rebuilt(first, lambda _, node: Goto(7, ()) if node == Return(Const("end")) else node)
    assert sum(isinstance(node, Goto) for node in nodes(renamed)) == 1
    assert height(renamed) == deep + 1


def test_shared_parts_are_compared_once() -> None:
    def doubled(times: int) -> App | Sym:
        term: App | Sym = X
        for _ in range(times):
            term = App("add", (term, term), (), "int")
        return term

    assert doubled(60) == doubled(60)  # 2**60 paths
    assert doubled(60) != doubled(59)


@given(st.integers(1, 40), st.integers(1, 7))
def test_a_long_list_of_rules_is_cut_evenly(length: int, max_depth: int) -> None:
    root = chain(length, lambda n: Return(Const(n)))
    source = "def f(x: int):\n    return x\n"
    state = compile_source(source, "f").machines["f"].states[0]
    machine = Machine("f", "f", (), (type(state)(0, "entry", state.variables, root),))
    shallow, _ = bound_depth(machine, max_depth)
    assert max(height(s.root) for s in shallow.states) <= max_depth + 1
    total = sum(isinstance(n, Decide) for s in shallow.states for n in nodes(s.root))
    assert total == length
