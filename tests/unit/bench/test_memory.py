"""What the bench of memory counts, on a little traffic."""

import pytest

from pointsman.bench.memory import _check_nearest
from pointsman.bench.memory_runs import BUDGET, DELTA, PRICES, RIVALS, run_policy, run_share
from pointsman.core import Unverified
from pointsman.query.memory import Settings, ShareController
from pointsman.query.memory.nearest import Rows
from pointsman.query.memory.traffic import asked, mixed


@pytest.mark.parametrize("policy", [None, *RIVALS])
def test_every_request_is_counted_once(policy: str | None) -> None:
    requests = list(asked(mixed(400), 1))
    ran = run_policy(requests, Settings(delta=DELTA, seed=0), RIVALS[policy] if policy else None)
    assert sum(ran.reasons.values()) == ran.num_requests == 400
    assert ran.wrong_hits <= ran.hits
    assert 0 < ran.possible < 400
    assert 0 < ran.call_nano_usd < sum(one.cost.nano_usd for one in requests)


def test_a_share_of_nothing_costs_every_call() -> None:
    requests = list(asked(mixed(400), 1))
    none = run_share(requests, 0.0)
    assert none.hit_rate == 0
    assert none.nano_usd == sum(one.cost.nano_usd for one in requests[200:]) / 200


def test_the_controller_watches_the_first_half() -> None:
    controller = ShareController(BUDGET, PRICES)
    some = run_share(list(asked(mixed(600), 1)), 1.0, controller)
    assert some.hit_rate > 0.1
    assert 250 < len(controller._references) <= 300  # those about now are refused
    assert controller.best() > 0


def test_an_index_that_disagrees_with_a_plain_loop_ends_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    _check_nearest(3)
    monkeypatch.setattr(Rows, "nearest", lambda *_: [(1, 0.123)])
    with pytest.raises(Unverified, match="the index says") as raised:
        _check_nearest(3)
    assert raised.value.code == "wrong_answer"
