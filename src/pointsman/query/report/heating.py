"""The two heat maps of the page, each with a table of what it comes to."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from pointsman.query.amounts import percent
from pointsman.query.report.collecting import HeatMap
from pointsman.query.report.drawing import heat_map
from pointsman.query.report.html import figure, legend, note, section, table

_WRITERS: Final = {0.0: "looked up", 0.5: "small model", 1.0: "large model"}
"""What a number of a token is; see `gateway.ledger.Grid`."""

_NONE: Final = "This ledger holds none. A server with a ledger keeps those of the last few answers by"


def token_maps(found: Sequence[HeatMap]) -> str:
    """Which model wrote each token."""
    if not found:
        return section("Token heat map", note(f"{_NONE} two models, such as embedded/pair."))
    seen = (
        "Each square is a token of the answer, in the order of writing and in lines. The stronger its colour, the more "
        "model wrote it: none (it was looked up in the text), the small one, or the large one."
    )
    parts = [note(seen)]
    for one in found:
        starts = [sum(map(len, one.rows[:number])) + 1 for number in range(len(one.rows))]
        svg = heat_map(f"Which model wrote each token of {_name(one)}", one.rows, [str(start) for start in starts])
        parts.append(figure(svg, _name(one), legend(list(_WRITERS.values()), "h")))
        rows = [
            (f"{start} to {start + len(row) - 1}", *(str(Counter(row)[share]) for share in _WRITERS))
            for start, row in zip(starts, one.rows, strict=True)
        ]
        parts.append(table(f"Tokens of {_name(one)}", ("tokens", *_WRITERS.values()), rows))
    return section("Token heat map", "".join(parts))


def unit_maps(found: Sequence[HeatMap]) -> str:
    """Which units were executed for each token."""
    if not found:
        return section("Unit heat map", note(f"{_NONE} a model with a budget, such as embedded/large?budget=0.6."))
    seen = (
        "Each row is a block's attention or MLP, from the first block at the top; each column is a token, from the "
        "second of the answer on. Full colour: executed. Faint: forecast by a small map, most weights left unread."
    )
    parts = [note(seen)]
    for one in found:
        names = [f"{number // 2 + 1} {'MLP' if number % 2 else 'attention'}" for number in range(len(one.rows))]
        svg = heat_map(f"Which units were executed for each token of {_name(one)}", one.rows, names)
        read = percent(sum(map(sum, one.rows)) / sum(map(len, one.rows)))
        told = f"{_name(one)}. On average {read} of a unit's weights were read for a token."
        parts.append(figure(svg, told, legend(("forecast", "executed"), "u")))
        rows = [
            (name, f"{sum(share == 1 for share in row)} of {len(row)}", percent(sum(row) / len(row)))
            for name, row in zip(names, one.rows, strict=True)
        ]
        parts.append(table(f"Units of {_name(one)}", ("block and unit", "executed", "share of weights read"), rows))
    return section("Unit heat map", "".join(parts))


def _name(one: HeatMap) -> str:
    return f"{one.arm or 'an answer'}, request {one.request_id}"
