"""On simulated traffic: routing is turned off where it does harm, and almost never where it does none."""

import json
import logging

import pytest

from pointsman.bench.simulated import Traffic, simulate
from pointsman.core import BadRequest
from pointsman.query.watch import Off, Watch, WatchLimits

LIMITS = WatchLimits(most_reference=6_000_000, lost_quality=0.05, confidence=0.9)
ALWAYS_REFERENCE = Traffic(audited=1.0, explored=0.0, worth_nano_usd=1e12)
CHEAP = Traffic(audited=1.0, worth_nano_usd=0.0, explored=0.0)


def turned_off(traffic: Traffic, seed: int, num_requests: int, limits: WatchLimits = LIMITS) -> Off | None:
    watch = Watch(limits)
    for item in simulate(num_requests, seed, traffic):
        if watch.observe(item.entry):
            break
    return watch.off


def test_false_alarms_are_as_rare_as_stated_where_routing_equals_the_reference() -> None:
    found = [turned_off(ALWAYS_REFERENCE, seed, 300) for seed in range(60)]
    assert sum(off is not None for off in found) / 60 <= 0.1


def test_false_alarms_are_as_rare_as_stated_at_the_edge_of_both_hypotheses() -> None:
    """The small arm, at the reference's mean cost and just as much worse as is allowed."""
    edge = Traffic(audited=1.0, worth_nano_usd=0.0, explored=0.0, cost_factor=25.0)
    loss = sum(s.answers["large"].correct - s.answers["small"].correct for s in simulate(20_000, 99, edge)) / 20_000
    limits = WatchLimits(most_reference=20_000_000, lost_quality=loss, confidence=0.9)
    found = [turned_off(edge, seed, 500, limits) for seed in range(120)]
    assert sum(off is not None for off in found) / 120 <= 0.1


def test_routing_that_costs_more_is_turned_off_loudly(caplog: pytest.LogCaptureFixture) -> None:
    dear = Traffic(audited=1.0, worth_nano_usd=0.0, explored=0.0, cost_factor=60.0)
    with caplog.at_level(logging.ERROR):
        off = turned_off(dear, 1, 2_000, WatchLimits(6_000_000, lost_quality=0.9))
    assert off is not None
    assert off.reason == "costs_more"
    assert off.num_audits < 500
    assert off.mean > 0
    assert off.time_us == 1_764_000_000_000_000 + 1_000_000 * (off.num_audits - 1)
    assert "automatic routing is off: costs_more" in caplog.text


def test_quality_below_the_certificate_is_turned_off() -> None:
    off = turned_off(CHEAP, 1, 2_000)
    assert off is not None
    assert (off.reason, off.allowed) == ("quality_below", 0.05)
    assert off.mean > 0.05
    assert off.num_audits < 300


def test_requests_without_an_audit_say_nothing() -> None:
    assert turned_off(Traffic(audited=0.0, worth_nano_usd=0.0), 1, 500) is None


def test_it_stays_off_until_it_is_turned_on() -> None:
    watch = Watch(LIMITS)
    items = list(simulate(600, 1, CHEAP))
    for item in items:
        watch.observe(item.entry)
    first = watch.off
    assert first is not None
    assert first.num_audits < 600
    watch.turn_on()
    assert watch.off is None
    assert watch.observe(items[0].entry) is None


def test_it_goes_on_from_json() -> None:
    items = list(simulate(400, 1, CHEAP))
    whole, half = Watch(LIMITS), Watch(LIMITS)
    for item in items:
        whole.observe(item.entry)
    for number, item in enumerate(items):
        if number % 50 == 0:
            half = Watch.from_json(json.loads(json.dumps(half.to_json())), LIMITS)
        half.observe(item.entry)
    assert half.off == whole.off is not None
    assert half.to_json() == whole.to_json()


def test_bills_of_the_reference_beyond_the_limit_are_counted() -> None:
    watch = Watch(WatchLimits(most_reference=100_000))
    for item in simulate(50, 1, Traffic(audited=1.0, worth_nano_usd=0.0)):
        watch.observe(item.entry)
    assert watch.num_cut > 10


def test_what_cannot_be_watched_is_refused() -> None:
    for most, lost, confidence in ((0, 0.1, 0.9), (1, 1, 0.9), (1, 0.1, 1)):
        with pytest.raises(BadRequest, match="cannot be watched"):
            WatchLimits(most, lost, confidence)
    for data in ({}, {"version": 2}, {"version": 1, "off": {"x": 1}}):
        with pytest.raises(BadRequest) as caught:
            Watch.from_json(data, LIMITS)
        assert caught.value.code == "invalid_watch"
