"""What is no problem is refused, each fault with its code and its path."""

import json
from typing import Any

import pytest

from pointsman.core import BadRequest, OverBudget
from pointsman.query.solver import checking, convert_problem, decode_problem

X = {"type": "int", "name": "x", "low": 0, "high": 3}
B = {"type": "bool", "name": "b"}
C = {"type": "named", "name": "c", "values": ["red", "blue"]}


def of(*constraints: Any, **more: Any) -> dict[str, Any]:
    return {"variables": [X, B, C], "constraints": list(constraints), **more}


def linear(*terms: Any, value: Any = 1) -> dict[str, Any]:
    return {"type": "linear", "terms": list(terms), "op": "<=", "value": value}


def named(name: str) -> dict[str, Any]:
    return {**linear([1, "x"]), "name": name}


def nested(depth: int) -> dict[str, Any]:
    formula: dict[str, Any] = linear([1, "x"])
    for _ in range(depth):
        formula = {"type": "not", "this": formula}
    return formula


CASES: list[tuple[str, str, Any]] = [
    ("invalid_problem", "$", []),
    ("invalid_problem", "$", {}),
    ("invalid_problem", "$", of(extra=1)),
    ("invalid_problem", "$.constraints[0].type", of({"type": "code", "text": "1+1"})),
    ("invalid_problem", "$.constraints[0].op", of({**linear([1, "x"]), "op": "**"})),
    ("invalid_problem", "$.constraints[0].value", of(linear([1, "x"], value=1.5))),
    ("invalid_problem", "$.constraints[0].terms[0]", of(linear([1, "x", 2]))),
    ("invalid_problem", "$.variables[0].high", {"variables": [{**X, "high": True}]}),
    ("empty_domain", "$.variables", {"variables": []}),
    ("empty_domain", "$.variables[0]", {"variables": [{**X, "low": 4}]}),
    ("empty_domain", "$.variables[0]", {"variables": [{**C, "values": []}]}),
    ("duplicate_name", "$.variables[1]", {"variables": [X, {**B, "name": "x"}]}),
    ("duplicate_name", "$.variables[0]", {"variables": [{**X, "name": ""}]}),
    ("duplicate_name", "$.variables[0]", {"variables": [{**C, "values": ["red", "red"]}]}),
    ("duplicate_name", "$.constraints[1].name", of(named("n"), named("n"))),
    ("duplicate_name", "$.constraints[1].name", of(linear([1, "x"]), named("constraints[0]"))),
    ("duplicate_name", "$.asks", of(asks=["x", "x"])),
    ("duplicate_name", "$.constraints[0].variables", of({"type": "all_different", "variables": ["x", "x"]})),
    ("unknown_variable", "$.asks[0]", of(asks=["y"])),
    ("unknown_variable", "$.constraints[0].terms[1]", of(linear([1, "x"], [1, "y"]))),
    ("unknown_variable", "$.constraints[0].if.left",
     of({"type": "if", "if": {"type": "equal", "left": "y", "value": 1}, "then": linear([1, "x"])})),
    ("unknown_variable", "$.objective.terms[0]", of(objective={"type": "minimise", "terms": [[1, "y"]]})),
    ("unknown_variable", "$.objective.tasks[0].start",
     of(objective={"type": "makespan", "tasks": [{"start": "y", "duration": 1}]})),
    ("kind_mismatch", "$.constraints[0].terms[0]", of(linear([1, "c"]))),
    ("kind_mismatch", "$.constraints[0].right", of({"type": "equal", "left": "x", "right": "b"})),
    ("kind_mismatch", "$.constraints[0].value", of({"type": "different", "left": "b", "value": 1})),
    ("kind_mismatch", "$.constraints[0].variables", of({"type": "all_different", "variables": ["x", "c"]})),
    ("kind_mismatch", "$.constraints[0].rows[0][1]",
     of({"type": "table", "variables": ["x", "c"], "rows": [[1, True]]})),
    ("kind_mismatch", "$.constraints[0].index", of({"type": "element", "index": "b", "values": [1], "result": "x"})),
    ("unknown_value", "$.constraints[0].value", of({"type": "equal", "left": "c", "value": "green"})),
    ("bad_operands", "$.constraints[0]", of({"type": "equal", "left": "x"})),
    ("bad_operands", "$.constraints[0]", of({"type": "equal", "left": "x", "right": "x", "value": 1})),
    ("bad_row", "$.constraints[0].rows[1]", of({"type": "table", "variables": ["x", "b"], "rows": [[1, True], [1]]})),
    ("bad_task", "$.constraints[0].tasks[0]", of({"type": "no_overlap", "tasks": [{"start": "x", "duration": 0}]})),
    ("bad_task", "$.constraints[0].tasks[0]", of({"type": "no_overlap", "tasks": [{"start": "x", "duration": "x"}]})),
    ("bad_task", "$.constraints[0].capacity",
     of({"type": "cumulative", "tasks": [{"start": "x", "duration": 1}], "capacity": -1})),
    ("empty_constraint", "$.constraints[0].terms", of(linear())),
    ("empty_constraint", "$.constraints[0].any", of({"type": "or", "any": []})),
    ("empty_constraint", "$.constraints[0]", of({"type": "table", "variables": ["x"], "rows": []})),
    ("empty_constraint", "$.constraints[0].tasks", of({"type": "no_overlap", "tasks": []})),
    ("empty_constraint", "$.constraints[0].values", of({"type": "element", "index": "x", "values": [], "result": "x"})),
    ("overflow", "$.variables[0]", {"variables": [{**X, "high": 2**60}]}),
    ("overflow", "$.constraints[0].terms", of(linear([2**53, "x"]))),
    ("overflow", "$.constraints[0].terms", of(linear([1, "x"], value=-(10**30)))),
    ("overflow", "$.constraints[0].value", of({"type": "equal", "left": "x", "value": 10**30})),
    ("problem_too_large", "$.variables",
     {"variables": [{**B, "name": str(i)} for i in range(checking.MAX_VARIABLES + 1)]}),
    ("problem_too_large", "$.constraints", of(*[linear([1, "x"])] * (checking.MAX_CONSTRAINTS + 1))),
    ("problem_too_large", "$.constraints[0].terms", of(linear(*[[1, "x"]] * (checking.MAX_CELLS + 1)))),
    ("problem_too_large", f"$.constraints[0]{'.this' * checking.MAX_DEPTH}", of(nested(checking.MAX_DEPTH))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "path", "data"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_faults(code: str, path: str, data: Any) -> None:
    with pytest.raises((BadRequest, OverBudget)) as caught:
        convert_problem(data)
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{path}: ")
    if isinstance(caught.value, BadRequest):
        assert caught.value.param == path


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"\xff", b"[1] 2", b'{"variables": [], "variables": []}', b'{"variables": ' + b"9" * 5_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_problem(data)
    assert caught.value.code == "invalid_problem"


@pytest.mark.parametrize("data", [b"[" * 100_000, b" " * (checking.MAX_BYTES + 1)])
def test_what_is_too_large_to_read(data: bytes) -> None:
    with pytest.raises(OverBudget) as caught:
        decode_problem(data)
    assert caught.value.code == "problem_too_large"


def test_the_limits_themselves_are_allowed() -> None:
    assert convert_problem(of(nested(checking.MAX_DEPTH - 1))).label(0) == "constraints[0]"
    assert decode_problem(json.dumps(of(asks=["x"]))).asked() == ("x",)
