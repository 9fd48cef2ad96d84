"""A few answers leave a heat map in the ledger, and nothing else of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import Cost, InternalError
from pointsman.gateway import Config, ModelSource, Opened, RoutingConfig, Written, create_app
from pointsman.gateway.heat import LINE_TOKENS, SPAN_S, HeatMaps, lines, places
from pointsman.gateway.ledger import Grid, open_ledger, read_grids
from pointsman.gateway.ledger.rows import MOST_CELLS, MOST_PLACES

WRITTEN = Written("Hi", "stop", Cost.zero(), heat=lambda: ((1.0, 0.5),))


class Kept:
    """A ledger that keeps grids in a list."""

    def __init__(self) -> None:
        self.grids: list[Grid] = []

    def add_grid(self, grid: Grid) -> None:
        self.grids.append(grid)


class Model:
    """Ends every text at once, as the test says."""

    def __init__(self, end: Written | BaseException) -> None:
        self.end = end

    def prepare(self, _: Any) -> Callable[..., Callable[[], None]]:
        def start(on_text: Any, on_end: Any) -> Callable[[], None]:
            if on_text is not None:
                on_text("H")
            on_end(self.end)
            return lambda: None

        return start

    def close(self) -> None:
        pass


def test_a_busy_server_draws_one_a_second_of_each_level() -> None:
    kept, now_s, num_drawn = Kept(), 100.0, 0

    def draw() -> tuple[tuple[float, ...], ...]:
        nonlocal num_drawn
        num_drawn += 1
        return ((1.0,),)

    maps: Any = HeatMaps(kept, lambda: now_s)  # type: ignore[arg-type]
    for level in ("token", "token", "unit", "unit"):
        maps.keep("early", level, draw)
    now_s += SPAN_S * 0.99
    maps.keep("soon", "token", draw)
    now_s += SPAN_S
    maps.keep("later", "token", draw)
    found = [(grid.request_id, grid.level) for grid in kept.grids]
    assert found == [("early", "token"), ("early", "unit"), ("later", "token")]
    assert num_drawn == 3, "what is not kept is not drawn"


def test_what_has_nothing_to_show_leaves_the_next_its_turn() -> None:
    kept = Kept()
    maps: Any = HeatMaps(kept, lambda: 0.0)  # type: ignore[arg-type]
    maps.keep("short", "unit", lambda: None)
    maps.keep("long", "unit", lambda: ((1.0,),))
    assert [grid.request_id for grid in kept.grids] == ["long"]


@given(st.integers(1, 3 * LINE_TOKENS))
def test_lines_hold_every_token_in_order(count: int) -> None:
    told = [number / count for number in range(count)]
    rows = lines(told)
    assert [share for row in rows for share in row] == told
    assert {len(row) for row in rows[:-1]} <= {LINE_TOKENS}
    assert Grid("r", "token", rows).rows == rows


@given(st.integers(1, 400), st.integers(1, 600))
def test_any_number_of_units_fits_a_grid(num_units: int, num_tokens: int) -> None:
    rows = places([[1.0] * num_tokens] * num_units)
    assert len(rows) == num_units
    assert len(rows[0]) == min(num_tokens, MOST_PLACES, MOST_CELLS // num_units)
    assert Grid("r", "unit", rows).rows == rows


def test_a_very_long_text_is_cut() -> None:
    rows = lines([0.5] * (MOST_CELLS + 5))
    assert sum(map(len, rows)) == MOST_CELLS
    Grid("r", "token", rows)


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_leaves_its_map_where_there_is_a_ledger(tmp_path: Path, client_of: Any, stream: bool) -> None:
    path = tmp_path / "ledger.db"
    for is_on, end, expected in (
        (False, WRITTEN, 0),
        (True, replace(WRITTEN, heat=None), 0),
        (True, InternalError("broken", code="internal_error"), 0),
        (True, WRITTEN, 1),
    ):
        model = Model(end)
        source = ModelSource("m", "", lambda model=model: model, "token")
        config = Config(routing=RoutingConfig(ledger=path, heat_maps=is_on))
        app = create_app(config, [], [source], None, Opened(ledger=open_ledger(path)))
        async with app.router.lifespan_context(app):
            messages = [{"role": "user", "content": "x"}]
            reply = await client_of(app).chat({"model": "m", "messages": messages, "stream": stream})
        found = read_grids(path, "token")
        assert len(found) == expected
    assert found == [Grid(reply.headers["x-request-id"], "token", ((1.0, 0.5),))]
