"""Verdicts of CP-SAT against all assignments, tried one by one with the plain evaluator."""

import subprocess
import sys
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core import BadRequest, Cost, InternalError, Unsupported
from pointsman.query.solver import Problem, convert_problem, cpsat, solve, solving
from pointsman.query.solver.evaluating import holds, objective_value, violated

COLOURS = ["red", "blue", "green"]
INTS, BOOLS, NAMED = ["x", "y", "z"], ["p", "q"], ["c", "d"]
VARIABLES = [
    {"type": "int", "name": "x", "low": -1, "high": 2},
    {"type": "int", "name": "y", "low": 0, "high": 2},
    {"type": "int", "name": "z", "low": 1, "high": 2},
    {"type": "bool", "name": "p"},
    {"type": "bool", "name": "q"},
    {"type": "named", "name": "c", "values": COLOURS},
    {"type": "named", "name": "d", "values": COLOURS[1:]},
]
DOMAINS = [range(-1, 3), range(3), range(1, 3), [False, True], [False, True], COLOURS, COLOURS[1:]]

small = st.integers(-2, 2)
terms = st.lists(st.tuples(small, st.sampled_from(INTS + BOOLS)), min_size=1, max_size=3)
linears = st.builds(
    lambda t, op, v: {"type": "linear", "terms": t, "op": op, "value": v},
    terms, st.sampled_from(["<=", ">=", "==", "!=", "<", ">"]), small,
)  # fmt: skip
sides = st.one_of(
    st.sampled_from([("x", "right", "y"), ("y", "right", "z"), ("p", "right", "q"), ("c", "right", "d")]),
    st.tuples(st.sampled_from(INTS), st.just("value"), small),
    st.tuples(st.sampled_from(BOOLS), st.just("value"), st.booleans()),
    st.tuples(st.just("d"), st.just("value"), st.sampled_from(COLOURS[1:])),
)
equals = st.builds(
    lambda kind, s: {"type": kind, "left": s[0], s[1]: s[2]}, st.sampled_from(["equal", "different"]), sides
)
formulas = st.recursive(
    st.one_of(linears, equals),
    lambda inner: st.one_of(
        st.builds(lambda f: {"type": "and", "all": f}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda f: {"type": "or", "any": f}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda f: {"type": "not", "this": f}, inner),
        st.builds(lambda a, b: {"type": "if", "if": a, "then": b}, inner, inner),
    ),
    max_leaves=4,
)
tasks = st.lists(
    st.builds(
        lambda s, d, k: {"start": s, "duration": d, "demand": k},
        st.sampled_from(INTS), st.one_of(st.integers(1, 2), st.just("z")), st.integers(0, 2),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
others = st.one_of(
    st.builds(lambda v: {"type": "all_different", "variables": v},
              st.sampled_from([["x", "y"], INTS, BOOLS, NAMED, ["z"]])),
    st.builds(lambda i, v, r: {"type": "element", "index": i, "values": v, "result": r},
              st.sampled_from(INTS), st.lists(small, min_size=1, max_size=3), st.sampled_from(INTS)),
    st.builds(lambda rows, a: {"type": "table", "variables": ["x", "c", "q"], "rows": rows, "allowed": a},
              st.lists(st.tuples(small, st.sampled_from(COLOURS), st.booleans()), min_size=1, max_size=5),
              st.booleans()),
    st.builds(lambda t: {"type": "no_overlap", "tasks": t}, tasks),
    st.builds(lambda t, c: {"type": "cumulative", "tasks": t, "capacity": c}, tasks, st.integers(0, 3)),
)  # fmt: skip
objectives = st.one_of(
    st.none(),
    st.builds(lambda kind, t: {"type": kind, "terms": t}, st.sampled_from(["minimise", "maximise"]), terms),
    st.builds(lambda t: {"type": "makespan", "tasks": t}, tasks),
)
problems = st.builds(
    lambda c, o, a: convert_problem({"variables": VARIABLES, "constraints": c, "objective": o, "asks": sorted(a)}),
    st.lists(st.one_of(formulas, others), max_size=5),
    objectives,
    st.sets(st.sampled_from([v["name"] for v in VARIABLES]), max_size=3),
)


def all_assignments() -> list[dict[str, Any]]:
    names = [variable["name"] for variable in VARIABLES]
    return [dict(zip(names, values, strict=True)) for values in product(*DOMAINS)]


ALL = all_assignments()


@settings(max_examples=150, deadline=None)
@given(problems)
def test_verdicts_are_those_of_trying_everything(problem: Problem) -> None:
    right = [one for one in ALL if not violated(problem, one)]
    answer = solve(problem)
    assert answer.cost == Cost(0, 0, 0, 0, answer.cost.seconds)
    if not right:
        assert answer.verdict == "infeasible"
        check_conflict(problem, [quoted.name for quoted in answer.conflict], answer.extent)
        return
    assert answer.solution in right
    asked = problem.asked()
    if problem.objective is not None:
        values = [objective_value(problem.objective, one) for one in right]
        best = max(values) if problem.objective.__class__.__name__ == "Maximise" else min(values)
        right = [one for one, value in zip(right, values, strict=True) if value == best]
        assert (answer.verdict, answer.objective) == ("optimal", best)
    ways = {tuple(one[name] for name in asked) for one in right}
    if problem.objective is not None:
        assert answer.is_only_best == (len(ways) == 1)
    else:
        assert answer.verdict == ("unique" if len(ways) == 1 else "several")
    if len(ways) > 1:
        assert answer.other in right
        assert answer.differing == tuple(n for n in asked if answer.other[n] != answer.solution[n])
        assert answer.differing


def check_conflict(problem: Problem, names: list[str], extent: str | None) -> None:
    """It conflicts, and nothing smaller does."""
    kept = [i for i in range(len(problem.constraints)) if problem.label(i) in names]
    assert len(kept) == len(names)
    assert extent == "smallest"

    def can_hold(indices: tuple[int, ...]) -> bool:
        return any(all(holds(problem.constraints[i], one) for i in indices) for one in ALL)

    assert not can_hold(tuple(kept))
    for smaller in combinations(range(len(problem.constraints)), len(kept) - 1):
        assert can_hold(smaller)


def chain(*pairs: str, high: int = 3) -> Problem:
    """`ab` says that a is less than b."""
    names = sorted(set("".join(pairs)))
    return convert_problem(
        {
            "variables": [{"type": "int", "name": name, "low": 0, "high": high} for name in names],
            "constraints": [
                {"type": "linear", "terms": [[1, a], [-1, b]], "op": "<", "value": 0,
                 "name": f"{a}<{b}", "text": f"{a} first"}
                for a, b in pairs
            ],
        }
    )  # fmt: skip


def test_the_smallest_conflict_is_found_where_leaving_out_one_by_one_ends_at_a_larger_one() -> None:
    answer = solve(chain("bc", "ca", "ab", "ad", "de", "ea", "db"))
    assert (answer.verdict, answer.extent, len(answer.conflict)) == ("infeasible", "smallest", 3)
    assert answer.conflict[0].text == f"{answer.conflict[0].name[0]} first"


def test_without_time_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = chain("ab")
    monkeypatch.setattr(solving, "search", lambda *a, **k: cpsat.Found("unknown", None))
    answer = solve(problem)
    assert (answer.verdict, answer.reason, answer.solution) == ("unknown", "time_limit", None)


def test_a_solution_that_may_not_be_the_only_one_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(problem: Problem, left_s: float, **how: Any) -> cpsat.Found:
        return cpsat.Found("unknown", None) if how.get("other_than") else cpsat.search(problem, left_s, **how)

    monkeypatch.setattr(solving, "search", once)
    answer = solve(chain("ab", "bc", "cd"))
    assert (answer.verdict, answer.reason) == ("unknown", "other_not_settled")
    assert answer.solution == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_the_best_so_far_is_no_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "search", lambda *a, **k: cpsat.Found("some", {"a": 0, "b": 1}))
    assert solve(chain("ab")).verdict == "unknown"


def test_a_wrong_solution_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "search", lambda *a, **k: cpsat.Found("best", {"a": 1, "b": 1}))
    with pytest.raises(InternalError, match="a<b") as caught:
        solve(chain("ab"))
    assert caught.value.code == "solver_disagrees"


def test_a_conflict_is_not_called_small_without_time_to_prove_it() -> None:
    from pointsman.query.solver.conflict import find_conflict

    problem = chain("bc", "ca", "ab", "ad")
    assert find_conflict(problem, lambda: 0.0).extent == "found"
    left = iter([9.0] * 4 + [0.0] * 99)
    assert find_conflict(problem, lambda: next(left)).extent == "irreducible"


def test_the_same_problem_has_the_same_answer() -> None:
    problem = chain("ab", "cd", "ae")
    first, second = solve(problem), solve(problem)
    assert (first.solution, first.other, first.differing) == (second.solution, second.other, second.differing)


def test_a_conflict_may_be_left_large() -> None:
    answer = solve(chain("bc", "ca", "ab", "ad"), conflict_s=0.0)
    assert (answer.verdict, answer.extent, len(answer.conflict)) == ("infeasible", "found", 4)
    with pytest.raises(BadRequest) as caught:
        solve(chain("ab"), conflict_s=-1.0)
    assert caught.value.code == "bad_limit"


@pytest.mark.parametrize("limit_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(limit_s: float) -> None:
    with pytest.raises(BadRequest) as caught:
        solve(chain("ab"), limit_s)
    assert caught.value.code == "bad_limit"


def test_without_ortools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    with pytest.raises(Unsupported, match=r"pip install 'pointsman\[solve\]'") as caught:
        solve(chain("ab"))
    assert caught.value.code == "extra_missing"


CTRL_C_AFTER_A_SOLVE = """
import os, signal
from pointsman.query.solver import convert_problem, solve
solve(convert_problem({"variables": [{"type": "int", "name": "x", "low": 0, "high": 3}], "constraints": []}))
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_after_a_solve_still_stops_python_cleanly() -> None:
    done = subprocess.run([sys.executable, "-c", CTRL_C_AFTER_A_SOLVE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
