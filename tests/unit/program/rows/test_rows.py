"""Rows are the DAG: exactly one holds for any input, and it comes to what the DAG comes to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import NotFound, OverBudget
from pointsman.program import catalogue
from pointsman.program.compiler import compile_source
from pointsman.program.ir import Const, Ref
from pointsman.program.rows import (
    Among,
    Cells,
    Row,
    Span,
    condition,
    describe,
    join,
    rows_of,
    show_table,
    shown,
)
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Node,
    Pick,
    Program,
    Range,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    successors,
)

EXAMPLES = Path(__file__).parents[4] / "examples"
Examples = Callable[[str], Program]
DAYS, STATUS, OPENED = Sym("days", "int"), Sym("status", "str"), Sym("opened", "bool")


def value_of(term: Term, env: dict[str, Any]) -> Any:
    """A pure term's value, by the catalogue's meaning of each operation."""
    match term:
        case Const(value=value):
            return value
        case Sym(name=name):
            return env[name]
        case Ref():
            return term
        case App(op=op, args=args):
            compute = catalogue.OPERATIONS[op].compute
            assert compute is not None, op
            return compute(*(value_of(a, env) for a in args))


def walk(node: Node, env: dict[str, Any]) -> Node:
    """The leaf that the DAG leads to; steps are passed over, as no decision of these tables depends on one."""
    while successors(node):
        match node:
            case Decide():
                node = node.yes if value_of(node.atom, env) else node.no
            case Switch():
                node = node.children[sum(value_of(node.term, env) >= cut for cut in node.cuts)]
            case Pick():
                value = value_of(node.term, env)
                found = [c for key, c in zip(node.keys, node.children, strict=True) if key.value == value]
                node = found[0] if found else node.default
            case Do():
                node = node.next
            case Take():
                pytest.fail("these tables have no iterators")
    return node


class Finder:
    """Which of the rows hold; atoms that rows share are evaluated once for an input."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.atoms = tuple(dict.fromkeys(atom for row in rows for atom, _ in row.guard))
        places = {atom: i for i, atom in enumerate(self.atoms)}
        self.guards = [[(places[atom], truth) for atom, truth in row.guard] for row in rows]

    def holding(self, env: dict[str, Any]) -> list[Row]:
        values = [bool(value_of(atom, env)) for atom in self.atoms]
        guards = zip(self.rows, self.guards, strict=True)
        return [row for row, guard in guards if all(values[i] is truth for i, truth in guard)]


def near(*cuts: int) -> list[int]:
    return sorted({cut + d for cut in cuts for d in (-1, 0, 1)})


def refund_inputs() -> Iterator[dict[str, Any]]:
    amounts = near(0, 500, 20_000, 50_000, 100_000, 250_000)
    for days, opened, amount in itertools.product(near(0, 14, 30, 60, 90, 365), (False, True), amounts):
        yield {"days": days, "opened": opened, "amount": amount}


def shipping_inputs() -> Iterator[dict[str, Any]]:
    weights = [cut + d for cut in (0, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000) for d in (0, 1)]
    for weight, zone, express in itertools.product(weights, range(7), (False, True)):
        yield {"weight_grams": weight, "zone": zone, "express": express}


def tax_inputs() -> Iterator[dict[str, Any]]:
    incomes = near(0, 30_000, 40_000, 45_000, 100_000, 150_000, 180_000, 190_000, 260_000, 320_000, 600_000, 900_000)
    for income, status in itertools.product(incomes, ("single", "joint", "head", "widow", "")):
        yield {"income": income, "status": status}


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(
    ("name", "entry", "inputs"),
    [
        ("refund", "refund", refund_inputs),
        ("shipping", "shipping_rate", shipping_inputs),
        ("income_tax", "income_tax", tax_inputs),
    ],
)
def test_exactly_one_row_holds_and_has_the_outcome_of_the_dag(
    example: Examples, name: str, entry: str, inputs: Any, merge: bool
) -> None:
    state = example(name).machines[entry].states[0]
    finder = Finder(rows_of(state, merge=merge))
    for env in inputs():
        found = finder.holding(env)
        assert len(found) == 1, (env, found)
        assert found[0].leaf == walk(state.root, env), env


def test_merging_gives_fewer_rows_with_the_same_outcomes(example: Examples) -> None:
    state = example("refund").machines["refund"].states[0]
    plain, merged = Finder(rows_of(state)), Finder(rows_of(state, merge=True))
    assert len(merged.rows) <= len(plain.rows)
    for env in refund_inputs():
        assert plain.holding(env)[0].leaf == merged.holding(env)[0].leaf


def one_state(root: Node, *variables: tuple[str, Range]) -> State:
    return State(0, "entry", variables or (("days", Range("int")), ("status", Range("str"))), root)


def leaf(text: str) -> Return:
    return Return(Const(text))


def whens(state: State, *, merge: bool = False) -> list[str]:
    return [" and ".join(describe(row).when) for row in rows_of(state, merge=merge)]


def less(number: int) -> App:
    return App("lt", (DAYS, Const(number)), (), "bool")


def test_tests_of_one_int_are_one_interval_and_what_is_impossible_is_left_out() -> None:
    inner = Decide(less(31), leaf("b"), leaf("c"))
    root = Decide(less(15), Decide(less(20), leaf("a"), leaf("never")), inner)
    assert whens(one_state(root)) == ["days < 15", "15 <= days <= 30", "days > 30"]


def test_what_the_bounds_of_the_state_imply_is_left_out() -> None:
    root = Decide(less(0), leaf("never"), Decide(less(10), leaf("a"), leaf("b")))
    assert whens(one_state(root, ("days", Range("int", 0)))) == ["days < 10", "days >= 10"]


def test_equality_subsumes_and_holes_at_an_end_move_it() -> None:
    zero = App("eq", (DAYS, Const(0)), (), "bool")
    root = Decide(less(0), leaf("a"), Decide(zero, leaf("b"), Decide(less(5), leaf("c"), leaf("d"))))
    assert whens(one_state(root)) == ["days < 0", "days == 0", "0 < days < 5", "days >= 5"]


def test_switch_and_pick_are_read_as_intervals_and_sets() -> None:
    pick = Pick(STATUS, (Const("a"), Const("b")), (leaf("1"), leaf("2")), leaf("3"))
    state = one_state(Switch(DAYS, (0, 10), (leaf("0"), pick, leaf("4"))))
    middle = "0 <= days < 10 and status"
    assert whens(state) == [
        "days < 0", f"{middle} == 'a'", f"{middle} == 'b'", f"{middle} not in ('a', 'b')", "days >= 10",
    ]  # fmt: skip
    for days, status in itertools.product((-1, 0, 9, 10), ("a", "b", "c")):
        env = {"days": days, "status": status}
        assert [row.leaf for row in Finder(rows_of(state)).holding(env)] == [walk(state.root, env)]


def test_rows_of_one_outcome_are_merged_where_the_union_is_a_fact() -> None:
    pick = Pick(STATUS, (Const("a"), Const("b")), (leaf("x"), leaf("x")), leaf("y"))
    assert whens(one_state(pick), merge=True) == ["status in ('a', 'b')", "status not in ('a', 'b')"]
    switch = Switch(DAYS, (0, 10), (leaf("x"), leaf("y"), leaf("x")))
    assert whens(one_state(switch), merge=True) == ["days < 0", "0 <= days < 10", "days >= 10"]
    both_ways = Decide(OPENED, leaf("x"), leaf("x"))
    assert whens(one_state(both_ways), merge=True) == [""]


@pytest.mark.parametrize(
    ("left", "right", "union"),
    [
        (Span(high=4), Span(5), True),
        (Span(0, 4), Span(5, 9), Span(0, 9)),
        (Span(0, 4), Span(7, 9), None),
        (Span(high=4), Span(6), Span(holes=frozenset({5}))),
        (Span(5, 5), Span(holes=frozenset({5})), True),
        (Among(frozenset("a"), True), Among(frozenset("ab"), False), Among(frozenset("b"), False)),
        (Among(frozenset("a"), True), Among(frozenset("a"), False), True),
        (True, False, True),
    ],
)
def test_the_union_of_facts(left: Any, right: Any, union: Any) -> None:
    assert join(left, right) == union
    assert join(right, left) == union


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(15, 30), "15 <= days <= 30"),
        (Span(high=19_999), "days < 20000"),
        (Span(50_001), "days > 50000"),
        (Span(7, 7), "days == 7"),
        (Span(holes=frozenset({3})), "days != 3"),
        (Span(high=-1), "days < 0"),
    ],
)
def test_bounds_are_written_with_the_rounder_number(span: Span, text: str) -> None:
    assert condition(DAYS, span) == text


def test_more_rows_than_the_limit_are_refused(example: Examples) -> None:
    state = example("refund").machines["refund"].states[0]
    with pytest.raises(OverBudget, match="more than 3 rows"):
        rows_of(state, 3)


def cells(source: str, entry: str, state: int = 0) -> list[Cells]:
    machine = compile_source(source, entry).machines[entry]
    return [describe(row, machine.states) for row in rows_of(machine.states[state], merge=True)]


def test_steps_used_once_are_written_inside_their_use() -> None:
    first = cells((EXAMPLES / "refund.py").read_text(), "refund")[0]
    assert first == Cells(("days < 0",), (), 'raise ValueError(f"days must not be negative, got {days}")')


def test_only_changed_variables_are_listed() -> None:
    found = cells((EXAMPLES / "gcd.py").read_text(), "gcd", 1)
    assert {(c.when, c.then) for c in found} == {
        (("b == 0",), "return abs(a)"),
        (("b != 0",), "goto loop 1: a = b, b = a % b"),
    }


def test_steps_keep_their_order_when_written() -> None:
    source = "def f(a, b):\n    x = a[0]\n    y = b[0]\n    return y - x\n"
    assert cells(source, "f") == [Cells((), ("t1 = a[0]",), "return b[0] - t1")]


def test_a_test_of_a_step_is_written_with_the_step_inside() -> None:
    source = "def f(a, key):\n    if key not in a:\n        return 0\n    a[key] = a[key] + 1\n    return 1\n"
    found = cells(source, "f")
    assert [c.when for c in found] == [("key not in a",), ("key in a",)]
    assert found[1].do == ("a[key] = a[key] + 1",)


def test_terms_take_only_the_parentheses_they_need() -> None:
    total = App("mul", (App("add", (DAYS, Const(1)), (), "int"), Const(-2)), (), "int")
    difference = App("sub", (total, App("sub", (DAYS, Const(1)), (), "int")), (), "int")
    assert shown(difference) == "(days + 1) * -2 - (days - 1)"


def test_the_table_names_states_bounds_and_outcomes(example: Examples) -> None:
    text = show_table(example("collatz"), width=110)
    assert text.startswith("collatz_steps(n: int)\n")
    assert "steps: int (steps >= 0)" in text
    assert "goto loop 1: n = n // 2, steps = steps + 1" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("name", sorted(p.stem for p in EXAMPLES.glob("*.py")))
def test_every_example_has_a_table(example: Examples, name: str) -> None:
    assert "then" in show_table(example(name))


def test_an_unknown_function_is_refused_with_the_choices(example: Examples) -> None:
    with pytest.raises(NotFound, match="gcd"):
        show_table(example("gcd"), "lcm")
