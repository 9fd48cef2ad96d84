"""The comparison by cases never calls different regions the same, and settles what the optimiser makes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from hypothesis import given, settings

from pointsman.program.ir import Const
from pointsman.program.proof.cases import same_by_cases
from pointsman.program.table.machine import Decide, Node, Range, Return, Switch
from pointsman.program.table.optimise import optimise


def _helper(name: str) -> ModuleType:
    """A module beside this file: tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


d = _helper("decisions")


def same(explored: Node, optimised: Node, max_visits: int = 10_000) -> bool | None:
    return same_by_cases(explored, optimised, lambda node: node, {}, max_visits)


@given(d.TREES, d.TREES)
@settings(max_examples=300)
def test_different_regions_are_never_the_same(first: Node, second: Node) -> None:
    if same(first, second):
        assert d.same_everywhere(first, second)


@given(d.TREES, d.TREES)
@settings(max_examples=200)
def test_a_wrong_optimisation_is_not_passed(first: Node, second: Node) -> None:
    """One leaf of the optimised region replaced: the kind of fault that this guards against."""
    optimised = optimise(Decide(d.atom("lt", d.X, 2), first, second))
    wrong = optimise(Decide(d.atom("lt", d.X, 3), first, second))
    explored = Decide(d.atom("lt", d.X, 2), first, second)
    if not d.same_everywhere(explored, wrong):
        assert same(explored, wrong) is None
    assert d.same_everywhere(explored, optimised)


@given(d.TREES)
@settings(max_examples=300)
def test_what_the_optimiser_makes_is_the_same(tree: Node) -> None:
    optimised = optimise(tree)
    assert d.same_everywhere(tree, optimised)
    assert same(tree, optimised) in {True, None}


def test_chains_are_settled() -> None:
    rising: Node = Return(Const("end"))
    equal: Node = Return(Const("end"))
    named: Node = Return(Const("end"))
    for number in reversed(range(300)):
        rising = Decide(d.atom("lt", d.X, number), Return(Const(number)), rising)
        equal = Decide(d.atom("eq", d.X, 2 * number), Return(Const(number)), equal)
        named = Decide(d.atom("eq", d.S, f"k{number}"), Return(Const(number)), named)
    for chain in (rising, equal, named):
        assert same(chain, optimise(chain)) is True


def test_two_keys_are_settled_and_become_one_question_each() -> None:
    node: Node = Return(Const("end"))
    for number in reversed(range(60)):
        inner = Decide(d.atom("lt", d.X, number), Return(Const(number)), node)
        node = Decide(d.atom("eq", d.S, "abcdef"[number % 6]), inner, node)
    optimised = optimise(node)
    assert type(optimised).__name__ == "Pick"
    assert same(node, optimised) is True


def test_known_bounds_settle_what_they_imply() -> None:
    tree = Decide(d.atom("lt", d.X, 0), Return(Const("never")), Return(Const("always")))
    always = Return(Const("always"))
    assert same(tree, always) is None
    assert same_by_cases(tree, always, lambda node: node, {d.X: Range("int", 0, None)}, 100) is True


def test_a_gap_of_several_values_is_not_reached() -> None:
    tree: Node = Return(Const("else"))
    for value in (1, 2, 3):
        tree = Decide(d.atom("eq", d.X, value), Return(Const("hit")), tree)
    switch = Switch(d.X, (1, 4), (Return(Const("else")), Return(Const("hit")), Return(Const("else"))))
    assert same(tree, switch) is True
    wider = Switch(d.X, (1, 5), (Return(Const("else")), Return(Const("hit")), Return(Const("else"))))
    assert same(tree, wider) is None


def test_the_number_of_visits_is_bounded() -> None:
    chain: Node = Return(Const("end"))
    for number in reversed(range(50)):
        chain = Decide(d.atom("lt", d.X, number), Return(Const(number)), chain)
    assert same(chain, optimise(chain), max_visits=20) is None
