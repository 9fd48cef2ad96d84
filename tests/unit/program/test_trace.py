"""Records of runs: true ones are exact, and whatever is changed in one is found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core import BadRequest, NotFound
from pointsman.program import Table, answering, compile_table
from pointsman.program.pipeline import CompileOptions
from pointsman.program.recorded import RecordedAnswers
from pointsman.program.stepping import Place
from pointsman.program.table.machine import Node
from pointsman.program.trace import Trace, _shown, audit, exits, load_trace, run_traced

FAST = CompileOptions(max_examples=5, seconds=1.0)
GCD = "def f(a: int, b: int) -> int:\n    while b:\n        a, b = b, a % b\n    return abs(a)"
LATE = "from pointsman import judge\n\ndef f(t: str, n: int):\n    return 'late' if n > 3 and judge('it is late', t) else 'fine'"
SORT = (
    "def f(xs: list) -> list:\n    for i in range(len(xs)):\n        for j in range(len(xs) - i - 1):\n"
    "            if xs[j] > xs[j + 1]:\n                xs[j], xs[j + 1] = xs[j + 1], xs[j]\n    return xs"
)
CLAMP = "def f(n: int) -> int:\n    if n < 0:\n        return 0\n    return n if n < 10 else 10"
FACTORIAL = "def f(n: int) -> int:\n    if n < 0:\n        raise ValueError('negative')\n    return 1 if n < 2 else n * f(n - 1)"


def table_of(source: str) -> Table:
    return compile_table(source, "f.py", "f", FAST).table


@pytest.mark.parametrize(
    ("source", "inputs"),
    [(GCD, [84, 36]), (SORT, [[3, 1, 2, 1]]), (FACTORIAL, [6]), (FACTORIAL, [-1]), (GCD, {"a": 0, "b": 0})],
)
def test_a_trace_is_what_the_table_does_and_its_audit_is_exact(source: str, inputs: Any, tmp_path: Path) -> None:
    table = table_of(source)
    answer, trace = run_traced(table, inputs)
    direct = table.answer(inputs)
    assert (answer.kind, answer.json_text) == (direct.kind, direct.json_text)
    assert trace.steps
    trace.save(tmp_path / "run.json")
    found = audit(load_trace(tmp_path / "run.json"), table)
    assert found.is_exact
    assert found.num_steps == len(trace.steps)


def test_replies_are_recorded_and_used_again() -> None:
    table = table_of(LATE)
    with answering(RecordedAnswers({"it is late": True})):
        answer, trace = run_traced(table, ["it is past nine", 5])
    assert answer.json_text == '"late"'
    assert [(one.wording, one.text, one.value) for one in trace.replies] == [("it is late", "it is past nine", True)]
    assert audit(trace, table).is_exact
    unsaid = replace(trace, replies=[])
    with pytest.raises(BadRequest, match="no reply to 'it is late'"):
        audit(unsaid, table)
    other = replace(trace, replies=[replace(trace.replies[0], value=False)])
    assert not audit(other, table).is_exact


class Last:
    """A driver that always takes the last exit."""

    decided = ("last", 0.5)

    def choose(self, place: Place, exact: Node) -> Node:
        return exits(place.node)[-1]


def test_a_wrong_choice_is_followed_and_counted() -> None:
    table = table_of(CLAMP)
    exact, _ = run_traced(table, [3])
    answer, trace = run_traced(table, [3], driver=Last())
    assert (exact.json_text, answer.json_text) == ("3", "10")
    assert [(step.by, step.confidence) for step in trace.steps] == [("last", 0.5)]
    found = audit(trace, table)
    assert found.findings == ()
    assert found.wrong_steps == (0,)


def test_the_fuel_of_a_run_is_part_of_it() -> None:
    table = table_of("def f(n: int) -> int:\n    while True:\n        if n < 0:\n            return n\n        n += 1")
    answer, trace = run_traced(table, [1], fuel=50)
    assert answer.kind == "out_of_fuel"
    assert audit(trace, table).is_exact


def test_integers_of_any_length_are_shown() -> None:
    table = table_of(
        "def f(n: int) -> int:\n    r = 1\n    while n > 1:\n        r *= n\n        n -= 1\n    return r % 1000007"
    )
    answer, trace = run_traced(table, [2_000])
    assert (answer.kind, answer.json_text) == ("value", table.answer([2_000]).json_text)
    assert any(step.values["r"].startswith("0x") for step in trace.steps)
    assert audit(trace, table).is_exact


def test_a_value_is_shown_alike_in_every_process() -> None:
    assert repr({0, 8}) != repr({8, 0})  # as sets of texts differ between processes
    assert _shown([{0, 8}, {"a": frozenset((0, 8))}]) == _shown([{8, 0}, {"a": frozenset((8, 0))}])
    assert _shown({0, 8}) != _shown({0, 9})
    assert _shown(object()) == "<object object>"


@pytest.mark.parametrize(
    "value",
    [[], [1], (), (1,), (1, "a"), {}, {"a": [1, {2: None}]}, set(), {1}, frozenset(), frozenset({1}), "x" * 100, 1.5,
     [[[]], ()], list(range(100)), [[1, 2]] * 50, {n: (n,) for n in range(50)}, True, range(3), None],
)  # fmt: skip
def test_other_values_are_shown_by_the_beginning_of_their_repr(value: object) -> None:
    assert _shown(value) == repr(value)[:80]


def test_a_long_or_deep_value_is_read_as_far_as_it_is_shown() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert _shown(deep) == "[" * 80
    again: list[object] = [1]
    again.append(again)
    assert _shown(again) == ("[1, " * 20)


CHANGES = {
    "exit": lambda trace: replace(
        trace, steps=[replace(trace.steps[0], exit=1 - trace.steps[0].exit), *trace.steps[1:]]
    ),
    "no such exit": lambda trace: replace(trace, steps=[replace(trace.steps[0], exit=99), *trace.steps[1:]]),
    "state": lambda trace: replace(trace, steps=[replace(trace.steps[0], state=7), *trace.steps[1:]]),
    "values": lambda trace: replace(trace, steps=[replace(trace.steps[0], values={"a": "5"}), *trace.steps[1:]]),
    "result": lambda trace: replace(trace, result="13"),
    "kind": lambda trace: replace(trace, kind="exception"),
    "inputs": lambda trace: replace(trace, inputs=[84, 35]),
    "a step less": lambda trace: replace(trace, steps=trace.steps[:-1]),
    "a step more": lambda trace: replace(trace, steps=[*trace.steps, trace.steps[-1]]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_found(change: str) -> None:
    table = table_of(GCD)
    _, trace = run_traced(table, [84, 36])
    changed: Trace = CHANGES[change](trace)
    assert not audit(changed, table).is_exact


def test_a_trace_of_another_program_is_refused() -> None:
    _, trace = run_traced(table_of(GCD), [84, 36])
    with pytest.raises(BadRequest, match="other tables") as caught:
        audit(trace, table_of(FACTORIAL))
    assert caught.value.code == "other_program"


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_trace(tmp_path / "none.json")
    path = tmp_path / "run.json"
    _, trace = run_traced(table_of(GCD), [84, 36])
    whole = json.loads(msgspec.json.encode(trace))
    for text in ("", "[]", "{}", "\xff", json.dumps({**whole, "version": 2}), json.dumps({**whole, "steps": [1]})):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(BadRequest) as caught:
            load_trace(path)
        assert caught.value.code == "bad_trace"
    with pytest.raises(BadRequest) as caught:
        trace.save(tmp_path / "no" / "run.json")
    assert caught.value.code == "cannot_write"
