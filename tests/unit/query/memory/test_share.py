"""The share of a budget: the replay against real runs of memory, and the cheapest of a grid."""

import random

import pytest

from pointsman.core import BadRequest
from pointsman.query.memory.share import GRID, Budget, Prices, Reference, ShareController, replayed_nano_usd
from pointsman.query.memory.traffic import asked, mixed

PRICES = Prices(0.01)
BUDGET = Budget(100_000, explored=0.0)


def zipf(num: int, num_keys: int, seed: int) -> list[Reference]:
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(num_keys)]
    picked = rng.choices(range(num_keys), weights, k=num)
    return [Reference(key.to_bytes(4, "big"), 3_000, 300_000, 0, False) for key in picked]


def test_nothing_kept_costs_every_call_and_everything_kept_only_new_ones() -> None:
    references = zipf(2_000, 300, 1)
    assert replayed_nano_usd(references, 0.0, BUDGET, PRICES) == 300_000
    seen = {one.key for one in references[:1_000]}
    new = 0
    for one in references[1_000:]:
        new += one.key not in seen
        seen.add(one.key)
    all_kept = replayed_nano_usd(references, 1.0, BUDGET, PRICES)
    assert all_kept == pytest.approx(300_000 * new / 1_000 + BUDGET.capacity_bytes(1.0, PRICES) * 0.01)


def test_audits_and_reading_cost() -> None:
    hits = [Reference(b"k", 1_000, 300_000, 50, True)] * 100
    budget = Budget(100_000, explored=0.5)
    audited = budget.audited(0.5, 300_000)
    assert audited == pytest.approx(25_000 / 300_000)
    kept = budget.capacity_bytes(0.5, PRICES) * 0.01
    cost = replayed_nano_usd(hits, 0.5, budget, Prices(0.01, 2.0))
    assert cost == pytest.approx(300_000 * audited + kept + 50 * 2.0)


def test_the_controller_takes_the_cheapest_of_its_grid() -> None:
    controller = ShareController(BUDGET, PRICES)
    assert controller.best() == 0.0
    for reference in zipf(4_000, 2_000, 2):
        controller.watch(reference)
    best = controller.best()
    assert 0 < best < 1
    costs = dict(controller.curve())
    assert costs[best] == min(costs.values())
    assert set(costs) == set(GRID)


def test_the_window_forgets() -> None:
    controller = ShareController(BUDGET, PRICES, window=1_000)
    for reference in zipf(1_000, 50, 3):
        controller.watch(reference)
    assert controller.best() > 0
    for number in range(1_000):  # nothing comes twice
        controller.watch(Reference(number.to_bytes(4, "little"), 3_000, 300_000, 0, False))
    assert controller.best() == 0.0


@pytest.mark.parametrize(("money", "explored"), [(0, 0.1), (10, 1.0)])
def test_budgets_that_cannot_be_are_refused(money: float, explored: float) -> None:
    with pytest.raises(BadRequest):
        Budget(money, explored)


def test_traffic_is_that_of_its_seed_and_its_texts_have_one_answer() -> None:
    first, again, other = (list(asked(mixed(2_000), seed)) for seed in (5, 5, 6))
    assert first == again != other
    answers: dict[str, str] = {}
    for one in first:
        if not one.is_timely:
            assert answers.setdefault(one.text, one.answer) == one.answer
    assert any(one.is_timely for one in first)
    assert len({one.meaning for one in first}) < len({one.text for one in first}) < 2_000
