"""Outcome tables whose costs are bytes moved."""

import json
from pathlib import Path

import pytest

from pointsman.core import BadRequest
from pointsman.query.reading import Tariff, read_outcomes

NUM = 45


def table(folder: Path, **changes: object) -> Path:
    path = folder / "table.jsonl"
    outcome = {"correct": 1.0, "cost_usd": 0.002, "moved_bytes": 5_000, "input_tokens": 3, "output_tokens": 4}
    rows = [
        {"id": number, "prompt": f"q {number}", "outcomes": {"a": outcome, "b": {**outcome, **changes}}}
        for number in range(NUM)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_money_is_the_default_and_bytes_are_read_as_they_are(tmp_path: Path) -> None:
    path = table(tmp_path, moved_bytes=7)
    assert read_outcomes([path]).outcomes.nano_usd[0].tolist() == [2e6, 2e6]
    assert read_outcomes([path], kind="moved_bytes").outcomes.nano_usd[0].tolist() == [5_000.0, 7.0]


@pytest.mark.parametrize(("moved", "why"), [(None, "unknown"), (0, "zero")])
def test_an_arm_without_bytes_cannot_be_used_by_bytes(tmp_path: Path, moved: int | None, why: str) -> None:
    path = table(tmp_path, moved_bytes=moved)
    assert len(read_outcomes([path]).outcomes.arms) == 2
    with pytest.raises(BadRequest, match=why) as raised:
        read_outcomes([path], kind="moved_bytes")
    assert raised.value.code == "unpriced_arm"


def test_tariffs_are_no_prices_of_bytes(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as raised:
        read_outcomes([table(tmp_path)], tariffs={"a": Tariff(1.0, 1.0)}, kind="moved_bytes")
    assert raised.value.code == "bad_costs"
