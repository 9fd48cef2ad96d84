"""A model that selects: what it is shown, what happens when it is wrong, and that its rows are the table's."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import Cost, InternalError, OverBudget, PointsmanError, Unverified
from pointsman.core.selecting import MOST_ROWS, Row, Selection, rows_text
from pointsman.program import Table, compile_table
from pointsman.program.ir import Const
from pointsman.program.pipeline import CompileOptions
from pointsman.program.select import SelectDriver, part_of
from pointsman.program.select.scripted import ReadingSelector
from pointsman.program.table.machine import App, Decide, Node, Pick, Return, Switch, Sym
from pointsman.program.trace import audit, run_traced

FAST = CompileOptions(max_examples=5, seconds=1.0)
GCD = "def f(a: int, b: int) -> int:\n    while b:\n        a, b = b, a % b\n    return abs(a)"
COUNT = "def f(xs: list[int], n: int) -> int:\n    k = 0\n    for x in xs:\n        if x == n:\n            k += 1\n    return k"
POWERS = "def f(n: int) -> int:\n    if n < 10:\n        return 2 ** n\n    return 3 ** n % 7"
LATE = "from pointsman import judge\n\ndef f(t: str, n: int):\n    return 'late' if n > 3 and judge('it is late', t) else 'fine'"


def table_of(source: str) -> Table:
    return compile_table(source, "f.py", "f", FAST).table


class Shown:
    """Reads, and notes what it was shown."""

    name = "shown"

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        self.seen.append((rows_text(rows), state))
        return ReadingSelector().select(rows, state)


class Guessing:
    """Selects at random."""

    name = "guessing"

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        return Selection(self._rng.randrange(len(rows)), 0.5, Cost(3, 0, 0, 10, 0.0))


def test_what_a_model_is_shown() -> None:
    shown = Shown()
    answer, _ = run_traced(table_of(GCD), [12, 18], driver=SelectDriver(shown))
    assert answer.json_text == "6"
    rows = "A if p no; B if p yes"
    assert shown.seen == [
        (rows, "Now 12, 18; A 18, 12; B ?; p no."),
        (rows, "Now 18, 12; A 12, 6; B ?; p no."),
        (rows, "Now 12, 6; A 6, 0; B ?; p no."),
        (rows, "Now 6, 0; A 0, ?; B ?; p yes."),
    ]


def test_nothing_that_takes_long_is_computed_for_show() -> None:
    shown = Shown()
    run_traced(table_of(POWERS), [12], driver=SelectDriver(shown))
    assert shown.seen == [("A if p no; B if p yes", "Now 12; A none; B none; p no.")]


def test_loops_over_items_are_selected_too() -> None:
    shown = Shown()
    answer, trace = run_traced(table_of(COUNT), [[4, 5, 4], 4], driver=SelectDriver(shown))
    assert answer.json_text == "2"
    assert len(shown.seen) == 7  # four times whether an item is left, three times whether it is counted
    assert audit(trace, table_of(COUNT)).is_exact


def test_questions_are_asked_on_the_path_only() -> None:
    answer, _ = run_traced(table_of(LATE), ["it is past nine", 2], driver=SelectDriver(ReadingSelector()))
    assert answer.json_text == '"fine"'


@pytest.mark.parametrize("seed", range(5))
def test_wrong_selections_are_corrected_and_counted(seed: int) -> None:
    driver = SelectDriver(Guessing(seed))
    answer, trace = run_traced(table_of(GCD), [84, 36], driver=driver)
    assert answer.json_text == "12"
    assert driver.num_selections == 3
    assert 0 <= driver.num_wrong <= 3
    assert sum(step.by == "guards" for step in trace.steps) == driver.num_wrong
    assert driver.cost == Cost(9, 0, 0, 30, 0.0)
    assert audit(trace, table_of(GCD)).is_exact


def test_without_a_check_a_wrong_selection_is_taken_and_an_audit_finds_it() -> None:
    table, found = table_of(GCD), set()
    for seed in range(20):
        driver = SelectDriver(Guessing(seed), verifies=False)
        answer, trace = run_traced(table, [84, 36], driver=driver, fuel=50)
        found.add(answer.json_text)
        assert len(audit(trace, table).wrong_steps) == driver.num_wrong
    assert len(found) > 1


def test_an_item_that_is_not_there_cannot_be_taken() -> None:
    class Onward:
        name = "onward"

        def select(self, rows: Sequence[Row], state: str) -> Selection:
            return Selection(len(rows) - 1, 1.0, Cost.zero())

    with pytest.raises(Unverified, match="none is left"):
        run_traced(table_of(COUNT), [[1], 1], driver=SelectDriver(Onward(), verifies=False))
    answer, _ = run_traced(table_of(COUNT), [[1], 1], driver=SelectDriver(Onward()))
    assert answer.json_text == "1"


INVARIANT = "def f(xs: list[int], n: int) -> int:\n    k = 0\n    for x in xs:\n        if n > 3:\n            k += 1\n    if n > 1:\n        return k\n    return 0"


@pytest.mark.parametrize("inputs", [[[1, 2], 5], [[1, 2], 2], [[], 0]])
def test_what_is_decided_behind_an_item_is_selected_apart_from_it(inputs: list[object]) -> None:
    table, shown = table_of(INVARIANT), Shown()
    for driver in (SelectDriver(shown), SelectDriver(Guessing(1)), SelectDriver(ReadingSelector(), verifies=False)):
        answer, trace = run_traced(table, inputs, driver=driver)
        assert (answer.kind, answer.json_text) == ("value", table.answer(inputs).json_text)
        assert audit(trace, table).is_exact
    assert {rows for rows, _ in shown.seen} == {"A if p no; B if p yes"}


CAUGHT = "def f(n: int) -> list:\n    xs = []\n    try:\n        while n > 0:\n            n -= 1\n            xs.append(1 // 1)\n    except {}:\n        return [-1]\n    return xs"


@pytest.mark.parametrize("caught", ["Exception", "BaseException"])
@pytest.mark.parametrize(
    ("error", "raised"), [(OverBudget("full", code="context_exceeded"), OverBudget), (KeyError("x"), InternalError)]
)
def test_a_selector_that_fails_is_no_exception_of_the_program(
    caught: str, error: Exception, raised: type[PointsmanError]
) -> None:
    class Failing:
        name = "failing"

        def select(self, rows: Sequence[Row], state: str) -> Selection:
            raise error

    table = table_of(CAUGHT.format(caught))
    assert table.answer([1]).json_text == "[1]"
    with pytest.raises(raised):
        run_traced(table, [1], driver=SelectDriver(Failing()))


PASSED_ON = "def g(xs):\n    for x in xs:\n        yield x\n\ndef h(xs):\n    try:\n        yield from g(xs)\n    except BaseException:\n        yield -1\n\ndef f(xs: list[int]) -> list:\n    return list(h(xs))"


def test_no_handler_of_a_generator_hides_that_a_selection_went_astray() -> None:
    class Onward:
        name = "onward"

        def select(self, rows: Sequence[Row], state: str) -> Selection:
            return Selection(len(rows) - 1, 1.0, Cost.zero())

    table = table_of(PASSED_ON)
    with pytest.raises(Unverified, match="none is left"):
        run_traced(table, [[1, 2]], driver=SelectDriver(Onward(), verifies=False))
    answer, _ = run_traced(table, [[1, 2]], driver=SelectDriver(Onward()))
    assert answer.json_text == "[1, 2]"


@st.composite
def regions(draw: st.DrawFn, depth: int = 2) -> Node:
    """Decision trees with shared facts."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return Return(Const(draw(st.integers(0, 5))))
    below = regions(depth - 1)
    match draw(st.integers(0, 2)):
        case 0:
            atom = App("lt", (Sym("n", "int"), Const(draw(st.integers(0, 9)))), kind="bool")
            return Decide(atom, draw(below), draw(below))
        case 1:
            cuts = tuple(sorted(draw(st.sets(st.integers(0, 9), min_size=1, max_size=6))))
            return Switch(Sym("n", "int"), cuts, tuple(draw(below) for _ in range(len(cuts) + 1)))
    keys = tuple(map(Const, sorted(draw(st.sets(st.integers(0, 9), min_size=1, max_size=6)))))
    return Pick(Sym("n", "int"), keys, tuple(draw(below) for _ in keys), draw(below))


@given(regions(), st.integers(-1, 10))
def test_parts_lead_where_the_region_does(region: Node, n: int) -> None:
    from pointsman.program.stepping import exact_exit

    def value(term: object) -> object:
        match term:
            case App(op=op, args=(_, Const(value=other))):
                return {"lt": n < other, "ge": n >= other, "eq": n == other}[op]
        return n

    node = region
    while isinstance(node, Decide | Switch | Pick):
        part = part_of(node)
        assert 1 <= len(part.rows) <= MOST_ROWS
        right = [
            number for number, row in enumerate(part.rows) if all(value(part.facts[f]) == holds for f, holds in row)
        ]
        assert len(right) == 1
        node = part.leaves[right[0]]
    assert node == exact_exit(region, value)


def test_examples_are_selected_right(tmp_path: Path) -> None:
    source = (Path(__file__).parents[3] / "examples" / "merge_sorted.py").read_text()
    table = compile_table(source, "merge_sorted.py", "merge_sorted", FAST).table
    driver = SelectDriver(ReadingSelector(), verifies=False)
    answer, _ = run_traced(table, [[1, 4, 9], [2, 4, 8, 10]], driver=driver)
    assert answer.json_text == "[1, 2, 4, 4, 8, 9, 10]"
    assert driver.num_wrong == 0
