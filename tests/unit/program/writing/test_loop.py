"""The rounds, with a scripted writer: a draft is kept where it compiles and agrees with all examples, and only there."""

import json
from pathlib import Path

import pytest

from pointsman.core import BadRequest
from pointsman.program.writing import MOST_SHOWN, Example, Round, ScriptedWriter, Task, write_program

LEAP = "def leap(year: int) -> bool:\n    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n"
NAIVE = "def leap(year: int) -> bool:\n    return year % 4 == 0\n"
TASK = Task(
    "Is it a leap year?", (Example(1, [2024], True), Example(2, {"year": 1900}, False), Example(4, [2000], True))
)


def block(source: str) -> str:
    return f"Here it is:\n```python\n{source}```\n"


def rounds(task: Task, *sources: str, fuel: int = 10_000, **options: int) -> tuple[list[Round], ScriptedWriter]:
    writer = ScriptedWriter([block(source) for source in sources])
    return write_program(writer, task, fuel=fuel, **options), writer


def one(task: Task, source: str) -> Round:
    (found,), _ = rounds(task, source, max_rounds=1)
    return found


def test_a_draft_that_agrees_ends_it() -> None:
    (kept,), writer = rounds(TASK, LEAP, NAIVE)
    assert (kept.is_kept, kept.number, kept.num_agreeing, kept.problem) == (True, 1, 3, "")
    assert kept.compiled is not None
    assert kept.compiled.table(1900) is False
    assert LEAP in kept.source
    ((asked,),) = writer.asked
    assert asked["role"] == "user"
    for told in (
        "Is it a leap year?",
        "Examples (all):",
        'inputs {"year": 1900} -> false',
        "Import only from: array, ",
    ):
        assert told in asked["content"]


def test_a_counterexample_goes_back() -> None:
    seen: list[Round] = []
    writer = ScriptedWriter([block(NAIVE), block(LEAP)])
    first, second = found = write_program(writer, TASK, on_round=seen.append)
    assert seen == found
    assert (first.code, first.num_agreeing) == ("disagrees", 2)
    assert first.problem == 'line 2: inputs {"year": 1900}: expected false, got true'
    assert second.is_kept
    _, chat = writer.asked
    assert [message["role"] for message in chat] == ["user", "assistant", "user"]
    assert NAIVE in chat[1]["content"]
    assert "2 of 3 examples agree" in chat[2]["content"]
    assert 'inputs {"year": 1900}: expected false, got true' in chat[2]["content"]


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("def leap(year):\n    print(year)\n    return True\n", "PM101", "draft.py:2:5: PM101 not supported"),
        ("def leap(year)\n    return True\n", "PM001", "draft.py:1:15: PM001 not supported"),
        ("x = 1\n", "bad_draft", "holds no Python function"),
        ("def leap(year):\n    import numpy\n    return True\n", "PM102", "draft.py:2:5: PM102 not supported"),
        ("def leap(year):\n    import os\n    return True\n", "bad_draft", "'import os' is not from one of"),
        (
            "from pointsman import judge\ndef leap(year: int):\n    return judge('it leaps', str(year))\n",
            "bad_draft",
            "it asks a question about a text",
        ),
    ],
)
def test_what_cannot_be_compiled_goes_back(source: str, code: str, says: str) -> None:
    (first, second), writer = rounds(TASK, source, LEAP)
    assert (first.code, first.compiled, first.num_agreeing) == (code, None, 0)
    assert says in first.problem
    assert says in writer.asked[1][2]["content"]
    assert second.is_kept


def test_after_the_last_round_none_is_kept() -> None:
    found, writer = rounds(TASK, NAIVE, NAIVE, NAIVE, LEAP)
    assert [one.code for one in found] == ["disagrees"] * 3
    assert len(writer.asked) == 3
    assert [message["role"] for message in writer.asked[2]] == ["user", "assistant"] * 2 + ["user"]
    assert len(rounds(TASK, NAIVE, NAIVE, max_rounds=2)[0]) == 2


def test_the_name_that_is_asked_for_is_the_entry() -> None:
    both = LEAP + "def other(year: int) -> bool:\n    return False\n"
    assert one(TASK, both).code == "disagrees"
    asked = Task(TASK.description, TASK.examples, "leap")
    (kept,), writer = rounds(asked, both)
    assert kept.is_kept
    assert "other" not in kept.source
    assert "Call the function leap;" in writer.asked[0][0]["content"]
    assert one(asked, "def other(year):\n    return True\n").problem == "the reply defines other; expected leap"


def test_not_all_examples_are_shown_and_all_are_checked() -> None:
    examples = tuple(Example(n + 1, [n], n) for n in range(MOST_SHOWN + 5))
    (first, second), writer = rounds(
        Task("The number.", examples),
        f"def same(n: int) -> int:\n    return min(n, {MOST_SHOWN - 1})\n",
        "def same(n: int) -> int:\n    return n\n",
    )
    prompt = writer.asked[0][0]["content"]
    assert "Examples (the first 20 of 25, and all are checked):" in prompt
    assert prompt.count("\ninputs [") == MOST_SHOWN
    assert (first.num_agreeing, first.code) == (MOST_SHOWN, "disagrees")
    assert second.num_agreeing == len(examples)
    assert writer.asked[1][2]["content"].count("\ninputs [") == 5


@pytest.mark.parametrize(
    ("body", "example", "got"),
    [
        ("while True:\n        pass", Example(1, [1], 1), "raises OutOfFuel: no result within 10000 states"),
        ("return 1", Example(1, [1], True), "1"),
        ("return n / 0", Example(1, [1], 1), "raises ZeroDivisionError: division by zero"),
        ("return n", Example(1, [1], raises="ValueError"), "1"),
        ("raise TypeError('no')", Example(1, [1], raises="ValueError"), "raises TypeError: no"),
        ("while True:\n        pass", Example(1, [1], raises="OutOfFuel"), "raises OutOfFuel: no result"),
        ("return n", Example(1, {"m": 1}, 1), "no result: unknown input 'm'; f takes {n: int}"),
        ("return n", Example(1, ["1"], "1"), "no result: input 'n' must be an integer, got a string"),
        ("return 'x' * 1000", Example(1, [1], ""), '"xxx'),
        ("return 10 ** 5000", Example(1, [1], 1), "1000"),
        ("return range(n + 10**6)", Example(1, [1], 1), "raises Unserialisable: "),
    ],
)
def test_what_does_not_agree(body: str, example: Example, got: str) -> None:
    found = one(Task("Anything.", (example,)), f"def f(n: int):\n    {body}\n")
    assert (found.code, found.num_agreeing) == ("disagrees", 0)
    assert f"expected {example.expected}, got {got}" in found.problem
    assert len(found.problem) < 400


def test_one_operation_that_is_too_large_ends_with_its_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.program.writing.agreement._SECONDS", 1.0)
    task = Task("Power.", (Example(1, [1], 1), Example(2, [10**9], 1), Example(3, [1], 1)))
    found = one(task, "def f(n: int):\n    return len(str(3 ** n)) if n > 1 else n\n")
    assert found.num_agreeing == 1
    assert found.problem == "line 2: inputs [1000000000]: expected 1, got not done in time"
    assert "inputs [1]: expected 1, got not run" in found.feedback


def test_examples_that_raise() -> None:
    task = Task("Halve.", (Example(1, [4], 2), Example(2, [3], raises="ValueError")))
    assert one(task, "def f(n: int):\n    if n % 2:\n        raise ValueError(n)\n    return n // 2\n").is_kept


def test_results_and_inputs_are_as_json_has_them() -> None:
    task = Task("Pairs.", (Example(1, [{"b": [1, 2]}], [["b", 1.0], ["b", 2]]),))
    source = "def f(d: dict[str, list[int]]):\n    return tuple((k, v) for k in d for v in d[k])\n"
    assert one(task, source).is_kept


def test_examples_that_no_function_can_agree_with_keep_nothing() -> None:
    task = Task("?", (Example(1, [1], 1), Example(2, {"n": 1}, 2)))
    found, _ = rounds(task, *["def f(n: int):\n    return n\n"] * 3)
    assert [one.num_agreeing for one in found] == [1, 1, 1]


def test_no_code_of_a_draft_runs_unread(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    boom = f"__import__('pathlib').Path({str(mark)!r}).write_text('x')"
    hidden = LEAP.replace("    return", f"    '''\n    >>> {boom}\n    '''\n    return")
    source = (
        f"{boom}\n\ndef other(a={boom}):\n    return a\n\n@(lambda f: {boom})\ndef third():\n    return 1\n\n{hidden}"
    )
    kept = one(TASK, source)
    assert kept.is_kept
    assert kept.source.startswith("from __future__ import annotations\n\n\ndef leap(")
    assert not mark.exists()


def test_a_script_is_lines_of_strings(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text(f"{json.dumps(block(NAIVE))}\n\n{json.dumps(LEAP)}\n")
    assert [one.is_kept for one in write_program(ScriptedWriter.read(path), TASK)] == [False, True]
    writer = ScriptedWriter.read(path)
    with pytest.raises(BadRequest, match="the script has 2 replies") as caught:
        write_program(writer, Task("", (Example(1, [1], 5),)))
    assert caught.value.code == "script_ended"
    for text in ("{", "1\n", '{"reply": ""}'):
        path.write_text(text)
        with pytest.raises(BadRequest) as bad:
            ScriptedWriter.read(path)
        assert bad.value.code == "bad_script"
