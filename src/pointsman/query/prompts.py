"""How long a request's prompt will be for each arm, where nothing has counted it: a line over the text's bytes.

For the command line only; whoever has the arms' tokenizers counts. A chat's template makes the constant.
"""

from __future__ import annotations

import msgspec
import numpy as np

from pointsman.query.outcomes import Floats, Outcomes

__all__ = ["PromptLengths", "fit_prompt_lengths"]

_PARTS = 5


class PromptLengths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of A arms: tokens = `base` + `per_byte` * bytes; `error`: mean error on held-out rows, as a share of the mean."""

    base: list[float]
    per_byte: list[float]
    error: list[float]

    def estimate(self, text: str) -> Floats:
        """(A,) tokens."""
        return np.asarray(np.array(self.base) + np.array(self.per_byte) * _num_bytes(text))

    def plus(self, other: PromptLengths) -> PromptLengths:
        """With more arms behind."""
        return PromptLengths(self.base + other.base, self.per_byte + other.per_byte, self.error + other.error)


def fit_prompt_lengths(outcomes: Outcomes) -> PromptLengths | None:
    """From counted prompts; every fifth row tells the error. None where some are unknown."""
    tokens = outcomes.prompt_tokens
    if np.isnan(tokens).any() or not any(outcomes.texts):
        return None
    sizes = np.array([_num_bytes(text) for text in outcomes.texts], dtype=np.float64)
    is_kept = np.arange(len(sizes)) % _PARTS == 0
    part = _line(sizes[~is_kept], tokens[~is_kept])
    off = np.abs(part[0] + sizes[is_kept, None] * part[1] - tokens[is_kept]).mean(0)
    base, per_byte = _line(sizes, tokens)
    return PromptLengths(base.tolist(), per_byte.tolist(), (off / np.maximum(tokens.mean(0), 1e-9)).tolist())


def _line(sizes: Floats, tokens: Floats) -> tuple[Floats, Floats]:
    """(A,) constants and slopes by least squares; where one would be negative, a slope through the origin."""
    centered = sizes - sizes.mean()
    slope = centered @ tokens / max(float(centered @ centered), 1e-9)
    base = tokens.mean(0) - slope * sizes.mean()
    bad = (slope < 0) | (base < 0)
    origin = sizes @ tokens / max(float(sizes @ sizes), 1e-9)
    return np.where(bad, 0.0, base), np.where(bad, origin, slope)


def _num_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
