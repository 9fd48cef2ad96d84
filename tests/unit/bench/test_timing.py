"""What is timed, not how fast it is: batches call each row once, copies stay apart, wrong answers are found first."""

import pytest

from pointsman.bench.emitted import checked_case
from pointsman.bench.timing import Case, batch_seconds, time_case
from pointsman.core import Unverified


@pytest.mark.parametrize("arity", [1, 2, 3, 4])
def test_a_batch_calls_each_row_once_and_survives_exceptions(arity: int) -> None:
    seen: list[tuple[int, ...]] = []

    def function(*arguments: int) -> None:
        seen.append(arguments)
        raise ValueError

    rows = [tuple(range(i, i + arity)) for i in range(5)]
    assert batch_seconds(function, rows) > 0
    assert seen == rows


def test_arguments_that_a_function_changes_are_copied_for_each_call() -> None:
    rows = Case(([1, 2],), changes=True).rows(3)
    assert len({id(row[0]) for row in rows}) == 3
    assert len({id(row[0]) for row in Case(([1, 2],), changes=False).rows(3)}) == 1


def test_every_side_is_timed_on_untouched_arguments() -> None:
    lengths: set[int] = set()

    def append(items: list[int]) -> None:
        lengths.add(len(items))
        items.append(0)

    seconds = time_case([append, append], Case(([1, 2],), changes=True), rounds=2, batch_s=1e-5)
    assert lengths == {2}
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_a_case_knows_whether_its_arguments_change() -> None:
    assert checked_case("f", [sorted, sorted], ([2, 1],)).changes is False
    assert checked_case("f", [list.sort, list.sort], ([2, 1],)).changes is True
    assert checked_case("f", [list.clear, list.clear], ([],)).changes is False


@pytest.mark.parametrize("other", [lambda x: x + 1, lambda x: float(x), lambda x: [][x]])
def test_another_answer_or_exception_is_an_error(other: object) -> None:
    with pytest.raises(Unverified, match="compiled"):
        checked_case("f", [lambda x: x, other], (3,))  # type: ignore[list-item]


def test_another_change_of_an_argument_is_an_error() -> None:
    with pytest.raises(Unverified):
        checked_case("f", [lambda items: None, lambda items: items.append(1)], ([],))


def test_equal_exceptions_are_equal_answers() -> None:
    checked_case("f", [lambda x: [][x], lambda x: [][x]], (3,))
