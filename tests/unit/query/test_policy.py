"""Which arm is taken, why, and what is refused."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest, OverBudget
from pointsman.query.certifying import Setting, choose
from pointsman.query.difficulty.serving import Server
from pointsman.query.forecasting import Forecasts
from pointsman.query.policy import Certificate, Policy, Quote, Wish
from pointsman.query.promise import Promise
from pointsman.query.sequences import Look, Sequences

ARMS = ("small", "middle", "large")
TOKENS = np.array([10.0, 10.0, 10.0])


@dataclass(frozen=True)
class Told:
    """A server that says what it was told."""

    right: tuple[float, ...] = (0.5, 0.8, 0.9)
    cost: tuple[float, ...] = (1.0, 4.0, 10.0)
    novelty: float = 0.0

    def forecast(self, text: str, prompt_tokens: np.ndarray, extra: object = None) -> Forecasts:
        assert prompt_tokens is TOKENS
        return Forecasts(np.array([self.right]), np.array([self.cost]), np.array([self.novelty]))


def certificate(promise: Promise | None = None, setting: Setting | None = None, **changes: object) -> Certificate:
    found = Certificate(
        promise or Promise.of_quality(0.95), setting or Setting(0.02, 0.0), 0.5, 0.1, 600, 0.4, ARMS, "sha256:0"
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def policy(certified: Certificate | None = None, reference: str = "large", **told: object) -> Policy:
    return Policy(ARMS, reference, "nano_usd", Told(**told), certified, "v1")  # type: ignore[arg-type]


def taken(found: Policy, wish: Wish | None = None, available: list[str] | None = None) -> tuple[str, str]:
    choice = found.decide("text", TOKENS, wish or Wish(), available)
    return choice.arm, choice.reason


def test_without_a_certificate_the_reference_answers() -> None:
    assert taken(policy()) == ("large", "reference_without_certificate")
    assert taken(policy(reference="middle")) == ("middle", "reference_without_certificate")
    assert taken(policy(), Wish(quality=0.1)) == ("large", "reference_without_certificate")


def test_with_a_certificate_its_setting_decides() -> None:
    assert taken(policy(certificate())) == ("middle", "certified")  # 0.8 - 0.08 against 0.9 - 0.2
    assert taken(policy(certificate(setting=Setting(0.2, 0.0)))) == ("small", "certified")
    assert taken(policy(certificate(setting=Setting(0.02, 0.2)))) == ("large", "certified")
    assert taken(policy(certificate(setting=Setting(math.inf, 0.0)))) == ("small", "certified")


@pytest.mark.parametrize(
    ("quality", "reason"),
    [
        (0.5, "certified"),
        (0.95, "certified"),
        (0.951, "reference_above_certificate"),
        (1.0, "reference_above_certificate"),
    ],
)
def test_a_certificate_is_used_for_as_much_as_it_promises(quality: float, reason: str) -> None:
    assert taken(policy(certificate()), Wish(quality=quality))[1] == reason


def test_a_promise_in_points_says_nothing_of_a_share() -> None:
    """A reference arm that is right in half of all requests keeps 98 % if it loses a point, not 99 %."""
    in_points = policy(certificate(Promise(0.01)))
    assert taken(in_points)[1] == "certified"
    assert taken(in_points, Wish(quality=0.99)) == ("large", "reference_above_certificate")


def test_a_novel_request_goes_to_the_reference() -> None:
    assert taken(policy(certificate(), novelty=0.5))[1] == "certified"
    assert taken(policy(certificate(), novelty=0.51)) == ("large", "reference_for_novel_request")
    assert taken(policy(certificate(), novelty=1.0), Wish(max_cost=5.0)) == ("middle", "within_max_cost")


@pytest.mark.parametrize(
    ("most", "arm"), [(1.0, "small"), (3.9, "small"), (4.0, "middle"), (10.0, "large"), (1e9, "large")]
)
def test_the_most_likely_arm_within_the_cost_is_taken(most: float, arm: str) -> None:
    assert taken(policy(), Wish(max_cost=most)) == (arm, "within_max_cost")


def test_a_cheaper_arm_may_be_the_most_likely_one() -> None:
    assert taken(policy(right=(0.5, 0.95, 0.9)), Wish(max_cost=99.0)) == ("middle", "within_max_cost")


def test_more_that_helps_nobody_is_not_bought() -> None:
    """Budgets that do not help are forecast alike, and the dear one may stand in front."""
    equal = policy(right=(0.8, 0.8, 0.7), cost=(9.0, 4.0, 1.0))
    assert taken(equal, Wish(max_cost=99.0)) == ("middle", "within_max_cost")
    dial = policy(certificate(setting=Setting(0.0, 0.0)), right=(0.9, 0.9, 0.7), cost=(9.0, 4.0, 1.0))
    assert taken(dial) == ("middle", "certified")


def test_a_cost_below_every_arm_is_refused_with_the_least() -> None:
    with pytest.raises(
        OverBudget, match=r"no arm is forecast to cost 0\.5 nano_usd or less; the least is 1$"
    ) as caught:
        policy().decide("text", TOKENS, Wish(max_cost=0.5))
    assert caught.value.code == "max_cost_too_low"
    with pytest.raises(OverBudget, match=r"the least is 4$"):
        policy().decide("text", TOKENS, Wish(max_cost=2.0), ["middle", "large"])


@pytest.mark.parametrize(
    ("price", "arm"), [(1.0, "small"), (9.0, "small"), (11.0, "middle"), (59.0, "middle"), (61.0, "large")]
)
def test_the_arm_of_most_worth_less_cost_is_taken(price: float, arm: str) -> None:
    """The middle arm adds 0.3 for 3, the large one 0.1 for 6."""
    assert taken(policy(), Wish(price=price)) == (arm, "worth_its_price")


WISHES = {
    "certified": Wish(),
    "within_max_cost": Wish(max_cost=1e12),
    "worth_its_price": Wish(price=1e6),
}


@pytest.mark.parametrize("reason", WISHES)
@pytest.mark.parametrize("right", [(0.5, 0.99, 0.9), (0.99, 0.99, 0.9), (-0.5, 1.5, 0.9)])
def test_an_arm_that_does_not_run_is_never_taken(reason: str, right: tuple[float, ...]) -> None:
    found = policy(certificate(), right=right)
    assert taken(found, WISHES[reason], ["large"]) == ("large", reason)
    arm, why = taken(found, WISHES[reason], ["small", "large"])
    assert (arm in ("small", "large"), why) == (True, reason)
    assert taken(found, WISHES[reason], list(ARMS)) == taken(found, WISHES[reason])


def test_the_cheapest_arm_that_runs_is_taken_where_only_cost_counts() -> None:
    found = policy(certificate(setting=Setting(math.inf, 0.0)))
    assert taken(found, None, ["middle", "large"]) == ("middle", "certified")


@pytest.mark.parametrize("wish", [Wish(), Wish(max_cost=5.0), Wish(price=1.0), Wish(quality=0.5)])
def test_the_reference_must_run(wish: Wish) -> None:
    with pytest.raises(BadRequest, match="reference arm 'large' does not run") as caught:
        policy(certificate()).decide("text", TOKENS, wish, ["small", "middle"])
    assert caught.value.code == "reference_unavailable"


def test_a_choice_says_what_it_was_chosen_from() -> None:
    choice = policy(right=(-0.1, 0.8, 1.2), novelty=0.25).decide("text", TOKENS, Wish(), ["large"])
    assert choice.quotes == (Quote("small", 0.0, 1.0), Quote("middle", 0.8, 4.0), Quote("large", 1.0, 10.0))
    assert choice.novelty == 0.25


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(({"quality": value}, f"quality is {value!r}; expected") for value in (0.0, 1.01, -1.0, math.nan, math.inf)),
        *(({"max_cost": value}, f"max_cost is {value!r}; expected") for value in (0.0, -1.0, math.nan, math.inf)),
        *(({"price": value}, f"price is {value!r}; expected") for value in (0.0, -1.0, math.nan, math.inf)),
        ({"quality": 0.9, "price": 1.0}, "quality and price are given; expected one of them"),
        ({"quality": 0.9, "max_cost": 1.0, "price": 1.0}, "quality and max_cost and price are given"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Wish(**wrong)
    assert caught.value.code == "invalid_parameter"
    assert said in caught.value.message


def test_a_certificate_of_other_arms_is_refused() -> None:
    for arms in (("small", "large"), ("middle", "small", "large")):
        with pytest.raises(BadRequest, match="calibrate again") as caught:
            policy(certificate(arms=arms))
        assert caught.value.code == "other_certificate"
        assert ", ".join(arms) in caught.value.message


def test_a_reference_that_is_no_arm_is_refused() -> None:
    with pytest.raises(BadRequest, match="'huge' is none of small, middle, large") as caught:
        policy(reference="huge")
    assert caught.value.code == "unknown_arm"


def test_what_was_learned_decides(learned) -> None:
    """One request at a time as all at once, with a server that has learned."""
    train, fitted, _ = learned
    outcomes = train.outcomes
    setting = Setting(2e-5, 0.05)
    made = Certificate(Promise.of_quality(0.9), setting, 1.0, 0.1, 600, 0.2, outcomes.names, "sha256:0")
    found = Policy(outcomes.names, "arm1", "nano_usd", Server.of(fitted), made, "v1")
    together = choose(fitted.forecast(train.features, outcomes.prompt_tokens), 1, setting)
    arms = [
        found.decide(text, tokens, Wish()).arm
        for text, tokens in zip(outcomes.texts[:60], outcomes.prompt_tokens, strict=False)
    ]
    assert arms == [outcomes.names[arm] for arm in together[:60]]
    assert set(arms) == {"arm0", "arm1"}


def discounted(found: Policy, discounts: tuple[float, ...], wish: Wish | None = None) -> tuple[str, str]:
    choice = found.decide("text", TOKENS, wish or Wish(), discounts=np.array(discounts))
    return choice.arm, choice.reason


def test_quotes_are_less_what_a_prompt_cache_saves_and_never_nothing() -> None:
    choice = policy(cost=(0.5, 4.0, 10.0)).decide("text", TOKENS, Wish(), discounts=np.array([3.0, 1.5, 20.0]))
    assert [quote.cost for quote in choice.quotes] == [0.5, 2.5, 1.0]


def test_wishes_take_every_arm_at_its_discounted_cost() -> None:
    within = Wish(max_cost=4.0)
    assert discounted(policy(), (0, 0, 5.9), within) == ("middle", "within_max_cost")
    assert discounted(policy(), (0, 0, 6.0), within) == ("large", "within_max_cost")
    assert discounted(policy(), (0, 3.0, 0), Wish(max_cost=1.0)) == ("middle", "within_max_cost")
    with pytest.raises(OverBudget, match=r"the least is 2\.5$"):
        policy(cost=(3.0, 4.0, 10.0)).decide("text", TOKENS, Wish(max_cost=2.0), discounts=np.array([0, 1.5, 0]))
    worth = Wish(price=20.0)  # 0.8 - 0.2 against 0.9 - 0.5 + 0.05 for every nano-dollar less
    assert discounted(policy(), (0, 0, 3.9), worth) == ("middle", "worth_its_price")
    assert discounted(policy(), (0, 0, 4.1), worth) == ("large", "worth_its_price")
    assert discounted(policy(), (0, 1.0, 4.1), worth) == ("middle", "worth_its_price")


@pytest.mark.parametrize(
    ("discounts", "taken"),
    [
        ((0, 0, 0), ("middle", "certified")),
        ((0, 0, 5.9), ("middle", "certified")),
        ((0, 0, 6.0), ("large", "reference_with_prompt_cache")),
        ((0, 1.0, 6.0), ("middle", "certified")),  # 3 against 4
        ((0, 1.0, 7.0), ("large", "reference_with_prompt_cache")),
        ((0, 3.0, 0), ("middle", "certified")),
        ((9.0, 0, 0), ("middle", "certified")),  # nobody else is taken for a cache
        ((9.0, 0, 9.0), ("large", "reference_with_prompt_cache")),
    ],
)
def test_under_a_certificate_only_the_reference_arm_is_taken_for_its_cache(
    discounts: tuple[float, ...], taken: tuple[str, str]
) -> None:
    """The setting takes the middle arm for 4, by costs without discounts; the reference arm is the large one for 10."""
    assert discounted(policy(certificate()), discounts) == taken


def test_what_is_bought_for_more_than_the_reference_arm_costs_stays() -> None:
    """The middle arm was not taken to save: 0.95 - 0.24 against 0.9 - 0.2, whatever the large one's cache saves."""
    dear = policy(certificate(), right=(0.5, 0.95, 0.9), cost=(1.0, 12.0, 10.0))
    assert discounted(dear, (0, 0, 9.0)) == ("middle", "certified")


def test_discounts_change_nothing_where_the_reference_arm_answers_anyway() -> None:
    discounts = (9.0, 9.0, 9.0)
    assert discounted(policy(), discounts) == ("large", "reference_without_certificate")
    assert discounted(policy(certificate()), discounts, Wish(quality=1.0)) == ("large", "reference_above_certificate")
    assert discounted(policy(certificate(), novelty=0.9), discounts) == ("large", "reference_for_novel_request")
    careful = policy(certificate(setting=Setting(0.02, 0.2)))
    assert discounted(careful, discounts) == ("large", "certified")


@given(cost=st.tuples(*[st.floats(1, 100)] * 3), saves=st.tuples(*[st.floats(0, 100)] * 3), price=st.floats(0.001, 0.1))
def test_a_certified_choice_stands_or_the_reference_arm_answers_for_less(
    cost: tuple[float, ...], saves: tuple[float, ...], price: float
) -> None:
    found = policy(certificate(setting=Setting(price, 0.0)), cost=cost)
    before = found.decide("text", TOKENS, Wish())
    after = found.decide("text", TOKENS, Wish(), discounts=np.array(saves))
    told = {quote.arm: quote.cost for quote in after.quotes}
    assert told == {arm: max(c - s, 1.0) for arm, c, s in zip(ARMS, cost, saves, strict=True)}
    turned = cost[2] > cost[ARMS.index(before.arm)] and told["large"] <= told[before.arm]
    assert after.arm == ("large" if turned else before.arm)
    assert after.reason == ("reference_with_prompt_cache" if turned else "certified")


@pytest.mark.parametrize(("saves", "answers"), [(0.0, "small first"), (7.9, "small first"), (8.0, "large")])
def test_a_look_is_left_out_where_the_reference_arm_s_cache_makes_up_for_it(saves: float, answers: str) -> None:
    """1 for the look and half of what the large arm costs, 10 less its discount."""
    moved = np.zeros((1, 2, 3, 2))
    moved[0, 0, 2, 0] = moved[0, 1, 0, 0] = 1.0
    sequences = Sequences((Look((0,)),), np.array([[0.5, 0.0]]), moved)
    certified = certificate(setting=Setting(0.001, 0.0, looks=True))
    looking = replace(policy(), certificate=certified, sequences=sequences)
    choice = looking.decide("text", TOKENS, Wish(), discounts=np.array([0.0, 0.0, saves]))
    if answers == "large":
        assert (choice.arm, choice.reason, choice.steps) == ("large", "reference_with_prompt_cache", None)
    else:
        assert choice.steps is not None
        assert (choice.steps.first, choice.reason) == (("small",), "certified")
        assert choice.steps.quote.cost == pytest.approx(1 + (10 - saves) / 2)
    wished = looking.decide("text", TOKENS, Wish(max_cost=6.0), discounts=np.array([0.0, 0.0, 5.0]))
    assert wished.steps is not None, "1 and 5 at worst"
    assert looking.decide("text", TOKENS, Wish(max_cost=6.0), discounts=np.array([0.0, 0.0, 4.9])).steps is None
