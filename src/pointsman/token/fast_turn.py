"""The small model's turn by `kernels.write`: the fast twin of the loop in `PairBatch`.

Taken for greedy texts on a CPU, of a small model whose blocks one core reads, with the scorers and stop rules that ship
here. Everything else takes the loop, and so does whoever listens to judged spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

import numpy as np

from pointsman.engine import Session, TextRows, Traffic
from pointsman.engine.step import FewTokens
from pointsman.token.fast_gate import gate_arrays
from pointsman.token.gate import Gate
from pointsman.token.method import Method
from pointsman.token.scores import Entropy, Margin, MaxProbability, Opinion
from pointsman.token.stops import After, Below, Hazard, Unlikely

MOST_UNREAD = 8
"""Tokens of a row that are read here at most; torch reads longer prompts faster. Chosen."""

_ROUTED_SPAN = 1 << 30
"""Where nothing is judged nothing is pending, so no number of tokens ends a span."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the small model proposed for one row, in order, what the scorer says of it, and what that took."""

    tokens: tuple[int, ...]
    opinions: tuple[Opinion, ...]
    traffic: Traffic


class FastTurn:
    """Writes on for rows of which little is unread.

    Args:
        session: of the small model.
        few: what reads for it.
        method: whose scorer and stop rule decide.
        vocab_size: ids that may be written.
        eos_tokens: ids that end a text.
    """

    def __init__(
        self, session: Session, few: FewTokens, method: Method, vocab_size: int, eos_tokens: Sequence[int]
    ) -> None:
        from pointsman.token import kernels

        self._session, self._few, self._write = session, few, kernels.write
        self._model = (*few.arrays, vocab_size)
        self._gate = _scorer(method.scorer)
        most = _ROUTED_SPAN if method.judge is None else method.most_pending
        self._rule = (*_stop(method.stop), most, float(method.forgives))
        self._ends = np.array(eos_tokens or [-1])

    @classmethod
    def over(cls, session: TextRows, method: Method, vocab_size: int, eos_tokens: Sequence[int]) -> Self | None:
        """One for this session and method, or None where the loop has to do."""
        few = session.few_tokens if isinstance(session, Session) else None
        if few is None or few.is_threaded or not _knows(method):
            return None
        return cls(session, few, method, vocab_size, eos_tokens)  # type: ignore[arg-type]  # it is a Session

    def write(
        self,
        rows: Sequence[int],
        unread: Sequence[Sequence[int]],
        survivals: Sequence[float],
        num_pending: Sequence[int],
        limits: Sequence[int],
    ) -> list[Written]:
        """Reads what is unread of each row and goes on, for at most as many tokens as its limit. Extends the cache."""
        lengths, counts_unread = self._session.lengths, [len(new) for new in unread]
        starts = [lengths[row] for row in rows]
        line_rows = [row for row, count in zip(rows, counts_unread, strict=True) for _ in range(count)]
        line_slots = [
            start + index for start, count in zip(starts, counts_unread, strict=True) for index in range(count)
        ]
        slots = [start + count for start, count in zip(starts, counts_unread, strict=True)]
        last_lines = [end - 1 for end in accumulate(counts_unread)]
        ids = np.zeros((len(rows), max(limits)), np.int64)
        stands, harmless, counts = np.zeros(ids.shape), np.zeros(ids.shape), np.zeros(len(rows), np.int64)
        self._few.use_threads()
        self._write(
            (np.array([token for new in unread for token in new]), *map(np.array, (line_rows, line_slots, last_lines))),
            (np.array(rows), np.array(slots)),
            (np.array(survivals), np.array(num_pending), np.array(limits)),
            self._model,
            self._gate,
            self._rule,
            self._ends,
            (ids, stands, harmless, counts),
        )
        found = [int(count) for count in counts]
        traffic = self._session.decoded(rows, counts_unread, found)
        return [
            Written(
                tuple(ids[index, :count].tolist()),
                tuple(map(Opinion, stands[index, :count].tolist(), harmless[index, :count].tolist())),
                traffic[index],
            )
            for index, count in enumerate(found)
        ]


def _knows(method: Method) -> bool:
    kinds = (type(None), Gate, MaxProbability, Margin, Entropy)
    if isinstance(method.scorer, Gate) and "length" in method.scorer.shape.features:
        return False
    return type(method.scorer) in kinds and type(method.stop) in (Below, After, Hazard, Unlikely)


def _scorer(scorer: object) -> tuple[int, Any]:
    """Kind and arrays; those of an empty gate where there is none, so that all kinds are one type."""
    from pointsman.token import kernels

    kinds: dict[type, int] = {
        MaxProbability: kernels.MAX_PROBABILITY,
        Margin: kernels.MARGIN,
        Entropy: kernels.ENTROPY,
    }
    if not isinstance(scorer, Gate):
        none, nothing = np.zeros(0, np.float32), np.zeros(0, np.int64)
        return kinds.get(type(scorer), kernels.NO_SCORE), (nothing, none, none, nothing, none, 0, False)
    return kernels.GATE, gate_arrays(scorer)


def _stop(stop: object) -> tuple[int, Any]:
    from pointsman.token import kernels

    match stop:
        case Below(threshold):
            return kernels.BELOW, np.array([threshold, 0.0, 0.0])
        case After(num_tokens):
            return kernels.AFTER, np.array([float(num_tokens), 0.0, 0.0])
        case Hazard(most, least_tokens, most_tokens):
            return kernels.HAZARD, np.array([most, float(least_tokens), float(most_tokens)])
        case Unlikely(least_survival):
            return kernels.UNLIKELY, np.array([least_survival, 0.0, 0.0])
        case _:
            return kernels.NEVER, np.zeros(3)
