"""`calibrate program` and `run --model`, with random models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.program import compile_table, load_table
from pointsman.program.ladder import StoredLadder
from pointsman.program.pipeline import CompileOptions

SOURCE = (
    "from pointsman import choose, extract, judge\n\ndef f(t: str, n: int):\n"
    "    if n > 90:\n        return 'too late'\n"
    "    w = choose('the colour', ('red', 'blue'), t)\n"
    "    return w if judge('it is broken', t) else extract(int, 'the number', t)"
)


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "f.route.json"
    compile_table(SOURCE, "f.py", "f", CompileOptions(max_examples=5, seconds=1.0)).table.save(path)
    return path


@pytest.fixture
def folders(chat_folder: Callable[..., Path]) -> list[str]:
    return [str(chat_folder(name, seed=seed, eos_tokens=(94,))) for seed, name in enumerate(("small", "large"))]


def data(path: Path, count: int = 60) -> Path:
    lines = [{"inputs": [f"item {number} is {'red' if number % 2 else 'blue'}", number]} for number in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_calibrate_writes_a_ladder_and_goes_on_with_what_was_answered(
    pm: Any, artefact: Path, folders: list[str], tmp_path: Path
) -> None:
    models = ["--model", folders[0], "--model", folders[1]]
    command = ("calibrate", "program", artefact, "--data", data(tmp_path / "d.jsonl"), *models, "--epsilon", "0.5")
    first = pm(*command, "--no-heads")
    assert first.code == 0, first.err
    assert "certified: at most 50.0% come to something else, with 95% confidence" in first.out
    ladder = load_table(artefact).ladder
    assert isinstance(ladder, StoredLadder)
    assert ladder.certificate.rungs == tuple(folders)
    replies = tmp_path / "f.replies.jsonl"
    size = replies.stat().st_size
    assert size > 0
    replies.write_bytes(replies.read_bytes()[:-20])  # as if it had been interrupted
    second = pm(*command, "--no-heads")
    assert (second.code, second.out) == (0, first.out)
    assert abs(replies.stat().st_size - size) < 500
    assert pm(*command, "--no-heads").out == first.out
    run = pm("run", artefact, '["item 3 is red", 3]', *models)
    assert run.code == 0, run.err
    assert "[other_rungs]" in pm("run", artefact, '["item 3 is red", 3]', "--model", folders[1]).err


def test_one_model_answers_without_a_ladder(pm: Any, artefact: Path, folders: list[str]) -> None:
    run = pm("run", artefact, '["item 3 is red", 3]', "--model", folders[1], "--trace", "run.json")
    assert run.code == 0, run.err
    assert pm("audit", "run.json", artefact).code == 0
    assert pm("run", artefact, '["item 3 is red", 95]', "--model", folders[1]).out == '"too late"\n'
    refused = {
        ("--model", folders[0], "--model", folders[1]): "[other_rungs]",
        ("--model", folders[0], "--model", folders[0]): "[conflicting_options]",
        ("--model", folders[0], "--answers", "{}"): "[conflicting_options]",
        ("--model", "embedded/small"): "[not_a_reader]",
        ("--model", "no/such/folder"): "error [",
    }
    for options, code in refused.items():
        found = pm("run", artefact, '["item 3 is red", 3]', *options)
        assert found.code == 2
        assert code in found.err


def test_with_too_few_requests_nothing_is_certified(
    pm: Any, artefact: Path, folders: list[str], tmp_path: Path
) -> None:
    models = ["--model", folders[0], "--model", folders[1]]
    found = pm("calibrate", "program", artefact, "--data", data(tmp_path / "d.jsonl", 6), *models, "-o", "g.route.json")
    assert found.code == 1
    assert "nothing is certified" in found.out
    assert pm("run", "g.route.json", '["item 3 is red", 3]', *models).code == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "[bad_examples]"),
        ("{", "[bad_examples]"),
        ("[1]", "[bad_examples]"),
        ('{"inputs": 3}', "[bad_examples]"),
        ('{"inputs": ["x", 1], "answers": []}', "[bad_examples]"),
        ('{"inputs": ["x", 1], "label": 1}', "[bad_examples]"),
        ('{"inputs": ["x"]}\n{"inputs": ["y"]}', "[bad_inputs]"),
        ('{"inputs": ["x", 1], "answers": {"the colour": "pink"}}', "[bad_examples]"),
        ('{"inputs": ["x", 1], "answers": {"the size": 3}}', "[bad_examples]"),
    ],
)
def test_bad_data_is_refused(pm: Any, artefact: Path, folders: list[str], tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "d.jsonl").write_text(text)
    found = pm("calibrate", "program", artefact, "--data", "d.jsonl", "--model", folders[0])
    assert found.code == 2
    assert code in found.err


def test_other_wrong_use(pm: Any, artefact: Path, folders: list[str], tmp_path: Path) -> None:
    path = tmp_path / "plain.route.json"
    compile_table("def f(n: int):\n    return n", "f.py", "f", CompileOptions(max_examples=2, seconds=1.0)).table.save(
        path
    )
    common = ("--data", data(tmp_path / "d.jsonl", 4), "--model", folders[0])
    assert "[nothing_asked]" in pm("calibrate", "program", path, *common).err
    assert "[invalid_risk]" in pm("calibrate", "program", artefact, *common, "--epsilon", "0").err
    (tmp_path / "r.jsonl").write_text("no reply\nnone\n")
    assert "[bad_replies]" in pm("calibrate", "program", artefact, *common, "--replies", "r.jsonl").err
    assert "[bad_examples]" in pm("calibrate", "program", artefact, "--data", "none.jsonl", "--model", folders[0]).err
