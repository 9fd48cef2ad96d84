"""``pointsman report LEDGER -o report.html``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.ledgers import CostKind, LedgerPath, reading
from pointsman.core import BadRequest

__all__ = ["report_command"]


def report_command(
    ledger: LedgerPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    cost: CostKind = "nano_usd",
) -> None:
    """Write one page of HTML about a ledger: costs, quality, savings, forecasts, heat maps. It needs no network.

    pointsman report ledger.db -o report.html
    """
    from pointsman.core.entries import cost_of
    from pointsman.core.records import Cost
    from pointsman.gateway.ledger import read_grids
    from pointsman.query.report import collect, to_html

    cost_of(Cost.zero(), cost)  # refuses an unknown name before anything is read
    grids = {level: {grid.request_id: grid.rows for grid in read_grids(ledger, level)} for level in ("token", "unit")}
    found = collect(reading(ledger, num_passes=2), cost, grids["token"], grids["unit"])
    page = to_html(found, ledger.name)
    try:
        beside = output.with_name(output.name + ".part")
        beside.write_text(page, encoding="utf-8")
        os.replace(beside, output)  # noqa: PTH105  whole or not at all
    except OSError as exc:
        raise BadRequest(f"cannot write {str(output)!r}: {exc.strerror}", code="no_output") from exc
    print(f"{output}: {found.num_requests} requests, {len(page.encode()) // 1024 + 1} KiB")
