"""What a policy keeps of the rows that it was fitted on, beside the forecaster: enough to certify and to explain.

Forecasts of these rows were made by learners that had not seen them (the weights of the learners had). Requests are
kept as sha256 digests without a key, to refuse calibration on fitted rows: who has a text can tell whether it was
there, and a short text can be guessed.

Axes: N rows, A arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest
from pointsman.core.risk import mean_interval
from pointsman.query.folders import Arrays
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats, Ints, Outcomes, TableArm

__all__ = ["SeenRows", "digest_of"]

_BIN, _FEWEST, _MOST = 0.1, 30, 200
"""Share of the rows that count as similar, and at least and at most how many. Chosen."""

Digests = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SeenRows:
    """Attributes.

    right, nano_usd: (N, A) outcomes; of an arm that joined later its forecasts stand in, see `learning.grow_policy`.
    forecast_right, forecast_nano_usd: (N, A) held out.
    is_billed: (A,) whether an arm's outcomes are outcomes, and not forecasts that stand in.
    ids, texts: (any, 32) sha256 of what was fitted on; texts that the table does not keep are left out.
    answers, agreement: (N, A) as in `Outcomes`, for policies with sequences; None for others.
    """

    right: Floats
    nano_usd: Floats
    forecast_right: Floats
    forecast_nano_usd: Floats
    is_billed: NDArray[np.bool_]
    ids: Digests
    texts: Digests
    answers: Ints | None = None
    agreement: Floats | None = None

    @classmethod
    def of(cls, outcomes: Outcomes, held_out: Forecasts, *, with_answers: bool = False) -> SeenRows:
        """Of rows that all arms answered. `with_answers`: keeps what looks see, too."""
        ids, texts = _digests(outcomes.ids), _digests([text for text in outcomes.texts if text])
        billed = np.ones(len(outcomes.arms), dtype=bool)
        kept = (outcomes.answers, outcomes.agreement) if with_answers else (None, None)
        return cls(outcomes.right, outcomes.nano_usd, held_out.right, held_out.nano_usd, billed, ids, texts, *kept)

    @classmethod
    def read(cls, arrays: Arrays, num_arms: int, *, with_answers: bool = False) -> SeenRows:
        """Of a file. Raises BadRequest `bad_policy`."""
        right = arrays.take("right", "float64", None, num_arms)
        matrices = {name: arrays.take(name, "float64", *right.shape) for name in _MATRICES[1:]}
        ids, texts = (arrays.take(name, "uint8", None, 32) for name in ("ids", "texts"))
        found = cls(right, is_billed=arrays.take("is_billed", "bool", num_arms), ids=ids, texts=texts, **matrices)
        if not with_answers:
            return found
        agreement = arrays.take("agreement", "float64", *right.shape)
        answers = arrays.take("answers", "int64", *right.shape)
        return replace(found, answers=answers, agreement=np.where(agreement < 0, np.nan, agreement))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a file, where every number is finite: an agreement that is not known is -1 there."""
        found = {name: getattr(self, name) for name in (*_MATRICES, "is_billed", "ids", "texts")}
        if self.answers is None or self.agreement is None:
            return found
        return found | {"answers": self.answers, "agreement": np.nan_to_num(self.agreement, nan=-1.0)}

    def for_certify(self, names: Sequence[str]) -> tuple[Forecasts, Outcomes]:
        """What `certify` orders settings with."""
        count = len(self.right)
        unknown = np.full(self.right.shape, np.nan)
        outcomes = Outcomes(
            ids=tuple(map(str, range(count))),
            texts=("",) * count,
            tasks=("",) * count,
            arms=tuple(TableArm(name, name) for name in names),
            right=self.right,
            nano_usd=self.nano_usd,
            prompt_tokens=unknown,
            completion_tokens=unknown,
            answers=np.full(self.right.shape, -1) if self.answers is None else self.answers,
            agreement=unknown if self.agreement is None else self.agreement,
        )
        return Forecasts(self.forecast_right, self.forecast_nano_usd, np.zeros(count)), outcomes

    def overlapping(self, outcomes: Outcomes) -> list[str]:
        """Ids of the requests whose id or text was fitted on, in order."""
        ids, texts = ({row.tobytes() for row in digests} for digests in (self.ids, self.texts))
        return [
            name
            for name, text in zip(outcomes.ids, outcomes.texts, strict=True)
            if _digest(name) in ids or (text and _digest(text) in texts)
        ]

    def refuse_overlap(self, outcomes: Outcomes) -> None:
        """Raises BadRequest `calibration_overlaps`; says how many rows were fitted on, and the id of the first."""
        if overlapping := self.overlapping(outcomes):
            problem = f"{len(overlapping)} of {len(outcomes)} rows, first {overlapping[0]!r}, were fitted on"
            raise BadRequest(f"{problem}; expected other requests", code="calibration_overlaps", param="outcomes")

    def where(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) the row of each id, -1 where it is none of the N rows."""
        rows = {row.tobytes(): number for number, row in enumerate(self.ids[: len(self.right)])}
        return np.array([rows.get(_digest(name), -1) for name in ids], dtype=np.int64)

    def interval(self, arm: int, right: float, confidence: float = 0.9) -> tuple[float, float, int] | None:
        """Between which bounds the share right is of rows with the most similar held-out forecasts, and how many.

        None for an arm without outcomes of its own on these rows.
        """
        if not self.is_billed[arm] or not len(self.right):
            return None
        count = min(max(int(_BIN * len(self.right)), _FEWEST), _MOST, len(self.right))
        forecast = self.forecast_right[:, arm]
        near = np.argsort(np.abs(np.clip(forecast, 0, 1) - right), kind="stable")[:count]
        low, high = mean_interval(self.right[near, arm].tolist(), 0.0, 1.0, confidence)
        return low, high, count


_MATRICES = ("right", "nano_usd", "forecast_right", "forecast_nano_usd")


def digest_of(outcomes: Outcomes) -> str:
    """Sha256 of a table: its arms, ids, texts, outcomes and bills, and what took requests ahead of the arms."""
    found = sha256()
    for names in (outcomes.names, outcomes.ids, outcomes.texts):
        found.update(_digests(names).tobytes())
    for matrix in (outcomes.right, outcomes.nano_usd):
        found.update(np.ascontiguousarray(matrix).tobytes())
    if outcomes.taken is not None:
        found.update(_digests(outcomes.taken.by).tobytes())
        found.update(np.stack([outcomes.taken.right, outcomes.taken.nano_usd]).tobytes())
    return found.hexdigest()


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _digests(texts: Sequence[str]) -> Digests:
    found = np.frombuffer(b"".join(map(_digest, texts)), dtype=np.uint8)
    return found.reshape(-1, 32)
