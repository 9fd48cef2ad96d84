"""The models that ship, served with a ledger: their heat maps are in the ledger and in the report."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.cli.models import model_sources
from pointsman.cli.report import report_command
from pointsman.gateway import Config, Opened, RoutingConfig, create_app
from pointsman.gateway.ledger import open_ledger, read_grids
from pointsman.gateway.local_units import unit_rows

pytestmark = pytest.mark.anyio

QUESTION = "Anna has 12 apples and gives 5 to Ben. How many does she have?"


async def test_the_pair_and_a_model_with_a_budget_are_in_the_report(tmp_path: Path, gateway_client: Any) -> None:
    path, page = tmp_path / "ledger.db", tmp_path / "report.html"
    config = Config(routing=RoutingConfig(ledger=path))
    app = create_app(config, [], model_sources(config), None, Opened(ledger=open_ledger(path)))
    chat = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 80}
    async with app.router.lifespan_context(app):
        client = gateway_client(app)
        whole = await client.chat({**chat, "model": "embedded/large"})
        pair = await client.chat({**chat, "model": "embedded/pair", "pointsman": {"writers": True}})
        unit = await client.chat({**chat, "model": "embedded/large", "pointsman": {"budget": 0.6}, "stream": True})
    assert (whole.status, pair.status, unit.status) == (200, 200, 200)
    (token_map,), (unit_map,) = read_grids(path, "token"), read_grids(path, "unit")
    assert token_map.request_id == pair.headers["x-request-id"]
    assert unit_map.request_id == unit.headers["x-request-id"], "a budget of 1 has nothing to show"
    writers = {"lookup": 0.0, "small": 0.5, "large": 1.0}
    told = [writers[one["writer"]] for one in pair.json["pointsman"]["writers"]]
    assert list(itertools.chain(*token_map.rows)) == told
    (note,) = [event["pointsman"] for event in unit.events[:-1] if "pointsman" in event]
    assert {len(row) for row in unit_map.rows} == {note["cost"]["completion_tokens"] - 1}
    assert {share == 1.0 for row in unit_map.rows for share in row} == {True, False}
    raw = path.read_bytes()
    answer = pair.json["choices"][0]["message"]["content"]
    assert QUESTION.encode() not in raw
    assert answer.encode() not in raw
    report_command(path, page)
    text = page.read_text()
    assert "Token heat map" in text
    assert "Unit heat map" in text
    assert all(grid.request_id in text for grid in (token_map, unit_map))


@pytest.mark.parametrize("num_tokens", [1, 5, 300])
def test_what_was_taken_becomes_shares(num_tokens: int) -> None:
    """Beside the slow, obvious way."""
    rng = np.random.default_rng(0)
    shares = [np.array([0.1, 0.4, 1.0]), np.array([0.2, 1.0]), np.array([0.05, 0.3, 0.6, 1.0])]
    taken = [
        None if rng.random() < 0.2 else np.array([rng.integers(len(its)) for its in shares]) for _ in range(num_tokens)
    ]
    expected = [[1.0 if one is None else its[one[unit]] for one in taken[:256]] for unit, its in enumerate(shares)]
    assert unit_rows(taken, shares) == tuple(map(tuple, expected))
    assert unit_rows([], shares) is None
