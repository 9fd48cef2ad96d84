"""`write`, with scripted replies."""

import json
from pathlib import Path
from typing import Any

import pytest

LEAP = "def leap(year: int) -> bool:\n    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n"
NAIVE = "def leap(year: int) -> bool:\n    return year % 4 == 0\n"
EXAMPLES = '{"inputs": {"year": 2024}, "output": true}\n{"inputs": [1900], "output": false}\n'
ARTEFACT, SOURCE = "leap.route.json", "leap.py"


@pytest.fixture
def write(pm: Any, tmp_path: Path) -> Any:
    """`write(reply, ..., options=[...])` runs the command with these replies."""

    def run(*replies: str, options: tuple[object, ...] = (), examples: str = EXAMPLES) -> Any:
        (tmp_path / "examples.jsonl").write_text(examples)
        (tmp_path / "replies.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))
        files = ("--examples", "examples.jsonl", "--model", "script:replies.jsonl")
        return pm("write", "Is it a leap year?", *files, *options)

    return run


def written(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()} - {"examples.jsonl", "replies.jsonl"}


def test_what_agrees_is_written(pm: Any, write: Any, tmp_path: Path) -> None:
    found = write(NAIVE, LEAP)
    assert found.code == 0
    assert found.out.startswith("leap: agrees with all 2 examples in round 2; 1 state(s), 3 rows, ")
    assert found.out.endswith(" -> leap.py, leap.route.json\n")
    assert found.err.splitlines() == [
        "2 of 2 examples are in the prompt; all are checked",
        "round 1: compiled, 1 of 2 examples agree; line 2: inputs [1900]: expected false, got true",
        "round 2: compiled, 2 of 2 examples agree",
    ]
    assert (tmp_path / SOURCE).read_text() == f"from __future__ import annotations\n\n\n{LEAP}"
    assert pm("run", ARTEFACT, "[2000]").out == "true\n"
    assert json.loads((tmp_path / ARTEFACT).read_text())["source"]["file"] == SOURCE
    again = json.loads(pm("compile", "leap.py:leap", "-o", "again.route.json", "--json").out)
    assert (again["function"], again["states"]) == ("leap", 1)


def test_as_json(write: Any) -> None:
    found = json.loads(write("Sorry.", LEAP, options=("--json",)).out)
    assert (found["function"], found["source"], found["artefact"]) == ("leap", SOURCE, ARTEFACT)
    assert (found["examples"], found["examples_in_prompt"], found["rows"]) == (2, 2, 3)
    failed = {"compiled": False, "agreeing": 0, "code": "bad_draft", "problem": "the reply holds no Python function"}
    assert found["rounds"] == [failed, {"compiled": True, "agreeing": 2, "code": None, "problem": ""}]


def test_nothing_is_written_where_none_agrees(write: Any, tmp_path: Path) -> None:
    replies = (NAIVE, "def leap(year)\n", "def leap(year):\n    print(year)\n")
    found = write(*replies, LEAP)
    assert (found.code, found.out) == (
        1,
        "no draft agrees with all 2 examples after 3 round(s); nothing is written\n",
    )
    for reason in ("round 1: compiled, 1 of 2", "round 2: not compiled; draft.py:1:15: PM001", "draft.py:2:5: PM101"):
        assert reason in found.err
    shown = write(*replies, options=("--json", "-o", "new"))
    assert shown.code == 1
    assert [one["code"] for one in json.loads(shown.out)["rounds"]] == ["disagrees", "PM001", "PM101"]
    assert json.loads(shown.out)["artefact"] is None
    assert write(NAIVE, options=("--rounds", 1)).code == 1
    assert written(tmp_path) == set()


def test_where_it_goes(write: Any, tmp_path: Path) -> None:
    assert write(LEAP, options=("-o", "new")).out.endswith(" -> new/leap.py, new/leap.route.json\n")
    assert write(LEAP, options=("-o", "new/year.route.json")).out.endswith(" -> new/year.py, new/year.route.json\n")
    assert write(LEAP, options=("-o", "new/y.json")).out.endswith(" -> new/y.py, new/y.json\n")
    assert "[bad_output]" in write(LEAP, options=("-o", "x.py")).err
    assert "[no_folder]" in write(LEAP, options=("-o", "none/x.route.json")).err
    assert written(tmp_path) == {"new"}


@pytest.mark.parametrize("taken", [ARTEFACT, SOURCE])
def test_files_that_are_there_are_kept(write: Any, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    for options in (("-o", ARTEFACT), ("--function", "leap"), ("-o", ".", "--function", "leap")):
        early = write(options=options)
        assert (early.code, "[output_exists]" in early.err, "round" in early.err) == (2, True, False)
    late = write(LEAP)
    assert late.code == 2
    assert f"{taken} is there; give --overwrite" in late.err
    assert f"this agrees, and was not written:\nfrom __future__ import annotations\n\n\n{LEAP}" in late.err
    assert written(tmp_path) == {taken}
    assert (tmp_path / taken).read_text() == "mine"
    assert write(LEAP, options=("--overwrite",)).code == 0
    assert (tmp_path / taken).read_text() != "mine"


def test_both_files_are_written_or_none(write: Any, tmp_path: Path) -> None:
    (tmp_path / SOURCE).mkdir()
    found = write(LEAP, options=("--overwrite",))
    assert (found.code, "[cannot_write]" in found.err) == (2, True)
    assert written(tmp_path) == {SOURCE}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--function", "no name"), "invalid_function"),
        (("--model", "script:none"), "bad_script"),
        (("--model", "http://127.0.0.1:9/v1"), "invalid_endpoint"),
        (("--model", "http://127.0.0.1:9/v1#m"), "upstream_unreachable"),
        (("--model", "embedded/large"), "not_a_writer"),
        (("--examples", "none"), "no_examples"),
    ],
)
def test_wrong_use(write: Any, tmp_path: Path, options: tuple[str, ...], code: str) -> None:
    found = write(LEAP, options=options)
    assert (found.code, f"[{code}]" in found.err) == (2, True)
    assert written(tmp_path) == set()


def test_examples_that_contradict_each_other_ask_no_model(write: Any) -> None:
    found = write(examples=EXAMPLES + '{"inputs": [1900], "output": true}')
    assert "[contradicting_examples]" in found.err
    assert "line 3: expected true of the inputs of line 2, which expects false" in found.err


def test_a_script_that_ends_ends_it(write: Any) -> None:
    found = write(NAIVE)
    assert (found.code, "[script_ended]" in found.err) == (2, True)
    assert "round 1: compiled" in found.err
