"""On simulated traffic, where the truth is known: intervals cover it, and nothing is claimed that nothing supports."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from pointsman.bench.simulated import REFERENCE, Simulated, Traffic, simulate
from pointsman.core import BadRequest, Cost, Decision
from pointsman.core.entries import Entry, Settled
from pointsman.query.savings import replay, savings
from pointsman.query.targets import Target, parse_target

SIMPLE = Traffic(audited=0.3, explored=0.4, bias=1.6, overconfidence=0.2)


def truth(items: Sequence[Simulated], target: Target) -> tuple[float, float]:
    """Mean cost and quality of a policy on these requests, from answers that no log has."""
    cost = quality = 0.0
    for item in items:
        for arm, chance in (target(item.entry) or {}).items():
            cost += chance * item.answers[arm].cost.nano_usd
            quality += chance * bool(item.answers[arm].correct)
    return cost / len(items), quality / len(items)


@pytest.mark.parametrize("policy", ["reference", "arm:small", "uniform"])
def test_intervals_cover_the_truth_though_forecasts_are_wrong(policy: str) -> None:
    """The bench does the same with 500 seeds; here 100, of which 93 % less two standard deviations must be covered."""
    target, covered, num = parse_target(policy), Counter[str](), 100
    for seed in range(num):
        items = list(simulate(400, seed, SIMPLE))
        cost, quality = truth(items, target)
        found = replay([item.entry for item in items], target)
        for name, right, measured in (("cost", cost, found.cost), ("quality", quality, found.quality)):
            for way in ("inverse_propensity", "self_normalised", "doubly_robust"):
                estimate = getattr(measured, way)
                covered[f"{name} {way}"] += estimate.low <= right <= estimate.high
    assert len(covered) == 6
    assert min(covered.values()) >= num * (0.93 - 2 * math.sqrt(0.93 * 0.07 / num)), covered


def test_forecasts_that_are_right_make_the_interval_narrow() -> None:
    items = [item.entry for item in simulate(2_000, 1, Traffic(audited=0.1, bias=1.0))]
    found = replay(items, parse_target("arm:small")).cost
    assert found.doubly_robust is not None
    assert found.inverse_propensity is not None
    widths = [item.high - item.low for item in (found.doubly_robust, found.inverse_propensity)]
    assert widths[0] < 0.7 * widths[1]
    assert found.best == found.doubly_robust


def test_the_policy_that_was_followed_comes_to_what_was_billed() -> None:
    items = [item.entry for item in simulate(500, 1, Traffic(explored=0.0, audited=0.0))]
    found = replay(items, lambda entry: {entry.decision.arm: 1.0})
    for measured, billed in ((found.cost, found.billed), (found.quality, found.billed_quality.value)):
        assert measured.self_normalised.value == pytest.approx(billed)
        assert measured.inverse_propensity.value == pytest.approx(billed)
        assert measured.effective == 500


def test_savings_of_each_level_cover_the_truth_and_add_up() -> None:
    items = [
        replace(item.entry, level="token" if number % 2 else "query") for number, item in enumerate(simulate(3_000, 5))
    ]
    whole = list(simulate(3_000, 5))
    total, query, token = savings(items)
    assert (total.level, query.level, token.level) == (None, "query", "token")
    assert total.num_requests == query.num_requests + token.num_requests == 3_000
    assert total.billed == pytest.approx(query.billed + token.billed)
    assert total.audits == sum(entry.audit.cost.nano_usd for entry in items if entry.audit)
    for found, kept in ((total, whole), (query, whole[::2]), (token, whole[1::2])):
        saved = sum(item.answers[REFERENCE].cost.nano_usd - item.entry.billed.cost.nano_usd for item in kept)
        assert found.saved.low <= saved <= found.saved.high
        assert found.saved.low > 0
        assert found.reference.value == pytest.approx(found.saved.value + found.billed)
        assert found.share.value == pytest.approx(found.saved.value / found.reference.value)
        assert found.unknown is None


def test_savings_can_be_negative() -> None:
    dear = Traffic(cost_factor=60.0, worth_nano_usd=0.0, explored=0.0, audited=0.3)
    (total, _) = savings(item.entry for item in simulate(800, 1, dear))
    assert total.saved.high < 0
    assert total.share.high < 0


def test_without_audits_and_without_chance_savings_are_unknown() -> None:
    blind = Traffic(audited=0.0, explored=0.0)
    (total, _) = savings(item.entry for item in simulate(800, 1, blind))
    assert (total.reference, total.saved, total.share) == (None, None, None)
    assert total.unknown.startswith("no_audits: ")
    assert total.billed > 0


def test_other_kinds_of_cost_are_compared_in_their_own_unit() -> None:
    items = [item.entry for item in simulate(800, 1, Traffic(audited=0.5))]
    money, tokens = (savings(items, kind)[0] for kind in ("nano_usd", "completion_tokens"))
    assert tokens.saved.value == pytest.approx(money.saved.value / 2_000, rel=0.01)
    with pytest.raises(BadRequest, match="there is no cost 'dollars'"):
        savings(items, "dollars")


@pytest.mark.parametrize(
    ("policy", "traffic", "reason"),
    [
        ("arm:small", Traffic(explored=0.0, worth_nano_usd=1e12), "no_support"),
        ("uniform", Traffic(explored=0.0, audited=0.5), "no_support"),
        ("arm:other", Traffic(), "no_choice"),
        ("reference", Traffic(explored=0.0, audited=0.01, worth_nano_usd=0.0), "too_few"),
    ],
)
def test_what_nothing_supports_is_unknown(policy: str, traffic: Traffic, reason: str) -> None:
    found = replay((item.entry for item in simulate(500, 1, traffic)), parse_target(policy))
    for measured in (found.cost, found.quality):
        assert measured.best is None
        assert measured.unknown.startswith(f"{reason}: ")


def test_an_arm_that_chance_never_takes_is_found_by_its_weights() -> None:
    """Half of all choices go to an arm that the logging policy never takes, though no propensity is 1."""
    entries = [
        Entry(f"r{n}", n, "query", Decision(arm, "r", "v", propensity=0.5), billed=Settled(arm, Cost.zero(), True))
        for n, arm in enumerate("ab" * 200)
    ]
    found = replay(entries, lambda entry: {"a": 0.5, "c": 0.5})
    assert found.cost.unknown.startswith("no_support: 50.0%")


def test_nothing_logged_and_nothing_settled_are_unknown() -> None:
    assert replay([], parse_target("reference")).cost.unknown.startswith("no_requests")
    (item,) = simulate(1, 1)
    found = replay([replace(item.entry, billed=None)], parse_target("reference"))
    assert (found.num_requests, found.num_unsettled) == (0, 1)
    assert found.cost.unknown.startswith("no_requests")


def test_without_forecasts_the_reference_is_still_estimated_from_audits() -> None:
    items = [item.entry for item in simulate(1_000, 1, Traffic(audited=0.4))]
    bare = [replace(entry, decision=replace(entry.decision, forecasts=())) for entry in items]
    found = replay(bare, parse_target("reference"))
    assert found.cost.doubly_robust is None
    assert found.cost.best == found.cost.self_normalised is not None
    assert replay(bare, parse_target("cheapest")).cost.unknown.startswith("no_choice")


def test_answers_whose_correctness_nobody_knows_are_left_out_of_quality() -> None:
    items = list(simulate(3_000, 1, Traffic(audited=0.5)))
    entries = []
    for number, item in enumerate(items):
        entry = item.entry
        if number % 3 == 0:
            audit = entry.audit and replace(entry.audit, correct=None)
            entry = replace(entry, billed=replace(entry.billed, correct=None), audit=audit)
        entries.append(entry)
    target = parse_target("reference")
    _, quality = truth(items, target)
    found = replay(entries, target)
    assert found.quality.best.low <= quality <= found.quality.best.high
    assert found.quality.effective < found.cost.effective
    none = [replace(e, billed=replace(e.billed, correct=None), audit=None) for e in entries]
    assert replay(none, target).billed_quality is None


def test_all_right_is_not_proof_of_always_right() -> None:
    entries = [
        replace(item.entry, audit=replace(item.answers[REFERENCE], correct=True), decision=audited(item))
        for item in simulate(60, 1, Traffic(worth_nano_usd=0.0, explored=0.0, audited=1.0))
    ]
    found = replay(entries, parse_target("reference")).quality.self_normalised
    assert found.value == 1.0
    assert found.low < 0.97


def audited(item: Simulated) -> Decision:
    return replace(item.entry.decision, is_audited=True)


def test_policies_choose_by_what_was_forecast() -> None:
    (item,) = simulate(1, 3)
    entry = item.entry
    chosen: Callable[[str], Mapping[str, float] | None] = lambda text: parse_target(text)(entry)  # noqa: E731
    assert chosen("reference") == {"large": 1.0}
    assert chosen("cheapest") == chosen("price:0") == {"small": 1.0}
    assert chosen("price:1000") == {"large": 1.0}
    assert chosen("arm:middle") == {"middle": 1.0}
    assert chosen("arm:other") is None
    assert chosen("uniform") == dict.fromkeys(("small", "middle", "large"), 1 / 3)
    assert parse_target("reference")(replace(entry, reference=None)) is None


@pytest.mark.parametrize("text", ["", "best", "arm:", "price:", "price:much", "price:-1", "price:nan", "cheapest:2"])
def test_other_policies_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="expected") as caught:
        parse_target(text)
    assert caught.value.code == "unknown_policy"


def test_what_was_missed_is_billed_and_never_the_reference_s() -> None:
    """A reader that is asked before every answer makes savings so much smaller, whoever answered."""
    plain = [item.entry for item in simulate(400, 3, SIMPLE)]
    more = Cost(0, 0, 7, 0, 0.0)
    asked = [replace(one, billed=one.billed and replace(one.billed, missed=more)) for one in plain]
    (before, *_), (after, *_) = savings(plain), savings(asked)
    assert after.reference == before.reference
    assert after.billed == pytest.approx(before.billed + 7 * before.num_requests)
    assert before.saved is not None
    assert after.saved is not None
    assert after.saved.value == pytest.approx(before.saved.value - 7 * before.num_requests)
