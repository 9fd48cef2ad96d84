"""`replay` and `report` on a small ledger of simulated traffic."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.bench.simulated import Traffic, record, simulate
from pointsman.cli import ledgers
from pointsman.gateway.ledger import Grid, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with open_ledger(path) as opened:
        record(opened, simulate(800, 1, Traffic(audited=0.3)))
    return path


def test_help_shows_examples(pm: Any) -> None:
    for command in ("replay", "report"):
        told = pm(command, "--help")
        assert told.code == 0
        assert f"pointsman {command} ledger.db" in told.out


def test_replay_prints_what_was_billed_and_what_would_have_been(pm: Any, ledger: Path) -> None:
    told = pm("replay", ledger, "--policy", "reference")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("800 requests settled, 0 not, ")
    assert "billed:    0.0001" in told.out
    assert "reference: 0.00" in told.out
    assert "doubly robust: " in told.out
    found = json.loads(pm("replay", ledger, "--policy", "price:0.005", "--json").out)
    assert found["policy"] == "price:0.005"
    best = found["cost"]["best"]
    assert best["low"] < best["value"] < best["high"]
    assert found["cost"]["effective_requests"] > 30


def test_replay_leaves_out_what_was_asked_for_by_name(pm: Any, ledger: Path) -> None:
    alone = json.loads(pm("replay", ledger, "--json").out)
    with open_ledger(ledger) as opened:
        for number, item in enumerate(simulate(50, 2, Traffic(audited=0.0))):
            entry = replace(item.entry, request_id=f"named {number}", reference=None)
            record(opened, [replace(item, entry=entry)])
    both = pm("replay", ledger)
    assert "\n50 more by name, left out\n" in both.out
    assert json.loads(pm("replay", ledger, "--json").out) == alone | {"num_named": 50}
    assert alone["num_named"] == 0


def test_replay_says_unknown_where_nothing_supports_it(pm: Any, ledger: Path) -> None:
    told = pm("replay", ledger, "--policy", "arm:nobody")
    assert told.code == 1
    assert "arm:nobody: unknown (no_choice: " in told.out
    found = json.loads(pm("replay", ledger, "--policy", "arm:nobody", "--json").out)
    assert found["cost"]["best"] is None
    assert found["cost"]["unknown"].startswith("no_choice")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--policy", "best"), "unknown_policy"),
        (("--cost", "euros"), "unknown_cost"),
    ],
)
def test_wrong_use_is_told(pm: Any, ledger: Path, arguments: tuple[str, ...], code: str) -> None:
    told = pm("replay", ledger, *arguments)
    assert told.code == 2
    assert f"error [{code}]: " in told.err


def test_a_file_that_is_not_there_is_told(pm: Any, tmp_path: Path) -> None:
    for command in ("replay", "report"):
        told = pm(command, tmp_path / "none.db")
        assert told.code == 2
        assert "error [no_ledger]: " in told.err
    assert not (tmp_path / "report.html").exists()


def test_report_writes_one_page(pm: Any, ledger: Path, tmp_path: Path) -> None:
    with open_ledger(ledger) as opened:
        opened.add_grid(Grid("sim-1", "unit", ((0.0, 1.0),)))
    told = pm("report", ledger, "-o", "out.html")
    assert told.code == 0
    assert told.out.startswith("out.html: 800 requests, ")
    text = (tmp_path / "out.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "request sim-1. On average 50.0 % of a unit" in text
    assert "This ledger holds none. A server with a ledger keeps those of the last few answers by two models" in text
    assert not list(tmp_path.glob("*.part"))
    told = pm("report", ledger, "-o", "no/such/folder.html")
    assert told.code == 2
    assert "error [no_output]: " in told.err


def test_a_long_ledger_is_read_with_a_bar(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_MANY", 10)
    monkeypatch.setattr(ledgers, "_STEP", 100)
    read = ledgers.reading(ledger, num_passes=2)
    assert [len(list(read())) for _ in range(2)] == [800, 800]
