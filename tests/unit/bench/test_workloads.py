"""The examples' inputs, and compile times as they are counted."""

import random

import pytest

from pointsman.bench import workloads
from pointsman.bench.compiling import Timed, report_compile_times, sample
from pointsman.bench.report import Report
from pointsman.bench.workloads import Example, examples, examples_folder, recorded_inputs, sized_inputs
from pointsman.program.check.corpus import Case
from pointsman.program.compiler import compile_source

EXAMPLES = {example.key: example for example in examples(examples_folder())}


def test_every_sized_input_belongs_to_an_example_and_can_be_made_again() -> None:
    assert workloads._SIZED.keys() <= EXAMPLES.keys()
    for key in workloads._SIZED:
        assert sized_inputs(key, 1) == sized_inputs(key, 1)
        assert sized_inputs(key, 1)
    assert sized_inputs("refund.py:refund", 0) == []


@pytest.mark.parametrize("key", sorted(workloads._SIZED))
def test_sized_inputs_are_answered_by_the_source(key: str) -> None:
    example = EXAMPLES[key]
    function = getattr(example.module(), example.name)
    sized = sized_inputs(key, 0)
    assert sized
    for arguments in sized:
        function(*arguments)


def test_records_are_made_with_the_classes_of_the_source() -> None:
    example = EXAMPLES["policy.py:return_window"]
    module = example.module()
    program = compile_source(example.source, example.name)
    rows = recorded_inputs(example, program, {"Order": module.Order})
    assert len(rows) == len(example.recorded)
    assert [module.return_window(*row) for row in rows[:3]] == [30, 30, 90]


def test_arguments_by_name_become_positional_in_the_order_of_parameters() -> None:
    program = compile_source("def f(a: int, b: int) -> int:\n    return a - b\n", "f")
    example = Example("f.py:f", examples_folder(), "f", ({"b": 1, "a": 9},))
    assert recorded_inputs(example, program, {}) == [(9, 1)]


def _cases(count: int) -> list[Case]:
    return [Case(str(i), "", "f.py", "f" if i % 2 else "", "") for i in range(count)]


def test_a_sample_is_chosen_by_the_seed_among_cases_with_a_function() -> None:
    state = random.getstate()
    chosen = sample(_cases(100), 10, seed=1)
    assert chosen == sample(_cases(100), 10, seed=1) != sample(_cases(100), 10, seed=2)
    assert len({case.key for case in chosen}) == 10
    assert all(case.entry for case in chosen)
    assert len(sample(_cases(8), 10, seed=1)) == 4
    assert random.getstate() == state


def test_refusals_are_counted_apart_and_failures_are_not_left_out() -> None:
    report = Report("program", 0, quick=True)
    timed = [Timed("a", 1.0, "compiled"), Timed("b", 0.001, "refused"), Timed("c", 3.0, "RecursionError")]
    report_compile_times(report, timed, "three functions")
    assert report.figures["compile_p50_s"].value == 2.0
    assert report.figures["compile_p50_s"].n == 2
    assert report.curves["compile_endings"] == [
        {"what": "three functions", "compiled": 1, "refused": 1, "RecursionError": 1}
    ]
    assert any("NOT COMPILED: c: RecursionError" in line for line in report.details)


def test_without_a_compiled_function_there_is_no_time() -> None:
    report = Report("program", 0, quick=True)
    report_compile_times(report, [Timed("b", 0.001, "refused")], "one function")
    assert report.figures["compile_p50_s"].value is None
    assert report.figures["compile_p95_s"].reason == "no function compiled"
