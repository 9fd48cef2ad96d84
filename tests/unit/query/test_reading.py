"""Outcome tables from files: what is read, what is left out and said, and what is refused."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.query.reading import ReadTable, Tariff, read_outcomes, read_tariffs

Row = dict[str, Any]


def cell(correct: float | None = 1, usd: float | None = 0.001, **changes: Any) -> Row:
    return {"correct": correct, "cost_usd": usd, "input_tokens": 10, "output_tokens": 5} | changes


def rows_of(count: int = 40, **arms: Row) -> list[Row]:
    arms = arms or {"small": cell(0), "large": cell(usd=0.01)}
    return [{"id": f"q{n}", "prompt": f"text {n}", "outcomes": dict(arms)} for n in range(count)]


def written(folder: Path, rows: list[Row], name: str = "t.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(folder: Path, rows: list[Row], **options: Any) -> ReadTable:
    return read_outcomes([written(folder, rows)], **options)


def refused(folder: Path, rows: list[Row], **options: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(folder, rows, **options)
    return caught.value


def test_a_table_is_read(tmp_path: Path) -> None:
    rows = rows_of()
    rows[1] |= {"task": "sums", "dataset": "other"}
    rows[2] |= {"dataset": "other", "id": 7}
    del rows[3]["prompt"]
    rows[4]["outcomes"]["small"] = cell(0.25, 0.004, input_tokens=None, ans="x")
    rows[4]["outcomes"]["large"] = cell(1, 0.02, ans="x")
    found = read(tmp_path, rows)
    table = found.outcomes
    assert table.names == ("large", "small")  # sorted
    assert table.ids[:3] == ("q0", "q1", "7")
    assert table.texts[:4] == ("text 0", "text 1", "text 2", "")
    assert table.tasks[:3] == ("", "sums", "other")
    assert table.right[[0, 4]].tolist() == [[1, 0], [1, 0.25]]
    np.testing.assert_allclose(table.nano_usd[[0, 4]], [[1e7, 1e6], [2e7, 4e6]])
    np.testing.assert_array_equal(table.prompt_tokens[[0, 4]], [[10, 10], [10, math.nan]])
    assert (table.completion_tokens == 5).all()
    assert table.answers[[0, 4]].tolist() == [[-1, -1], [0, 0]]
    assert np.isnan(table.agreement).all()
    assert (found.unpriced, found.num_left_out, found.notes()) == ({}, 0, [])


def test_agreement_is_read_and_an_empty_answer_equals_none(tmp_path: Path) -> None:
    voted = cell(agreement=2 / 3, ans="")
    rows = rows_of(**{"m?n=3": voted, "small": cell(ans=""), "large": cell(ans="7"), "other": cell(ans="7")})
    table = read(tmp_path, rows).outcomes
    assert table.names == ("large", "m?n=3", "other", "small")
    np.testing.assert_allclose(table.agreement[0], [math.nan, 2 / 3, math.nan, math.nan])
    assert table.answers[0].tolist() == [0, 1, 0, 2]
    rows[0]["outcomes"]["m?n=3"] = cell(agreement=1.5)
    assert "agreement" in refused(tmp_path, rows).message


def test_compressed_files_and_several_are_one_table(tmp_path: Path) -> None:
    rows = rows_of(50)
    second = tmp_path / "second.jsonl.gz"
    second.write_bytes(gzip.compress("\n\n".join(json.dumps(row) for row in rows[30:]).encode()))
    found = read_outcomes([written(tmp_path, rows[:30]), second]).outcomes
    assert found.ids == read(tmp_path, rows).outcomes.ids
    assert len(found) == 50


def test_requests_that_lack_an_arm_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = rows_of(43)
    del rows[5]["outcomes"]["small"]
    rows[6]["outcomes"]["small"] = cell(None)
    found = read(tmp_path, rows)
    assert found.num_left_out == 2
    assert not {"q5", "q6"} & set(found.outcomes.ids)
    assert found.notes() == ["left out: 2 requests that not every arm has answered"]
    assert read(tmp_path, [*rows_of(43), {"id": "z", "outcomes": {"small": cell()}}]).num_left_out == 1


def test_too_few_rows_are_refused_with_the_counts_of_each_arm(tmp_path: Path) -> None:
    rows = rows_of(45)
    for row in rows[:6]:
        del row["outcomes"]["large"]
    error = refused(tmp_path, rows)
    assert (error.code, error.param) == ("bad_outcomes", "arms")
    assert error.message.startswith("39 of 45 requests have an outcome of every arm (large 39, small 45); expected 40")
    rows[5]["outcomes"]["large"] = cell()
    assert len(read(tmp_path, rows).outcomes) == 40


HIDDEN = {
    "cost": (cell(usd=None), "whose cost is unknown, as in 'q3'"),
    "zero": (cell(usd=0), "whose cost is zero, as in 'q3'"),
    "hidden": (cell(hidden_reasoning=True), "whose tokens are hidden in part, as in 'q3', so that its cost is unknown"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_an_arm_without_a_price_in_one_row_is_left_out_of_all_and_named(case: str, tmp_path: Path) -> None:
    rows = rows_of(small=cell(), large=cell(), odd=cell())
    rows[3]["outcomes"]["odd"], why = HIDDEN[case]
    found = read(tmp_path, rows)
    assert found.outcomes.names == ("large", "small")
    assert found.unpriced == {"odd": why}
    assert found.notes() == [f"left out: the arm odd, {why}"]
    assert len(found.outcomes) == 40  # the row itself stays


@pytest.mark.parametrize("case", HIDDEN)
def test_an_arm_without_a_price_that_is_asked_for_is_refused(case: str, tmp_path: Path) -> None:
    rows = rows_of(small=cell(), odd=cell())
    rows[3]["outcomes"]["odd"], why = HIDDEN[case]
    error = refused(tmp_path, rows, arms=["small", "odd"])
    assert (error.code, error.param) == ("unpriced_arm", "arms")
    assert error.message == f"'odd' is an arm {why}; give its price with --costs, or leave it out"


def test_two_priced_arms_are_needed(tmp_path: Path) -> None:
    error = refused(tmp_path, rows_of(small=cell(), free=cell(usd=0)))
    assert error.code == "unpriced_arm"
    assert error.message.startswith("1 arms can be used, expected two or more")
    assert "free, whose cost is zero, as in 'q0'" in error.message
    assert "no other arm" in refused(tmp_path, rows_of(small=cell())).message
    assert refused(tmp_path, rows_of(), arms=["small", "small"]).code == "unpriced_arm"


def test_only_the_arms_asked_for_are_read_in_their_order(tmp_path: Path) -> None:
    rows = rows_of(a=cell(), b=cell(usd=0), c=cell(0))
    del rows[0]["outcomes"]["b"]
    found = read(tmp_path, rows, arms=["c", "a"])
    assert found.outcomes.names == ("c", "a")
    assert found.unpriced == {}
    assert found.num_left_out == 0


def test_an_arm_that_no_row_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    error = refused(tmp_path, rows_of(), arms=["small", "huge"])
    assert (error.code, error.param) == ("unknown_arm", "arms")
    assert error.message == "there is no arm 'huge' in the table; there is large, small"


def test_ids_that_occur_twice_are_refused_across_files_and_types(tmp_path: Path) -> None:
    rows = rows_of()
    first, second = written(tmp_path, rows, "a.jsonl"), written(tmp_path, rows_of(4), "b.jsonl")
    with pytest.raises(BadRequest, match="4 ids occur more than once, such as 'q0', 'q1', 'q2'; expected one line"):
        read_outcomes([first, second])
    error = refused(tmp_path, [*rows, rows[0] | {"id": 1}, rows[0] | {"id": "1"}])
    assert (error.code, error.param) == ("bad_outcomes", "id")
    assert "1 ids occur more than once, such as '1'" in error.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "truncated"),
        ('{"id": "x"}', "missing required field `outcomes`"),
        ('{"id": "x", "outcomes": {}}', "the request 'x' has no outcomes"),
        ('{"id": "x", "outcomes": {"a": {"correct": 1.5}}}', "<= 1"),
        ('{"id": "x", "outcomes": {"a": {"correct": -0.1}}}', ">= 0"),
        ('{"id": "x", "outcomes": {"a": {"correct": NaN}}}', "malformed"),
        ('{"id": "x", "outcomes": {"a": {"cost_usd": NaN}}}', "malformed"),
        ('{"id": "x", "outcomes": {"a": {"cost_usd": Infinity}}}', "malformed"),
        ('{"id": "x", "outcomes": {"a": {"cost_usd": 1e999}}}', "out of range"),
        ('{"id": "x", "outcomes": {"a": {"cost_usd": -1}}}', ">= 0"),
        ('{"id": "x", "outcomes": {"a": {"input_tokens": -1}}}', ">= 0"),
        ('{"id": "x", "outcomes": {"a": {"cost_usd": "1"}}}', "Expected `float | null`"),
        ('{"id": null, "outcomes": {"a": {}}}', "Expected `int | str`"),
        ("[1]", "Expected `object`"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    good = json.dumps(rows_of(1)[0])
    path.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(BadRequest) as caught:
        read_outcomes([path])
    assert caught.value.code == "bad_outcomes"
    assert caught.value.message.startswith(f"{path}, line 3: ")
    assert said in caught.value.message


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"id": "\xff", "outcomes": {"a": {}}}\n')
    with pytest.raises(BadRequest, match=r"t\.jsonl, line 1: ") as caught:
        read_outcomes([path])
    assert caught.value.code == "bad_outcomes"


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(BadRequest, match="the table is empty; expected a JSON object a line") as caught:
        read_outcomes([path])
    assert caught.value.code == "bad_outcomes"


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(BadRequest, match=f"cannot read {path}: ") as caught:
            read_outcomes([path])
        assert caught.value.code == "bad_outcomes"


@pytest.mark.parametrize("harm", ["cut", "header", "middle"])
def test_a_broken_gzip_is_refused(harm: str, tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(rows_of(1)[0]).encode())
    broken = {
        "cut": whole[:-9],
        "header": whole[:2] + b"\x07" + whole[3:],
        "middle": whole[:12] + bytes(255 - each for each in whole[12:-8]) + whole[-8:],
    }
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(broken[harm])
    with pytest.raises(BadRequest, match=r"cannot read .*t\.jsonl\.gz: ") as caught:
        read_outcomes([path])
    assert caught.value.code == "bad_outcomes"


def test_the_budget_is_no_part_of_the_model(tmp_path: Path) -> None:
    rows = rows_of(**{"m/cot": cell(budget="cot"), "m/64": cell(budget=64), "n/x": cell(), "o": cell(budget="cot")})
    arms = {arm.name: (arm.model, arm.budget) for arm in read(tmp_path, rows).outcomes.arms}
    assert arms == {"m/cot": ("m", "cot"), "m/64": ("m", "64"), "n/x": ("n/x", ""), "o": ("o", "cot")}
    rows[0]["outcomes"]["m/cot"] = cell(budget="direct")  # it changes from row to row: no budget
    arms = {arm.name: (arm.model, arm.budget) for arm in read(tmp_path, rows).outcomes.arms}
    assert arms["m/cot"] == ("m/cot", "")


# prices by tariff


def test_a_tariff_replaces_bills_and_prices_an_arm_that_had_none(tmp_path: Path) -> None:
    rows = rows_of(small=cell(), large=cell(usd=None))
    found = read(tmp_path, rows, tariffs={"large": Tariff(2.0, 6.0, 0.001), "small": Tariff(0.0, 1.0)})
    large, small = found.outcomes.nano_usd[0]
    assert large == pytest.approx(1e9 * ((10 * 2 + 5 * 6) / 1e6 + 0.001))
    assert small == pytest.approx(1e9 * 5 / 1e6)
    assert found.unpriced == {}


def test_a_tariff_prices_no_tokens_that_are_unknown_or_hidden(tmp_path: Path) -> None:
    tariffs = {"large": Tariff(2.0, 6.0), "odd": Tariff(0.0, 6.0)}
    rows = rows_of(small=cell(), large=cell(input_tokens=None), odd=cell(input_tokens=None))
    found = read(tmp_path, rows, tariffs=tariffs)
    assert found.outcomes.names == ("odd", "small")  # where prompts are free, their tokens may be unknown
    assert found.unpriced == {"large": "whose cost is unknown, as in 'q0'"}
    hidden = rows_of(small=cell(), large=cell(hidden_reasoning=True))
    assert refused(tmp_path, hidden, tariffs=tariffs, arms=["small", "large"]).code == "unpriced_arm"


def test_tariffs_are_read_in_both_forms(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    wanted = {"a": Tariff(1.0, 2.0), "b": Tariff(0.0, 0.0, 0.5)}
    for text in ('{"a": [1, 2], "b": [0, 0, 0.5]}', '{"prices": {"a": [1, 2], "b": [0, 0, 0.5]}}'):
        path.write_text(text)
        assert read_tariffs(path) == wanted


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", '{"a": 1}', '{"a": [1]}', '{"a": [1, 2, 3, 4]}', '{"a": [0, 0]}', '{"a": [-1, 2]}', "NaN"]
)
def test_tariffs_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    with pytest.raises(BadRequest, match=r"costs\.json") as caught:
        read_tariffs(path)
    assert (caught.value.code, caught.value.param) == ("bad_costs", "costs")


def test_a_tariff_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        read_tariffs(tmp_path / "none.json")
    assert caught.value.code == "bad_costs"


# votes


def sampled(*samples: tuple[float, str | None], usd: float = 0.001) -> Row:
    return cell(0.5, usd, samples=[[right, 5, answer] for right, answer in samples])


def test_votes_by_hand(tmp_path: Path) -> None:
    """Two of three are asked at once, the third where those differ; of equals the first wins."""
    rows = rows_of(40, small=sampled((1, "7"), (1, "7"), (0, "8")), large=cell(usd=0.01, ans="7"))
    polls = [
        sampled((1, "7"), (0, "8"), (0, "8"), (1, "7")),  # 8 wins, the fourth sample is not missed at
        sampled((1, "7"), (0, "8"), (0, "9")),  # all tie
        sampled((1, "7"), (1, "7"), (1, "7")),
        sampled((0, "8"), (0, "9"), (0, "8")),
        sampled((0.5, "7"), (1, "7"), (0, "8")),  # half right is not right
    ]
    for row, poll in zip(rows, polls, strict=False):
        row["outcomes"]["small"] = poll
    table = read(tmp_path, rows, votes=3).outcomes
    assert table.names == ("large", "small", "small?n=3")
    assert [arm.num_samples for arm in table.arms] == [1, 1, 3]
    assert table.arms[2].model == "small"
    np.testing.assert_allclose(table.right[:5, 2], [0, 1, 1, 0, 0])
    np.testing.assert_allclose(table.agreement[:5, 2], [2 / 3, 1 / 3, 1, 2 / 3, 1])
    assert np.isnan(table.agreement[:, :2]).all()
    assert (table.right[:, 1] == 0.5).all()  # of one sample, the share that was right
    np.testing.assert_allclose(table.nano_usd[:5, 2], [3e6, 3e6, 2e6, 3e6, 2e6])
    np.testing.assert_allclose(table.nano_usd[0, :2], [1e7, 1e6])
    assert table.prompt_tokens[0].tolist() == [10, 10, 30]
    assert table.completion_tokens[:3, 2].tolist() == [15, 15, 10]
    # answers of large, of the first sample and of the vote: equal numbers are equal answers
    assert table.answers[:5].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_arms_that_vote_are_made_where_they_are_asked_for(tmp_path: Path) -> None:
    three = sampled((1, "7"), (0, "8"), (0, "8"))
    rows = rows_of(small=three, large=three)
    table = read(tmp_path, rows, arms=["small?n=3", "large"]).outcomes
    assert table.names == ("small?n=3", "large")
    assert table.answers[0].tolist() == [1, 0]
    both = read(tmp_path, rows, arms=["small", "small?n=3"]).outcomes
    assert both.names == ("small", "small?n=3")
    for arms, code in ((["small?n=3"], "unpriced_arm"), (["small", "small?n=4"], "bad_outcomes")):
        assert refused(tmp_path, rows, arms=arms).code == code
    for name in ("small?n=2", "small?n=03", "none?n=3", "small?m=3"):
        assert refused(tmp_path, rows, arms=["small", name]).code == "unknown_arm"


def test_an_arm_of_the_table_is_not_made_anew(tmp_path: Path) -> None:
    rows = rows_of(**{"small": sampled((1, "7"), (0, "8"), (0, "8")), "small?n=3": cell(1, usd=0.5)})
    assert read(tmp_path, rows, arms=["small", "small?n=3"]).outcomes.right[0].tolist() == [0.5, 1.0]


def test_an_arm_with_dials_votes_too(tmp_path: Path) -> None:
    rows = rows_of(**{"m?mode=direct": sampled((1, "7"), (1, "7"), (0, "8")), "large": cell()})
    assert "m?mode=direct&n=3" in read(tmp_path, rows, votes=3).outcomes.names


def test_an_arm_votes_only_if_every_request_has_the_samples(tmp_path: Path) -> None:
    three, two = sampled((1, "7"), (1, "7"), (0, "8")), sampled((1, "7"), (1, "7"))
    rows = rows_of(small=three, large=three)
    rows[9]["outcomes"]["large"] = two
    assert read(tmp_path, rows, votes=3).outcomes.names == ("large", "small", "small?n=3")
    assert refused(tmp_path, rows, arms=["large?n=3", "small"]).code == "bad_outcomes"


def test_a_sample_without_an_answer_does_not_vote(tmp_path: Path) -> None:
    rows = rows_of(small=sampled((0, None), (0, None), (1, "7"), (1, "7")), large=cell())
    assert refused(tmp_path, rows, votes=3).code == "bad_outcomes"
    rows = rows_of(small=sampled((1, "7"), (0, None), (0, None), (1, "7"), (0, "8")), large=cell())
    rows[0]["outcomes"]["small"] = sampled((1, "7"), (1, "7"), (1, "7"))
    assert refused(tmp_path, rows, votes=3).code == "bad_outcomes"


def test_votes_without_samples_are_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, rows_of(), votes=3)
    assert (error.code, error.param) == ("bad_outcomes", "votes")
    assert error.message == "no arm has 3 samples with answers for every request; leave --votes out"


def test_requests_that_are_taken_ahead_of_the_arms_are_told_apart(tmp_path: Path) -> None:
    rows = rows_of(44)
    rows[0]["taken"] = {"by": "program/gcd", "correct": 1, "moved_bytes": 0, "cost_usd": 0}
    rows[1]["missed"] = {"cost_usd": 2e-9, "moved_bytes": 7}
    rows[2] |= {"taken": {"by": "solver", "correct": 0.5, "cost_usd": 3e-9}, "outcomes": {}}
    rows[3] |= {"refused": ["small"], "outcomes": {"large": cell()}}
    found = read(tmp_path, rows)
    assert found.notes() == [
        "left out: 1 requests that not every arm has answered",
        "not for arms: 1 requests that were taken ahead of them",
    ]
    taken = found.outcomes.taken
    assert taken is not None
    assert (taken.by[:2], taken.right[0], taken.nano_usd[:2].tolist()) == (("program/gcd", ""), 1, [0, 2])
    left = found.outcomes.left_for_arms()
    assert (left.ids[0], len(left), left.taken) == ("q1", 41, None)
    assert read(tmp_path, rows_of()).outcomes.taken is None


def test_what_takes_a_request_has_a_known_cost(tmp_path: Path) -> None:
    rows = rows_of()
    rows[5]["taken"] = {"by": "program/gcd", "correct": 1, "moved_bytes": 0}
    error = refused(tmp_path, rows)
    assert (error.code, error.param) == ("bad_outcomes", "taken")
    assert "'q5' is taken by 'program/gcd' at a cost that is unknown; expected cost_usd" in error.message
    rows[5] = {**rows[5], "taken": None, "outcomes": {}}
    assert "has no outcomes" in refused(tmp_path, rows).message
