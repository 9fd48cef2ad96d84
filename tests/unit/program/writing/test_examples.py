"""Files of examples, good and bad."""

from pathlib import Path

import pytest

from pointsman.core import BadRequest
from pointsman.program.writing.examples import Example, read_examples, same_json


def read(tmp_path: Path, text: str) -> tuple[Example, ...]:
    path = tmp_path / "examples.jsonl"
    path.write_bytes(text.encode())
    return read_examples(path)


def test_lines_are_examples_with_their_numbers(tmp_path: Path) -> None:
    text = '\ufeff{"inputs": {"n": 1}, "output": null}\r\n\n{"inputs": ["a\u2028b"], "raises": "ValueError"}\n'
    first, second = read(tmp_path, text)
    assert first == Example(1, {"n": 1}, None)
    assert (first.call, first.expected) == ('{"n": 1}', "null")
    assert second == Example(3, ["a\u2028b"], None, "ValueError")
    assert second.expected == "raises ValueError"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("3", 'expected an object with "inputs"'),
        ('{"inputs": 3, "output": 1}', "which are an object or an array"),
        ('{"inputs": [], "output": 1, "raises": "E"}', 'either "output" or "raises"'),
        ('{"inputs": []}', 'either "output" or "raises"'),
        ('{"inputs": [], "result": 1}', "unknown key 'result'"),
        ('{"inputs": [], "raises": null}', "the name of an exception"),
        ('{"inputs": [], "raises": "no name"}', "the name of an exception"),
        ('{"inputs": {"n": 1, "n": 2}, "output": 1}', "the key 'n' twice"),
        ('{"inputs": [NaN], "output": 1}', "NaN and infinities"),
        ('{"inputs": [], "output": ' + "9" * 5000 + "}", "more than 4,300 digits"),
        ('{"inputs": [], "output": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(BadRequest, match=r"examples\.jsonl, line 2: ") as caught:
        read(tmp_path, f'{{"inputs": [0], "output": 0}}\n{line}\n')
    assert caught.value.code == "bad_example"
    assert says in caught.value.message


def test_lines_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    same = '{"inputs": {"a": 1, "b": 2}, "output": 2}\n{"inputs": {"b": 2, "a": 1}, "output": 2.0}\n'
    assert len(read(tmp_path, same)) == 2
    for other in ('"output": true', '"output": 3', '"raises": "ValueError"'):
        with pytest.raises(BadRequest, match=r"line 3: expected .* of the inputs of line 1, which expects 2") as caught:
            read(tmp_path, f'{same}{{"inputs": {{"a": 1, "b": 2}}, {other}}}')
        assert caught.value.code == "contradicting_examples"


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xff"])
def test_a_file_needs_an_example(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    for path in (tmp_path / "f", tmp_path / "none", tmp_path):
        with pytest.raises(BadRequest) as caught:
            read_examples(path)
        assert caught.value.code == "no_examples"


def test_json_values_are_compared_by_value() -> None:
    assert same_json({"a": [1, 2.0, None]}, {"a": [1.0, 2, None]})
    for left, right in [
        (True, 1),
        (0, False),
        ("1", 1),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ([], {}),
        (0.3, 0.1 + 0.2),
    ]:
        assert not same_json(left, right)
