"""`pointsman solve`: every verdict with its exit status."""

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.embedded.puzzles import draw_plan

X = {"type": "int", "name": "x", "low": 0, "high": 3}


def below(value: int, name: str) -> dict[str, Any]:
    return {
        "type": "linear",
        "terms": [[1, "x"]],
        "op": "<",
        "value": value,
        "name": name,
        "text": f"x is below {value}",
    }


def save(path: Path, **problem: Any) -> Path:
    path.write_text(json.dumps({"variables": [X], **problem}))
    return path


def test_verdicts(pm: Any, tmp_path: Path) -> None:
    unique = pm("solve", save(tmp_path / "a.json", constraints=[below(1, "a")]))
    assert (unique.code, unique.err) == (0, "")
    assert unique.out.startswith("unique: no other solution exists\n  x: 0\n")
    several = pm("solve", save(tmp_path / "b.json", constraints=[below(2, "a")]))
    assert several.code == 0
    assert "  x: 0, or 1\n" in several.out or "  x: 1, or 0\n" in several.out
    optimal = pm("solve", save(tmp_path / "c.json", objective={"type": "maximise", "terms": [[2, "x"]]}))
    assert optimal.code == 0
    assert "objective: 6; no other choice is as good\n" in optimal.out
    none = pm("solve", save(tmp_path / "d.json", constraints=[below(9, "a"), below(0, "b")]))
    assert (none.code, none.err) == (1, "")
    assert "  b: x is below 0\nthis cannot hold\n" in none.out


def test_json(pm: Any, tmp_path: Path) -> None:
    done = pm("solve", save(tmp_path / "a.json", constraints=[below(1, "a")]), "--json", "--limit-s", 5)
    found = json.loads(done.out)
    assert (found["verdict"], found["solution"], found["reason"]) == ("unique", {"x": 0}, "no_other_solution")
    assert set(found["cost"]) >= {"seconds", "nano_usd"}


def test_text_from_a_file_and_from_the_command_line(pm: Any, tmp_path: Path) -> None:
    puzzle = draw_plan("knapsack", 1, 3)
    (tmp_path / "bag.txt").write_text(puzzle.text)
    for given in ("bag.txt", puzzle.text):
        done = pm("solve", "--text", given, "--json")
        assert (done.code, json.loads(done.out)["objective"]) == (0, puzzle.objective)


def test_a_text_that_is_not_read_names_the_sentence(pm: Any) -> None:
    text = draw_plan("knapsack", 1, 3).text.replace("Each thing", "Perhaps each thing")
    done = pm("solve", "--text", text)
    assert (done.code, done.out) == (2, "not read [sentence_not_read]: Perhaps each thing can be taken once.\n")
    assert json.loads(pm("solve", "--text", "Hello?", "--json").out)["reason"] == "no_such_problem"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "conflicting_options"),
        (("a.json", "--text", "b"), "conflicting_options"),
        (("a.json", "--model", "embedded/reader"), "conflicting_options"),
        (("missing.json",), "io_error"),
        (("a.json", "--limit-s", "0"), "positive number"),
        (("a.json",), "unknown_variable"),
        (("--text", "latin.txt"), "not_text"),
    ],
)
def test_wrong_use(pm: Any, tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    save(tmp_path / "a.json", asks=["y"])
    (tmp_path / "latin.txt").write_bytes(b"\xff")
    done = pm("solve", *arguments)
    assert done.code == 2
    assert code in done.err
