"""What holds for every rival."""

import numpy as np
import pytest

import pointsman.query.rivals as door
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.rivals import cascades, rivals

BLIND = {"best-single", "random-mixture"}
NAMES = sorted(rivals())


def forecast(name: str, train: Sample, test: Sample, seed: int = 0) -> Forecasts:
    return rivals()[name].fit(train, seed).forecast(test.features, test.outcomes.prompt_tokens)


def test_the_door_lists_what_is_public_in_order() -> None:
    assert list(door.__all__) == sorted(door.__all__)
    assert all(method.name == name for name, method in (rivals() | cascades()).items())


@pytest.mark.parametrize("name", sorted(set(NAMES) - BLIND))
def test_a_rival_finds_which_requests_the_cheap_arm_can_answer(name: str, made) -> None:
    test = made(200, seed=1)
    found = forecast(name, made(), test).right
    gain = found[:, 0] - found[:, 2]
    is_sum = np.array([text.startswith("What") for text in test.outcomes.texts])
    assert (gain[is_sum][:, None] > gain[~is_sum]).mean() > 0.97


@pytest.mark.parametrize("name", sorted(BLIND))
def test_what_reads_no_text_orders_arms_the_same_for_all(name: str, made) -> None:
    found = forecast(name, made(), made(50, seed=1)).right
    assert (found.argsort(1) == found.argsort(1)[0]).all()


@pytest.mark.parametrize("name", NAMES)
def test_order_of_rows_and_repetition_change_nothing(name: str, made) -> None:
    train, test = made(120), made(30, seed=1)
    turned = train.rows(np.random.default_rng(5).permutation(120))
    first, again, other = (forecast(name, each, test, seed=2) for each in (train, train, turned))
    assert np.array_equal(first.right, again.right)
    assert np.array_equal(first.right, other.right)
    assert np.array_equal(first.nano_usd, other.nano_usd)


def hostile(made, plain) -> dict[str, Sample]:
    whole = made(60)
    right, cost, texts = whole.outcomes.right, whole.outcomes.nano_usd, whole.outcomes.texts
    return {
        "forty rows": made(40),
        "two arms": whole.columns([0, 1]),
        "cheapest is strongest": whole.columns([1, 2]).rows(range(60)),
        "all right": plain(texts, np.ones_like(right), cost),
        "all wrong": plain(texts, np.zeros_like(right), cost),
        "one text": plain(["the same"] * 60, right, cost),
        "no text": plain([""] * 60, right, cost),
        "one cost": plain(texts, right, np.full_like(cost, 7.0)),
        "shares": plain(texts, np.round(np.random.default_rng(0).random(right.shape) * 3) / 3, cost),
    }


CASES = [
    *("forty rows", "two arms", "cheapest is strongest", "all right", "all wrong", "one text", "no text", "one cost"),
    "shares",
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_no_table_breaks_a_rival(name: str, case: str, made, plain) -> None:
    train = hostile(made, plain)[case]
    found = forecast(name, train, train)
    assert found.right.shape == found.nano_usd.shape == train.outcomes.right.shape
    assert np.isfinite(found.right).all()
    assert np.isfinite(found.nano_usd).all()
    assert (found.nano_usd > 0).all()
    assert found.novelty.shape == (len(train),)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", sorted(cascades()))
def test_no_table_breaks_a_cascade(name: str, case: str, made, plain) -> None:
    train = hostile(made, plain)[case]
    played = cascades()[name].fit(train, 0).play(train)
    assert played.dial.shape == played.nano_usd.shape == played.right.shape
    assert (np.diff(played.dial) > 0).all()
    assert ((played.right >= 0) & (played.right <= 1)).all()
    assert (played.nano_usd > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_requests_unlike_all_others_and_unknown_tokens_are_forecast(name: str, made, plain) -> None:
    strange = plain(["", "\N{SNOWMAN}" * 9, "0"], np.zeros((3, 3)), np.ones((3, 3)))
    found = forecast(name, made(100), strange)
    assert np.isfinite(found.right).all()
    assert (found.nano_usd > 0).all()


def test_an_embedding_replaces_text_where_features_have_one(made, plain) -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 200)
    sample = plain(
        ["the same"] * 200, np.column_stack([kind, np.ones(200)]).astype(float), np.tile([1.0, 5.0], (200, 1))
    )
    extra = rng.normal(size=(200, 8)).astype(np.float32)
    extra[:, 0] += 4 * kind
    told = Sample(sample.outcomes, type(sample.features)(sample.features.ngrams, sample.features.surface, extra))
    found = forecast("r2-router", told, told).right[:, 0]
    assert found[kind == 1].mean() > found[kind == 0].mean() + 0.5
