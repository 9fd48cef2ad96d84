"""Files of tasks are read strictly."""

from pathlib import Path

import pytest

from pointsman.core import BadRequest
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.token.tasks import read_tasks


def write(folder: Path, *lines: str) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_tasks_are_prompts_references_and_checks(letters: TextTokenizer, tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "AB", "answer": "C", "reference": "D=>C"}', '{"prompt": "B", "answer": " D"}')
    first, second = read_tasks(path, letters, eos_token=1)
    assert (first.prompt, first.reference) == ((0, 1), (3, ord("=") - 65, ord(">") - 65, 2, 1))
    assert first.is_right("A=>B=> C ")
    assert first.is_right("C")
    assert not first.is_right("C=>B")
    assert second.reference == ()
    assert second.is_right("D")


def test_the_delimiter_can_be_chosen(letters: TextTokenizer, tmp_path: Path) -> None:
    (task,) = read_tasks(write(tmp_path, '{"prompt": "AB", "answer": "C"}'), letters, 1, delimiter="####")
    assert task.is_right("X #### C")
    assert not task.is_right("X => C")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "holds no tasks"),
        (['{"prompt": "A", "answer": "B"}', "{"], "line 2"),
        (['{"prompt": "A"}'], "missing required field `answer`"),
        (['{"prompt": "A", "answer": 3}'], "expected prompt, answer and perhaps reference, all strings"),
        (['{"prompt": "A", "answer": "B", "anwser": "C"}'], "anwser"),
        (['{"prompt": "A", "answer": "  "}'], "nothing can be checked"),
        (["[]"], "line 1"),
    ],
)
def test_what_is_no_task_is_refused(letters: TextTokenizer, lines: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=told) as caught:
        read_tasks(write(tmp_path, *lines), letters, 1)
    assert caught.value.code == "invalid_tasks"


def test_a_file_that_is_not_there_is_said(letters: TextTokenizer, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot read"):
        read_tasks(tmp_path / "none", letters, 1)
