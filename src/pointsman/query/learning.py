"""From outcome tables to a policy that can be stored: fitted, joined by new arms, calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.core import BadRequest
from pointsman.query.adopting import fit_sequences
from pointsman.query.certifying import Certified, certify
from pointsman.query.difficulty.growing import coordinates_of, with_arm
from pointsman.query.difficulty.joint import Joint, JointForecaster
from pointsman.query.embedding import Embedder, extra_of
from pointsman.query.features import features_of
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.outcomes import Floats, Outcomes
from pointsman.query.policy import Certificate, Kind
from pointsman.query.promise import Promise
from pointsman.query.prompts import PromptLengths, fit_prompt_lengths
from pointsman.query.seen import SeenRows, digest_of
from pointsman.query.sequences import Sequences
from pointsman.query.shift import usual_novelty
from pointsman.query.storing import Origin, StoredPolicy, policy_of

__all__ = [
    "Calibration",
    "best_reachable",
    "calibrate_policy",
    "certificate_of",
    "fit_policy",
    "forecasts_of",
    "grow_policy",
    "told",
]

_STEPS = 8
"""Of the bisection for the best reachable quality: to within 0.002."""

_LEAST_QUALITY = 0.5


def fit_policy(
    outcomes: Outcomes,
    reference: str | None = None,
    seed: int = 0,
    kind: Kind = "nano_usd",
    embedder: Embedder | None = None,
) -> StoredPolicy:
    """A policy without a certificate, fitted on all rows that are left for arms.

    Args:
        outcomes: with costs of that kind.
        reference: the arm most often right where None.
        seed: of learning.
        kind: of costs.
        embedder: of texts, whose vectors are learned from too.

    It has sequences where looks pay on rows that they were not learned on (`fit_sequences`), by held-out forecasts.

    Raises BadRequest: `unknown_arm`; `no_texts` where the table does not keep its requests' texts.
    """
    outcomes = outcomes.left_for_arms()
    chosen = outcomes.names[outcomes.strongest if reference is None else outcomes.index(reference)]
    sample = _sample(outcomes, embedder)
    with threadpool_limits(1):  # a fit is of many small products, for which threads wait longer than they compute
        fitted, held_out = Joint().fit_held_out(sample, seed)
    origin = Origin(digest_of(outcomes), len(outcomes), seed)
    found = fit_sequences(held_out, outcomes, seed)
    sequences = found if found.looks else None
    policy = policy_of(outcomes.names, chosen, fitted, kind=kind, sequences=sequences, embedder=embedder)
    seen = SeenRows.of(outcomes, held_out, with_answers=sequences is not None)
    return StoredPolicy(policy, origin, seen, fit_prompt_lengths(outcomes))


def grow_policy(stored: StoredPolicy, outcomes: Outcomes, seed: int = 0) -> StoredPolicy:
    """The policy with one more arm, which `outcomes` are of, and without a certificate.

    On rows that the new arm has not answered, draws from its forecasts stand in for its outcomes. They only order the
    settings that calibration tests; what is certified comes from calibration rows that all arms have answered. What
    looks teach of the new arm is not known, so sequences are left out until all is fitted anew.

    Raises BadRequest as `with_arm`; `arm_exists`; `no_texts`.
    """
    policy, name = stored.policy, outcomes.names[0]
    if name in policy.arms:
        problem = f"the policy has an arm {name!r} already; expected the outcomes of another"
        raise BadRequest(problem, code="arm_exists", param="outcomes")
    fitted, seen = policy.server.fitted, stored.seen
    rows = seen.where(outcomes.ids)
    along = coordinates_of(fitted, seen.forecast_right)
    grown = with_arm(fitted, _sample(outcomes, policy.embedder))
    return StoredPolicy(
        policy_of((*policy.arms, name), policy.reference, grown, kind=policy.kind, embedder=policy.embedder),
        msgspec.structs.replace(stored.origin, joined=[*stored.origin.joined, name]),
        _seen_with(seen, grown, along, rows, outcomes, seed),
        _prompts_with(stored.prompts, outcomes),
    )


def _seen_with(
    seen: SeenRows, grown: JointForecaster, along: Floats, rows: np.ndarray, outcomes: Outcomes, seed: int
) -> SeenRows:
    right = grown.right.mean[-1] + along @ grown.right.directions[-1]
    cost = np.full(len(right), float(outcomes.nano_usd.mean()))
    drawn = (np.random.default_rng(seed).random(len(right)) < right).astype(np.float64)
    known, billed = rows >= 0, cost.copy()
    drawn[rows[known]], billed[rows[known]] = outcomes.right[known, 0], outcomes.nano_usd[known, 0]
    own = SeenRows.of(outcomes, Forecasts(outcomes.right, outcomes.nano_usd, np.zeros(len(outcomes))))
    return SeenRows(
        right=np.column_stack([seen.right, drawn]),
        nano_usd=np.column_stack([seen.nano_usd, billed]),
        forecast_right=np.column_stack([seen.forecast_right, right]),
        forecast_nano_usd=np.column_stack([seen.forecast_nano_usd, cost]),
        is_billed=np.append(seen.is_billed, False),
        ids=np.vstack([seen.ids, own.ids]),
        texts=np.vstack([seen.texts, own.texts]),
    )


def _prompts_with(prompts: PromptLengths | None, outcomes: Outcomes) -> PromptLengths | None:
    own = fit_prompt_lengths(outcomes)
    return None if prompts is None or own is None else prompts.plus(own)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What became of it.

    Attributes:
        certified: the setting, or none.
        certificate: None where nothing that saves passed.
        num_untold: rows that do not tell what the policy's looks see; with any, no setting takes looks.
    """

    certified: Certified
    certificate: Certificate | None
    num_untold: int = 0


def calibrate_policy(
    stored: StoredPolicy, outcomes: Outcomes, promise: Promise, most_novel: float = 1.0
) -> Calibration:
    """A certificate from rows that the policy was not fitted on; arms of `outcomes` as the policy's.

    Raises BadRequest: `calibration_overlaps`; `too_few_rows`; `no_texts`; `prompt_tokens_unknown`.
    """
    policy = stored.policy
    stored.seen.refuse_overlap(outcomes)
    forecasts = forecasts_of(policy.server.fitted, outcomes, policy.embedder)
    reference = policy.arms.index(policy.reference)
    sequences, num_untold = told(policy.sequences, outcomes)
    held_out = stored.seen.for_certify(policy.arms)
    found = certify(held_out, (forecasts, outcomes), reference, promise, most_novel, sequences)
    return Calibration(found, certificate_of(found, (forecasts, outcomes), promise, most_novel), num_untold)


def certificate_of(
    found: Certified, calibration: tuple[Forecasts, Outcomes], promise: Promise, most_novel: float = 1.0
) -> Certificate | None:
    """What `certify` found on these rows, as a certificate; None where nothing that saves passed."""
    if found.setting is None:
        return None
    forecasts, outcomes = calibration
    left = np.ones(len(outcomes), dtype=bool) if outcomes.taken is None else ~outcomes.taken.is_taken
    usual = usual_novelty(forecasts.novelty[left], most_novel)
    return Certificate(
        *(promise, found.setting, most_novel, usual, len(outcomes), found.saving, outcomes.names),
        *(digest_of(outcomes), int((~left).sum())),
    )


def told(sequences: Sequences | None, outcomes: Outcomes) -> tuple[Sequences | None, int]:
    """Sequences where every row tells what their looks see, and how many rows do not: what is not told is no proof."""
    if sequences is None:
        return None, 0
    num_untold = int((sequences.seen(outcomes) < 0).any(1).sum())
    return (None if num_untold else sequences), num_untold


def best_reachable(stored: StoredPolicy, outcomes: Outcomes, promise: Promise, most_novel: float = 1.0) -> float | None:
    """The largest share of the reference arm's quality that these rows certify; None where not even half.

    Found by looking at the rows again and again, so it is no promise: to promise it takes other rows.
    """
    policy = stored.policy
    forecasts = forecasts_of(policy.server.fitted, outcomes, policy.embedder)
    held_out, reference = stored.seen.for_certify(policy.arms), policy.arms.index(policy.reference)
    sequences, _ = told(policy.sequences, outcomes)

    def passes(kept: float) -> bool:
        try:
            wanted = replace(promise, loss=0.0, kept=kept)
            found = certify(held_out, (forecasts, outcomes), reference, wanted, most_novel, sequences)
        except BadRequest:  # too few rows for so much
            return False
        return found.setting is not None

    low, high = _LEAST_QUALITY, min(promise.kept - promise.loss, 0.9999)
    if not passes(low):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def forecasts_of(fitted: JointForecaster, outcomes: Outcomes, embedder: Embedder | None = None) -> Forecasts:
    """Of a table's requests. Raises BadRequest: `no_texts`; `prompt_tokens_unknown` where prices are by token."""
    if fitted.prices.is_by_token and np.isnan(outcomes.prompt_tokens).any():
        problem = "prices of this policy are by token, and the table lacks input_tokens of some outcomes"
        raise BadRequest(problem, code="prompt_tokens_unknown", param="outcomes")
    return fitted.forecast(_sample(outcomes, embedder).features, outcomes.prompt_tokens)


def _sample(outcomes: Outcomes, embedder: Embedder | None) -> Sample:
    missing = sum(not text for text in outcomes.texts)
    if missing:
        problem = f"{missing} of {len(outcomes)} rows have no prompt; expected the text of each request"
        raise BadRequest(problem, code="no_texts", param="prompt")
    return Sample(outcomes, features_of(outcomes.texts, extra_of(embedder, outcomes.texts)))
