"""Which requests are timed, and how often."""

import pytest

from pointsman.bench import query_latency
from pointsman.bench.query_latency import latency_figures


def test_each_request_is_timed_once_and_its_least_time_is_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    whole = query_latency.Server.forecast
    monkeypatch.setattr(query_latency.Server, "forecast", lambda *given: asked.append(given[1]) or whole(*given))
    for name, value in {"_ARMS": 3, "_ROWS": 60, "_TIMED": 7, "_WARM_UP": 2}.items():
        monkeypatch.setattr(query_latency, name, value)
    figures = latency_figures(0)
    assert {name: (figure.n, figure.unit) for name, figure in figures.items()} == {
        "router_p99_ms": (7, "ms"),
        "router_least_p99_ms": (7, "ms"),
    }
    assert figures["router_least_p99_ms"].value <= figures["router_p99_ms"].value  # of some of the same times
    assert asked[2:] == asked[2:9] * 5
