"""What a run comes to: whatever the program does, the caller gets an outcome, and the meter stays within the run."""

import itertools
import json
import os
import signal
import threading
from typing import Any

import pytest

from pointsman.core import BadRequest, NotFound, Unsupported, Unverified
from pointsman.program import Table, frontend, load_table
from pointsman.program.compiler import build_program
from pointsman.program.pipeline import compile_table
from pointsman.program.proof.certificate import Certificate
from pointsman.program.proof.difference import compare
from pointsman.program.proof.report import prove
from pointsman.program.verify import verify_program


def table(source: str, entry: str = "f", *, opaque: bool = False) -> Table:
    """A table without its differential test, which would take most of the time."""
    lowered = frontend.lower_program(frontend.Module.parse(source, "source.py"), entry, allow_opaque=opaque)
    program = build_program(lowered, entry)
    verify_program(program)
    return Table(program, Certificate((), 0, 0), "source.py", "0" * 64)


def answered(source: str, inputs: Any, **options: Any) -> Any:
    found = table(source).answer(inputs, **options)
    return found.kind, json.loads(found.json_text)


RAISING = "def f(x: str):\n    raise {0}\n"


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        ('BaseException("secret " + x)', "BaseException", "secret a"),
        ("ValueError(10 ** 5000)", "ValueError", "1" + "0" * 5000),
        ('ValueError("\\ud800")', "ValueError", "\ud800"),
    ],
)
def test_any_exception_of_a_program_is_its_outcome(raised: str, kind: str, message: str) -> None:
    made = table(RAISING.format(raised))
    outcome = made.run("a")
    assert (outcome.kind, type(outcome.exception).__name__) == ("exception", kind)
    answer = made.answer(["a"])
    assert answer.kind == "exception"
    assert json.loads(answer.json_text) == {"exception": {"type": kind, "message": message}}
    answer.json_text.encode()


def test_system_exit_of_a_program_is_its_outcome_too() -> None:
    made = table("def f(e):\n    raise e\n")  # a program cannot name SystemExit, but be given it
    assert type(made.run(SystemExit(3)).exception) is SystemExit
    with pytest.raises(KeyboardInterrupt):
        made.run(KeyboardInterrupt())


def test_an_exception_whose_text_cannot_be_written_is_told_without_it() -> None:
    source = "def f():\n    x = []\n    x.append(x)\n    raise ValueError(10 ** 200000)\n"
    assert answered(source, [])[1]["exception"]["message"] == "(a message that cannot be written)"


def run_until(timer: threading.Timer, made: Table) -> None:
    """Starts the timer where its signal is waited for: a pause before the run must not send it elsewhere."""
    timer.start()
    made.run(10**12, fuel=10**12)


def test_ctrl_c_is_not_the_program_s() -> None:
    made = table("def f(n: int):\n    i = 0\n    while i < n:\n        i = i + 1\n    return i\n")
    made.prepare()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run_until(timer, made)
    timer.join()
    assert made.run(3).value == 3


def test_a_signal_s_handler_may_raise_through_a_run() -> None:
    def stop(*_: object) -> None:
        raise SystemExit(9)

    made = table("def f(n: int):\n    i = 0\n    while i < n:\n        i = i + 1\n    return i\n")
    made.prepare()
    before = signal.signal(signal.SIGUSR1, stop)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        with pytest.raises(SystemExit, match="9"):
            run_until(timer, made)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


DIVIDES = "def f(n: int):\n    yield 1\n    yield 2 // n\n"
ENDLESS = "def f(n: int):\n    while True:\n        yield n\n"


def test_a_generator_that_raises_raises_within_the_run() -> None:
    assert answered(DIVIDES, [1]) == ("value", [1, 2])
    kind, shown = answered(DIVIDES, [0])
    assert (kind, shown["exception"]["type"]) == ("exception", "ZeroDivisionError")
    assert table(DIVIDES).run(0).kind == "exception"
    assert list(table(DIVIDES).run(1).value) == [1, 2]


def test_an_endless_generator_ends_with_the_fuel() -> None:
    assert answered(ENDLESS, [1], fuel=3)[0] == "out_of_fuel"
    assert table(ENDLESS).run(1, fuel=3).kind == "out_of_fuel"


def test_a_generator_that_is_endless_without_states_ends_at_the_limit_of_items() -> None:
    source = "import itertools\ndef f():\n    yield from itertools.count()\n"
    outcome = table(source).run()
    assert (outcome.kind, outcome.exception.code) == ("exception", "too_many_items")
    assert answered(source, [])[1]["exception"]["type"] == "Unserialisable"


def test_a_run_leaves_no_limit_behind() -> None:
    made = table("def g(n):\n    while True:\n        yield n\ndef f(n: int):\n    return [g(n)]\n")
    (items,) = made.run(7, fuel=50).value
    assert list(itertools.islice(items, 200)) == [7] * 200


def test_an_iterator_of_the_caller_is_not_drawn() -> None:
    given = (i for i in range(3))
    outcome = table("def f(xs):\n    return xs\n").run(given)
    assert outcome.value is given
    assert list(given) == [0, 1, 2]


def test_drawing_an_argument_may_run_the_same_table() -> None:
    made = table("def f(xs):\n    total = 0\n    for x in xs:\n        total = total + x\n    return total\n")

    def inner() -> Any:
        for n in range(3):
            yield made.run([1] * n).value

    outcome = made.run(inner(), fuel=6)
    assert (outcome.kind, outcome.value, outcome.states_visited) == ("value", 3, made.run([0, 1, 2]).states_visited)
    assert made.run([1] * 100, fuel=6).kind == "out_of_fuel"


FUEL = "def f(n: int, *, fuel: int, inputs: int = 0):\n    return n + fuel + inputs\n"


def test_parameters_may_have_the_names_of_ours() -> None:
    assert answered(FUEL, {"n": 1, "fuel": 5, "inputs": 7}) == ("value", 13)
    with pytest.raises(BadRequest, match="answer\\(\\)") as caught:
        table(FUEL).run(1, fuel=5)
    assert caught.value.code == "fuel_ambiguous"
    own = table("def f(self, args):\n    return [self, args]\n")
    assert own(self=1, args=2) == own.run(self=1, args=2).value == [1, 2]
    assert json.loads(own.answer({"self": 1, "args": 2}).json_text) == [1, 2]
    assert table("def f(fuel, n):\n    return fuel + n\n").run(1, 2).value == 3


@pytest.mark.parametrize(("old", "new"), [(DIVIDES, DIVIDES.replace("2 //", "3 //")), (FUEL, FUEL + "\n")])
def test_prove_and_diff_run_generators_that_raise_and_odd_names(old: str, new: str) -> None:
    prove(table(old))
    found = compare(table(old), table(new), examples=200)
    assert (found.verdict == "changed") == (old == DIVIDES)
    for change in found.changes:
        assert isinstance(json.loads(change.inputs), dict)


def test_diff_takes_no_address_for_a_change() -> None:
    source = "def f(n: int):\n    return lambda x: x + {}\n"
    assert compare(table(source.format(1)), table(source.format(2)), examples=20).verdict == "no change found"


def test_diff_shows_calls_as_json() -> None:
    first = table("def f(xs, *rest):\n    return [xs, *rest]\n")
    second = table("def f(xs, *rest):\n    return [xs]\n")
    changes = compare(first, second, examples=200).changes
    assert changes
    assert all(isinstance(json.loads(change.inputs), list | dict) for change in changes)


def test_saving_fails_cleanly_and_leaves_nothing(tmp_path: Any) -> None:
    made = table("def f(n: int):\n    return n\n")
    for target in (tmp_path, tmp_path / "none" / "x.route.json", "/dev/null"):
        with pytest.raises(BadRequest) as caught:
            made.save(target)
        assert caught.value.code == "cannot_write"
    assert list(tmp_path.iterdir()) == []


def test_constants_with_lone_surrogates_are_saved(tmp_path: Any) -> None:
    path = tmp_path / "s.route.json"
    table('def f(n: int):\n    return "\\ud800" * n\n').save(path)
    assert load_table(path).run(2).value == "\ud800\ud800"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"format": "pointsman-route"}'])
def test_a_file_that_is_no_artefact_is_refused(tmp_path: Any, text: bytes) -> None:
    path = tmp_path / "x.route.json"
    path.write_bytes(text)
    with pytest.raises(BadRequest) as caught:
        load_table(path)
    assert caught.value.code in {"bad_artefact", "artefact_version"}
    with pytest.raises(NotFound):
        load_table(tmp_path / "none")


ORIGINAL = "def helper(x):\n    return 1 if x is (x + 1) else 2\ndef f(n: int):\n    return helper(n) if n > 9 else n\n"


def test_originals_run_only_unchanged(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    source = tmp_path / "pm_original_under_test.py"
    source.write_text(ORIGINAL)
    made = table(ORIGINAL, opaque=True)
    made.source_file, made.source_sha256 = source.name, hashlib.sha256(ORIGINAL.encode()).hexdigest()
    path = tmp_path / "f.route.json"
    made.save(path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unverified, match="--trust-opaque") as untrusted:
        load_table(path)
    assert untrusted.value.code == "opaque_untrusted"
    source.write_text("raise AssertionError('executed')\n")
    with pytest.raises(Unverified, match="compile it again") as changed:
        load_table(path, trust_opaque=True)
    assert changed.value.code == "opaque_changed"
    source.write_text(ORIGINAL)
    assert load_table(path, trust_opaque=True).run(3).value == 3
    source.unlink()
    monkeypatch.setitem(__import__("sys").modules, "pm_original_under_test", None)
    with pytest.raises(Unverified) as missing:
        load_table(path, trust_opaque=True)
    assert missing.value.code == "opaque_missing"


def test_native_is_the_same_function_or_says_why_not() -> None:
    table = compile_table("def f(n: int):\n    return n * n - 1\n", "f.py", "f").table
    native = table.native()
    assert [native(n) for n in (3, -4, 2**40, True)] == [table(n) for n in (3, -4, 2**40, True)]
    texts = compile_table("def f(n: int):\n    return str(n)\n", "f.py", "f").table
    with pytest.raises(Unsupported, match="not native") as caught:
        texts.native()
    assert caught.value.code == "not_native"
