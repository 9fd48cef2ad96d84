"""CLRS-Text: reading prompts, writing answers, drawing rows, counting exact answers."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.bench import clrs
from pointsman.core import BadRequest, NotFound, PointsmanError, Unsupported

EXAMPLES = Path(__file__).parents[3] / "examples" / "clrs"
SORT = "insertion_sort:\nkey: [0.2 0.1]\npred:\n"
numbers = st.integers(-(10**6), 10**6) | st.integers(-(10**6), 10**6).map(lambda n: n / 1000)


def row(task: str, size: int, prompt: str, reference: str) -> dict[str, Any]:
    return {"task": task, "size": size, "prompt": prompt, "reference": reference}


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
        text = "".join(json.dumps(one) + "\n" for one in rows).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return write


class TestReading:
    @pytest.mark.parametrize(
        ("prompt", "expected"),
        [
            (SORT, ("insertion_sort", [[0.2, 0.1]])),
            ("bfs:\ns: 1, A: [[0 1], [1 0]]\npi:\n", ("bfs", [1, [[0, 1], [1, 0]]])),
            (
                "binary_search:\nkey: [-0.5 1e-05 2.0], target: 1.5\nreturn:",
                ("binary_search", [[-0.5, 1e-05, 2.0], 1.5]),
            ),
            ("dfs:\nA: [[0]]\npi:\n", ("dfs", [[[0]]])),
            ("minimum:\nkey: []\nmin:\n", ("minimum", [[]])),
            ("topological_sort:\nA: [[0 1], [0 0]]\ntopo, topo_head:\n", ("topological_sort", [[[0, 1], [0, 0]]])),
        ],
    )
    def test_a_prompt(self, prompt: str, expected: Any) -> None:
        assert clrs.read(prompt) == expected
        assert repr(clrs.read(prompt)) == repr(expected)  # 1 is not 1.0

    @pytest.mark.parametrize(
        ("prompt", "param"),
        [
            ("", "task"),
            ("What is the capital of France?", "task"),
            ("segments_intersect:\nx: [0.1], y: [0.2]\nintersect:\n", "task"),
            ("bfs: s: 0", "task"),
            ("bfs:\ns: 0, A: [[0]]\n", "label"),
            ("bfs:\ns: 0, A: [[0]]\npi:\npi:\n", "label"),
            ("minimum:\nkey: [0.1]\ntrace | min:\n", "label"),
            ("bfs:\nA: [[0]], s: 0\npi:\n", "arguments"),
            ("bfs:\ns: 0\npi:\n", "arguments"),
            ("minimum:\nkey: [0.1], initial_trace: 0\nmin:\n", "arguments"),
            ("minimum:\nkey: [0.1, 0.2]\nmin:\n", "arguments"),
            ("minimum:\nkey: [0.1  0.2]\nmin:\n", "arguments"),
            ("minimum:\nkey: [0.1 nan]\nmin:\n", "arguments"),
            ("minimum:\nkey: [0.1 x]\nmin:\n", "arguments"),
            (f"minimum:\nkey: [{'9' * 5000}]\nmin:\n", "arguments"),
            ("minimum:\nkey: [0.1] please\nmin:\n", "arguments"),
            ("dfs:\nA: [[0 1], [1]]\npi:\n", "A"),
        ],
    )
    def test_other_texts_are_refused(self, prompt: str, param: str) -> None:
        with pytest.raises(BadRequest, match="not a prompt of CLRS-Text") as raised:
            clrs.read(prompt)
        assert (raised.value.code, raised.value.param) == ("clrs_prompt", param)

    def test_the_message_quotes_nothing(self) -> None:
        with pytest.raises(BadRequest) as raised:
            clrs.read("minimum:\nkey: [0.1 SECRET]\nmin:\n")
        assert "SECRET" not in str(raised.value)

    @given(st.lists(numbers))
    def test_what_is_written_is_read(self, items: list[float]) -> None:
        assert clrs.read(f"minimum:\nkey: {clrs.write(items)}\nmin:\n") == ("minimum", [items])


class TestWriting:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (3, "3"),
            ([0, 1, 0], "[0 1 0]"),
            ([0.1, 0.25], "[0.1 0.25]"),
            ([[0, -1], [1, 0]], "[[0 -1], [1 0]]"),
            ((0, 3), "0, 3"),
            (([0, 2, 0], 1), "[0 2 0], 1"),
            ([], "[]"),
        ],
    )
    def test_an_answer(self, answer: Any, expected: str) -> None:
        assert clrs.write(answer) == expected

    @pytest.mark.parametrize("answer", [None, "1", [None], {1: 2}])
    def test_other_values_are_refused(self, answer: Any) -> None:
        with pytest.raises(Unsupported) as raised:
            clrs.write(answer)
        assert raised.value.code == "clrs_answer"


class TestRows:
    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
    def test_as_many_of_each_task_and_size(self, data: Callable[..., Path], name: str) -> None:
        path = data([row(t, s, f"{t}{s}{n}", "0") for n in range(5) for t in ("dfs", "bfs") for s in (4, 5)], name)
        found = clrs.rows(path, 3, seed=1)
        assert [(one.task, one.size) for one in found] == [
            (t, s) for t in ("bfs", "dfs") for s in (4, 5) for _ in range(3)
        ]
        assert len({one.prompt for one in found}) == 12
        assert clrs.rows(path, 3, seed=1) == found
        assert clrs.rows(path, 3, seed=2) != found
        assert len(clrs.rows(path, None, seed=1)) == len(clrs.rows(path, 100, seed=1)) == 20

    @pytest.mark.parametrize(
        "text", ["{", "[]", "[1]", "{}", '{"task": "bfs", "size": "4", "prompt": "", "reference": ""}', "\udc80"]
    )
    def test_other_files_are_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(BadRequest) as raised:
            clrs.rows(path, None, seed=0)
        assert raised.value.code == "bad_clrs_data"

    @pytest.mark.parametrize("name", ["missing.jsonl", "plain.jsonl.gz"])
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "plain.jsonl.gz").write_text("{}")
        with pytest.raises(BadRequest, match="cannot read"):
            clrs.rows(tmp_path / name, None, seed=0)


class TestMeasuring:
    def test_counts_by_task_and_size(self) -> None:
        asked = [clrs.Row("dfs", 5, "b", "no"), clrs.Row("bfs", 4, "a", "x\n"), clrs.Row("bfs", 4, "b", "x")]
        ticks: list[tuple[float, str]] = []
        found = clrs.exactness(asked, lambda prompt: "x" if prompt == "a" else " no ", lambda *told: ticks.append(told))
        assert found == {"bfs": {4: clrs.Counts(2, 1)}, "dfs": {5: clrs.Counts(1, 1)}}
        assert found["bfs"][4].share == 0.5
        assert ticks == [(0.0, "bfs, size 4"), (2 / 3, "dfs, size 5")]
        assert clrs.points(found) == [
            {"task": "bfs", "size": 4, "num_rows": 2, "num_exact": 1},
            {"task": "dfs", "size": 5, "num_rows": 1, "num_exact": 1},
        ]

    def test_sizes_of_all_tasks(self) -> None:
        found = {"a": {5: clrs.Counts(2, 1), 4: clrs.Counts(3, 3)}, "b": {5: clrs.Counts(1, 1)}}
        assert list(clrs.by_size(found).items()) == [(4, clrs.Counts(3, 3)), (5, clrs.Counts(3, 2))]

    def test_an_error_is_no_wrong_answer(self) -> None:
        def fails(_: str) -> str:
            raise NotFound("no such model")

        with pytest.raises(NotFound):
            clrs.exactness([clrs.Row("bfs", 4, "a", "x")], fails)

    def test_compiled_programs_answer(self, data: Callable[..., Path], tmp_path: Path) -> None:
        for task in ("insertion_sort", "topological_sort"):
            (tmp_path / f"{task}.py").write_text((EXAMPLES / f"{task}.py").read_text())
        order = "topological_sort:\nA: [[0 0], [1 0]]\ntopo, topo_head:\n"
        asked = [
            row("insertion_sort", 2, SORT, "[0.1 0.2]"),
            row("insertion_sort", 2, SORT, "[0.2 0.1]"),
            row("topological_sort", 2, order, "[0 0], 1"),
        ]
        found = clrs.measure(data(asked), tmp_path, seed=3)
        assert found == {"insertion_sort": {2: clrs.Counts(2, 1)}, "topological_sort": {2: clrs.Counts(1, 1)}}

    def test_what_a_program_cannot_answer(self, tmp_path: Path) -> None:
        (tmp_path / "topological_sort.py").write_text((EXAMPLES / "topological_sort.py").read_text())
        answer = clrs.answerer(clrs.compiled(tmp_path))
        label = "topo, topo_head:\n"
        for prompt, code in {
            SORT: "no_clrs_program",
            f"topological_sort:\nA: [[0 1], [1 0]]\n{label}": "clrs_no_answer",
            f"topological_sort:\nA: [[0.5]]\n{label}": "bad_inputs",
        }.items():
            with pytest.raises(PointsmanError) as raised:
                answer(prompt)
            assert raised.value.code == code

    def test_a_folder_without_programs(self, tmp_path: Path) -> None:
        (tmp_path / "helpers.py").write_text("def helper(n: int) -> int:\n    return n\n")
        with pytest.raises(NotFound) as raised:
            clrs.compiled(tmp_path)
        assert raised.value.code == "no_clrs_programs"


@pytest.mark.parametrize(("name", "begins"), [("curve.png", b"\x89PNG"), ("curve.svg", b"<?xml")])
def test_the_picture(tmp_path: Path, name: str, begins: bytes) -> None:
    ours = {"bfs": {4: clrs.Counts(2, 2), 5: clrs.Counts(2, 2)}, "bridges": {6: clrs.Counts(1, 1)}}
    other = {"bfs": {4: clrs.Counts(2, 1)}}
    clrs.draw({"compiled": ours, "model": other}, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_drawn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot draw to"):
        clrs.draw({"compiled": {"bfs": {4: clrs.Counts(1, 1)}}}, tmp_path / "curve.nonsense")
