"""What an arm will cost: prompt tokens are counted, the length of the answer is predicted.

Each arm's price of a prompt token and of a completion token is recovered from what was billed. Where the two explain
the bills to within `_EXACT`, costs are tokens times prices; otherwise the bill itself is predicted, as a logarithm.
The prompt of an arm is known before the call, so its tokens may be given; where they are not, the bill is predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pointsman.core import BadRequest
from pointsman.query.outcomes import Floats, Outcomes

__all__ = ["Prices", "fit_prices"]

_EXACT = 0.02
"""Mean error of the bills that list prices explain, as a share; rounding alone gives up to 0.01."""

_EMPTY = 0.5  # tokens added, since an answer may be empty


@dataclass(frozen=True, slots=True)
class Prices:
    """Of A arms.

    Attributes:
        per_prompt_token, per_completion_token, per_request: (A,) nano-dollars.
        is_by_token: whether these explain the bills of every arm.
        correction: (A,) means of exponentials over exponentials of means: what a logarithm hides.
    """

    per_prompt_token: Floats
    per_completion_token: Floats
    per_request: Floats
    is_by_token: bool
    correction: Floats

    def targets(self, outcomes: Outcomes) -> Floats:
        """(N, A) logarithms to predict: of completion tokens, or of nano-dollars."""
        return np.asarray(
            np.log(outcomes.completion_tokens + _EMPTY) if self.is_by_token else np.log(outcomes.nano_usd)
        )

    def corrected(self, predicted: Floats, outcomes: Outcomes) -> Prices:
        """With the correction that makes held-out predictions (N, A) right on average."""
        wanted = outcomes.completion_tokens + _EMPTY if self.is_by_token else outcomes.nano_usd
        correction = wanted.mean(0) / np.exp(predicted).mean(0)
        return Prices(self.per_prompt_token, self.per_completion_token, self.per_request, self.is_by_token, correction)

    def nano_usd(self, predicted: Floats, prompt_tokens: Floats) -> Floats:
        """(N, A) expected costs of predicted logarithms.

        Raises:
            BadRequest: `unknown_prompt_tokens` for prompt tokens that are NaN, where prices are by token.
        """
        expected = np.exp(predicted) * self.correction
        if not self.is_by_token:
            return np.asarray(expected)
        if np.isnan(prompt_tokens).any():
            problem = f"the prompt tokens of {int(np.isnan(prompt_tokens).any(1).sum())} requests are unknown"
            wanted = "expected input_tokens of every arm, since these arms' prices are by token"
            raise BadRequest(f"{problem}; {wanted}", code="unknown_prompt_tokens", param="input_tokens")
        written = np.maximum(expected - _EMPTY, 0.0)
        read = prompt_tokens * self.per_prompt_token
        return np.asarray(np.maximum(read + written * self.per_completion_token + self.per_request, 1.0))


def fit_prices(outcomes: Outcomes) -> Prices:
    """The prices behind (N, A) bills."""
    num_arms = len(outcomes.arms)
    found = np.zeros((3, num_arms))
    is_by_token = not (np.isnan(outcomes.prompt_tokens).any() or np.isnan(outcomes.completion_tokens).any())
    for arm in range(num_arms if is_by_token else 0):
        tokens = np.stack(
            [outcomes.prompt_tokens[:, arm], outcomes.completion_tokens[:, arm], np.ones(len(outcomes))], 1
        )
        scale = np.maximum(np.abs(tokens).mean(0), 1e-9)
        found[:, arm] = nnls(tokens / scale, outcomes.nano_usd[:, arm])[0] / scale
        error = np.abs(tokens @ found[:, arm] - outcomes.nano_usd[:, arm]).mean()
        is_by_token = is_by_token and bool(error <= _EXACT * outcomes.nano_usd[:, arm].mean())
    return Prices(found[0], found[1], found[2], is_by_token, np.ones(num_arms))
