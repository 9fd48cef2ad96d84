"""Why a request goes where it goes: what of its text is unusual, how hard it is forecast to be, and for which arms.

Axes: A arms, J shared directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.query.embedding import extra_of
from pointsman.query.features import features_of
from pointsman.query.outcomes import Floats
from pointsman.query.policy import Certificate, Choice, Policy, Wish
from pointsman.query.storing import StoredPolicy
from pointsman.query.surface import SURFACE

__all__ = ["ArmForecast", "Explanation", "Move", "Unusual", "explain"]

_NUM_UNUSUAL, _FEWEST_DEVIATIONS = 5, 1.0
_NUM_MOVES = 3
_MOVED = 0.01
"""What is smaller does not count as moved."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """A surface feature far from the fitted requests' mean: `what` it is, and by how many standard deviations."""

    what: str
    deviations: float


@dataclass(frozen=True, slots=True)
class Move:
    """What one shared direction does to the forecasts.

    Attributes:
        coordinate: of the request along it; 0 is a request about which nothing is known.
        raised, lowered: shares of the arms that it moves by a point or more.
        most: the arm that it moves most, and `by` how much of its chance to be right.
    """

    direction: int
    coordinate: float
    raised: float
    lowered: float
    most: str
    by: float


@dataclass(frozen=True, slots=True)
class ArmForecast:
    """Of one arm: chance to be right, cost in the policy's kind, and what is known of forecasts like this one.

    `low` and `high` hold, with 90 % confidence, the share that was right of `num_similar` fitted rows whose held-out
    forecasts were most similar. None where the arm joined later. It is of such rows on average, not of this request.
    """

    arm: str
    right: float
    cost: float
    low: float | None
    high: float | None
    num_similar: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Attributes: `choice` of the policy and `sentence` why; `prompt_tokens` (A,) as they were estimated, or none."""

    choice: Choice
    sentence: str
    arms: tuple[ArmForecast, ...]
    unusual: tuple[Unusual, ...]
    moves: tuple[Move, ...]
    prompt_tokens: tuple[float, ...] | None
    certificate: Certificate | None
    version: str


def explain(stored: StoredPolicy, text: str, wish: Wish) -> Explanation:
    """Of one request. Raises as `Policy.decide`, and ValueError where prompt tokens are needed and not estimated."""
    policy, fitted = stored.policy, stored.policy.server.fitted
    lengths = None if stored.prompts is None else stored.prompts.estimate(text)
    tokens = np.full(len(policy.arms), np.nan) if lengths is None else lengths
    choice = policy.decide(text, tokens, wish)
    features = features_of([text], extra_of(policy.embedder, [text]))
    along = fitted.along(features)[0][0]
    return Explanation(
        choice=choice,
        sentence=_sentence(policy, choice, wish),
        arms=tuple(_forecast(stored, number, quote.right, quote.cost) for number, quote in enumerate(choice.quotes)),
        unusual=_unusual(
            (features.surface[0] - fitted.space.center[: len(SURFACE)]) / fitted.space.scale[: len(SURFACE)]
        ),
        moves=_moves(along, fitted.right.directions, policy.arms),
        prompt_tokens=None if lengths is None else tuple(float(each) for each in lengths),
        certificate=policy.certificate,
        version=policy.version,
    )


def _forecast(stored: StoredPolicy, number: int, right: float, cost: float) -> ArmForecast:
    found = stored.seen.interval(number, right)
    low, high, count = (None, None, 0) if found is None else found
    return ArmForecast(stored.policy.arms[number], right, cost, low, high, count)


def _unusual(deviations: Floats) -> tuple[Unusual, ...]:
    furthest = np.argsort(-np.abs(deviations), kind="stable")[:_NUM_UNUSUAL]
    kept = [int(at) for at in furthest if abs(deviations[at]) >= _FEWEST_DEVIATIONS]
    return tuple(Unusual(_in_words(SURFACE[at]), float(deviations[at])) for at in kept)


def _in_words(name: str) -> str:
    if name.startswith("says_"):
        return f'how often it says "{name.removeprefix("says_").replace("_", " ")}"'
    if name.startswith("script_"):
        return f"share of {name.removeprefix('script_')} script"
    return _WORDS.get(name, name.replace("_", " "))


_WORDS = {
    "bytes": "length",
    "letters": "share of small letters",
    "digits": "share of digits",
    "upper": "share of capitals",
    "other": "share of signs",
    "longest_number": "digits of its longest number",
    "mean_digits": "digits of its numbers",
    "options": "options to choose among",
    "question_ends": "whether it ends with a question mark",
    "questions": "question marks",
    "stops": "full stops",
    "code": "words and signs of code",
    "distinct_words": "share of distinct words",
    "mean_word": "length of its words",
    "long_words": "share of long words",
}


def _moves(along: Floats, directions: Floats, arms: Sequence[str]) -> tuple[Move, ...]:
    moved = along[:, None] * directions.T  # (J, A)
    size = np.abs(moved).max(1)
    found = []
    for j in np.argsort(-size, kind="stable")[:_NUM_MOVES]:
        if size[j] < _MOVED:
            break
        most = int(np.abs(moved[j]).argmax())
        raised, lowered = (float((sign * moved[j] >= _MOVED).mean()) for sign in (1, -1))
        found.append(Move(int(j) + 1, float(along[j]), raised, lowered, arms[most], float(moved[j, most])))
    return tuple(found)


_WHY_STEPS = {
    "certified": "worth most under the certified setting, which keeps the promise over all requests, not for each",
    "within_max_cost": "most likely right of all that is forecast to cost no more than was allowed, at worst",
    "worth_its_price": "worth most: the price of a right answer times its chance, less all that is called",
}


def _sentence(policy: Policy, choice: Choice, wish: Wish) -> str:
    reference, certificate = policy.reference, policy.certificate
    if choice.steps is not None:
        return f"{choice.steps}; {_WHY_STEPS[choice.reason]}"
    if choice.reason == "certified" and certificate is not None:
        caution = certificate.setting.caution
        told = f"{choice.arm} is worth most under the certified setting (caution {caution:g})"
        return f"{told}, which keeps the promise over all requests, not for each"
    if choice.reason == "reference_without_certificate":
        return f"without a certificate the reference arm, {reference}, answers; make one with calibrate query"
    if choice.reason == "reference_above_certificate" and certificate is not None:
        promise = certificate.promise
        kept = f"a loss of {promise.loss:.4g} in points" if promise.loss else f"{promise.kept:.1%}"
        return f"{wish.quality:.1%} of the quality is asked for, {kept} is certified, so {reference} answers"
    if choice.reason == "reference_for_novel_request" and certificate is not None:
        novelty = f"its novelty, {choice.novelty:.2f}, is above {certificate.most_novel:g}"
        return f"{novelty}, so the reference arm, {reference}, answers"
    if choice.reason == "within_max_cost":
        return f"{choice.arm} is most likely right of the arms that are forecast to cost no more than was allowed"
    return f"{choice.arm} is worth most: the price of a right answer times its chance, less its cost"
