"""Judgements in code: the same before and after compiling, asked only where needed, and each once."""

import datetime
import json
import random
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman import answering, choose, extract, judge
from pointsman.core import Cost, UpstreamError
from pointsman.core.asking import Question, Reply, Value
from pointsman.program import Refusal, compile_table
from pointsman.program.check.scripted import ScriptedAnswers
from pointsman.program.judgement import Unanswered
from pointsman.program.pipeline import CompileOptions
from pointsman.program.proof.difference import compare
from pointsman.program.proof.report import prove
from pointsman.program.rows import show_table
from pointsman.program.runtime import table_from_json

FAST = CompileOptions(max_examples=20, seconds=2.0, verify=True)
IMPORTS = "import datetime\nimport enum\nfrom pointsman import choose, extract, judge\n"


class Told:
    """Answers by wording, and remembers each batch."""

    def __init__(self, **values: Value) -> None:
        self.values, self.batches = values, list[list[str]]()

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        self.batches.append([question.wording for question, _ in asked])
        return [Reply(self.values[question.wording], 1.0, "told", Cost.zero()) for question, _ in asked]

    @property
    def asked(self) -> list[str]:
        return [wording for batch in self.batches for wording in batch]


def run(source: str, told: Told, *args: Any) -> Any:
    """What the compiled ``f`` returns, within one run."""
    with answering(told):
        return compile_table(IMPORTS + source, "f.py", "f", FAST).table(*args)


class TestFunctions:
    def test_outside_of_a_run_nobody_answers(self) -> None:
        with pytest.raises(Unanswered, match="nobody answers judge") as caught:
            judge("it is late", "text")
        assert caught.value.error.code == "nobody_answers"

    def test_values_have_their_types(self) -> None:
        with answering(Told(day="2026-01-31", n=3, x=0.5, word="red", w="b", no=None)):
            assert extract(datetime.date, "day", "t") == datetime.date(2026, 1, 31)
            assert (extract(int, "n", "t"), extract(float, "x", "t"), extract(str, "word", "t")) == (3, 0.5, "red")
            assert choose("w", ["a", "b"], "t") == "b"
            assert extract(int, "no", "t") is None

    def test_a_question_about_a_text_is_asked_once(self) -> None:
        told = Told(late=True)
        with answering(told):
            assert [judge("late", text) for text in ("a", "a", "b")] == [True] * 3
        assert told.batches == [["late"], ["late"]]

    @pytest.mark.parametrize("text", [3, None, b"x", ["x"]])
    def test_only_texts_can_be_judged(self, text: Any) -> None:
        with answering(Told(late=True)), pytest.raises(TypeError, match="asks about a text, not"):
            judge("late", text)

    def test_an_answer_of_the_wrong_type_is_not_taken(self) -> None:
        with answering(Told(n="three")), pytest.raises(Unanswered) as caught:
            extract(int, "n", "t")
        assert caught.value.error.code == "bad_reply"

    def test_other_kinds_are_refused(self) -> None:
        with answering(Told()), pytest.raises(TypeError, match="extract\\(\\) gives"):
            extract(list, "all", "t")


PROGRAMS = {
    "judge": ("def f(t: str, n: int):\n    return n if judge('late', t) else -n", ("x", 3)),
    "choose": ("def f(t: str):\n    w = choose('w', ('a', 'b', 'c'), t)\n    return 1 if w == 'a' else w", ("x",)),
    "int": ("def f(t: str):\n    d = extract(int, 'n', t)\n    return 'no' if d is None else d > 3", ("x",)),
    "arithmetic": ("def f(t: str):\n    d = extract(int, 'n', t)\n    return 0 if d is None else d * 2 + 1", ("x",)),
    "float": ("def f(t: str):\n    d = extract(float, 'x', t)\n    return d is not None and d > 0.25", ("x",)),
    "span": ("def f(t: str):\n    d = extract(str, 'word', t)\n    return d or 'nothing'", ("x",)),
    "date": ("def f(t: str):\n    d = extract(datetime.date, 'day', t)\n    return d.year if d else 0", ("x",)),
    "enum": (
        "class Mood(enum.Enum):\n    GOOD = 1\n    BAD = 2\n\n\n"
        "def f(t: str):\n    m = extract(Mood, 'mood', t)\n    return m is Mood.BAD",
        ("x",),
    ),
    "other kinds": ("def f(t):\n    return judge('late', t)", (7,)),
    "of a part": ("def f(t: str):\n    return [judge('late', part) for part in t.split()]", ("a b c",)),
    "computed text": ("def f(t: str):\n    return judge('late', t.lower() + '!')", ("A",)),
    "of another function": ("def g(t: str):\n    return judge('late', t)\n\n\ndef f(t: str):\n    return g(t)", ("A",)),
    "in a try": (
        "def f(t):\n    try:\n        return judge('late', t)\n    except TypeError:\n        return 'x'",
        (7,),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_compiled_code_means_what_the_source_means(name: str, disagreements: Callable[..., list[str]]) -> None:
    source, args = PROGRAMS[name]
    every = {"late": [True, False], "w": ["a", "b", "c"], "n": [None, 3, 4], "x": [None, 0.25, 0.5]}
    every |= {"word": [None, "", "red"], "day": [None, "2026-02-28"], "mood": [None, "GOOD", "BAD"]}
    wording = next(word for word in every if f"'{word}'" in source)
    for value in every[wording]:
        with answering(Told(**{wording: value})):
            assert disagreements(IMPORTS + source, [args]) == []
    found = compile_table(IMPORTS + source, "f.py", "f", FAST).differential
    assert found is not None
    assert found.tested > 0


def test_a_table_with_questions_comes_back_from_its_file() -> None:
    source = PROGRAMS["int"][0]
    table = compile_table(IMPORTS + source, "f.py", "f", FAST).table
    again = table_from_json(json.loads(json.dumps(table.to_json())), "f.route.json")
    with answering(Told(n=4)):
        assert again.answer(["x"]).json_text == "true"


class TestWhatIsAsked:
    def test_nothing_where_exact_tests_settle_it(self) -> None:
        source = "def f(t: str, final: bool):\n    return judge('damaged', t) and not final"
        told = Told(damaged=True)
        assert run(source, told, "x", True) is False
        assert told.asked == []

    def test_exact_tests_behind_a_question_come_first(self) -> None:
        source = (
            "def f(t: str, price: int):\n"
            "    if judge('damaged', t):\n        return 'refund' if price > 10 else 'gift'\n"
            "    return 'refuse' if price > 10 else 'gift'"
        )
        told = Told(damaged=True)
        assert run(source, told, "x", 3) == "gift"
        assert told.asked == []
        assert run(source, told, "x", 30) == "refund"
        assert told.asked == ["damaged"]

    def test_of_equal_use_the_shorter_question_comes_first(self) -> None:
        long = "the customer has written so often about this that somebody should call"
        source = f"def f(t: str):\n    return judge({long!r}, t) and judge('late', t)"
        told = Told(**{long: True, "late": False})
        assert run(source, told, "x") is False
        assert told.asked == ["late"]

    def test_the_last_option_is_implied(self) -> None:
        source = (
            "def f(t: str):\n    w = choose('w', ('a', 'b'), t)\n"
            "    if w == 'a':\n        return 1\n    if w == 'b':\n        return 2\n    return 3"
        )
        table = compile_table(IMPORTS + source, "f.py", "f", FAST).table
        assert table.certificate.states[0].rows == 2

    def test_what_is_needed_anyway_is_asked_in_one_batch(self) -> None:
        source = "def f(t: str):\n    return (1 if judge('late', t) else 2) * (10 if judge('red', t) else 20)"
        told = Told(late=True, red=False)
        assert run(source, told, "x") == 20
        assert [sorted(batch) for batch in told.batches] == [["late", "red"]]

    def test_what_may_not_be_needed_is_not_in_the_batch(self) -> None:
        source = "def f(t: str):\n    return judge('late', t) and judge('red', t)"
        told = Told(late=True, red=False)
        assert run(source, told, "x") is False
        assert told.asked == ["red"]

    def test_a_program_cannot_catch_that_nobody_answers(self) -> None:
        class Down:
            def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
                raise UpstreamError("the endpoint is down", retryable=True)

        source = "def f(t: str):\n    try:\n        return judge('late', t)\n    except:\n        return 'caught'"
        table = compile_table(IMPORTS + source, "f.py", "f", FAST).table
        with answering(Down()), pytest.raises(UpstreamError, match="is down"):
            table.run("x")
        with answering(Down()), pytest.raises(Unanswered):
            table("x")


AIRLINE = (Path(__file__).parents[3] / "examples" / "airline.py").read_text()


class TestTheAirline:
    """`examples/airline.py`."""

    def test_no_question_is_asked_that_is_not_needed(self) -> None:
        namespace: dict[str, Any] = {"__name__": "airline"}
        sys.modules["airline"] = types.ModuleType("airline")
        exec(AIRLINE, namespace)
        table = replace(
            compile_table(AIRLINE, "airline.py", "assist", FAST).table, records={"Ticket": namespace["Ticket"]}
        )
        rng, asked, in_source = random.Random(0), 0, 0
        for number in range(400):
            ticket = namespace["Ticket"](
                rng.choice(["basic", "standard", "flex"]), rng.choice([900, 9_000]), rng.choice([-800, -5, 1, 30, 200]),
                rng.choice([3, 100]), rng.random() < 0.5, rng.choice([0, 1, 3]), rng.choice(["none", "gold"]),
            )  # fmt: skip
            with answering(ScriptedAnswers((1, 90, 330))) as plain:
                expected = namespace["assist"](f"message {number}", ticket)
            with answering(ScriptedAnswers((1, 90, 330))) as ordered:
                assert table(f"message {number}", ticket) == expected
            asked, in_source = asked + len(ordered.replies), in_source + len(plain.replies)
        assert in_source == 1600
        assert asked < 0.5 * in_source

    def test_it_is_proved_and_its_rows_can_be_read(self) -> None:
        table = compile_table(AIRLINE, "airline.py", "assist", FAST).table
        (state,) = table.certificate.states
        assert state.level == "proved"
        assert 25 <= state.judged_rows < state.rows <= 150
        shown = show_table(table.program, width=150)
        assert "?2  'the airline cancelled or moved the flight' of message: yes or no" in shown
        assert "?4 is not stated" in shown
        assert "?1 == 'change'" in shown

    def test_prove_says_that_a_raise_depends_on_an_answer(self) -> None:
        source = "def f(t: str):\n    if judge('late', t):\n        raise ValueError(t)\n    return t"
        found = prove(compile_table(IMPORTS + source, "f.py", "f", FAST).table)
        assert [claim.status for claim in found.claims] == ["judged"]

    def test_diff_gives_both_tables_the_same_answers(self) -> None:
        source = "def f(t: str, n: int):\n    return 1 if judge('late', t) and n < {} else 2"
        old, same, new = (compile_table(IMPORTS + source.format(limit), "f.py", "f", FAST).table for limit in (5, 5, 6))
        assert compare(old, same).verdict == "equal"
        assert compare(old, new).verdict != "equal"


REFUSED = [
    ("judge(t, t)", "PM217", "constant text"),
    ("judge('late', text=t)", "PM217", "by position"),
    ("judge('late')", "PM217", "2 arguments"),
    ("choose('w', ('a',), t)", "PM217", "two or more"),
    ("choose('w', ('a', 'a'), t)", "PM217", "different"),
    ("choose('w', [t, 'b'], t)", "PM217", "constant tuple"),
    ("judge('late', n)", "PM218", "n"),
    ("judge('late', 3)", "PM218", "3"),
    ("extract(list, 'all', t)", "PM219", "list"),
    ("extract(int | None, 'n', t)", "PM219", "int | None"),
    ("[judge][0]('late', t)", "PM102", "pointsman.judge"),
]


@pytest.mark.parametrize(("call", "code", "why"), REFUSED)
def test_refusals_say_what_is_wrong(call: str, code: str, why: str) -> None:
    with pytest.raises(Refusal) as caught:
        compile_table(f"{IMPORTS}def f(t: str, n: int):\n    return {call}", "f.py", "f", FAST)
    assert caught.value.code == code
    assert why in str(caught.value)


# -- policies of exact tests and questions, at random ------------------------------------------------------------------

EXACT, ASKED = ("a", "b", "n > 3", "n > 7"), ("q0", "q1", "q2")


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A chain of rules, each a conjunction of exact tests and questions, negated or not."""
    rules = []
    for _ in range(draw(st.integers(1, 6))):
        parts = [*EXACT, *(f"judge('{wording}', t)" for wording in ASKED)]
        tests = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=3, unique=True))
        text = " and ".join(f"not {test}" if draw(st.booleans()) else test for test in tests)
        rules.append(f"    if {text}:\n        return {draw(st.integers(0, 3))}")
    return "\n".join(["def f(t: str, a: bool, b: bool, n: int):", *rules, "    return 4"])


NEEDED_BUT_LATER = (
    "def f(t: str, a: bool, b: bool, n: int):\n    if judge('q0', t) and not n > 7:\n        return 1\n"
    "    if judge('q1', t) and judge('q2', t):\n        return 0\n    return 4"
)


@settings(max_examples=60, deadline=None)
@example(NEEDED_BUT_LATER)
@given(policies())
def test_policies_ask_nothing_that_exact_tests_settle_and_agree_with_their_source(source: str) -> None:
    source = IMPORTS + source
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    plain, table = namespace["f"], compile_table(source, "f.py", "f", FAST).table
    ordered = asked_plain = 0
    for a, b, n in product((True, False), (True, False), (0, 5, 9)):
        outcomes, counts = set(), []
        for answers in product((True, False), repeat=len(ASKED)):
            values = dict(zip(ASKED, answers, strict=True))
            told, reference = Told(**values), Told(**values)
            with answering(reference):
                expected = plain("x", a, b, n)
            with answering(told):
                assert table("x", a, b, n) == expected
            assert len(told.asked) == len(set(told.asked))
            outcomes.add(expected)
            counts.append(len(told.asked))
            ordered += len(told.asked)
            asked_plain += len(reference.asked)
        if len(outcomes) == 1:
            assert not any(counts)
    assert ordered <= asked_plain
