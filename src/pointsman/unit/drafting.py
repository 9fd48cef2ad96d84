"""Lossless: the approximated model drafts, and the model itself verifies what it drafted in one forward.

The token level does it, with one model as the small and as the large one. Both read and write one cache: a verified
token leaves the model's own keys and values where the draft had put its forecasts, so that the next draft starts from
an exact past, no token is read twice, and there is no second prompt. Greedy texts are those of the model; sampled ones
have its distribution (`token.judges.Exact`).
"""

from collections.abc import Callable, Sequence

from pointsman.engine import Extension, LoadedModel, Sampling, Session, TextRows, Traffic
from pointsman.engine.batch import write_all
from pointsman.engine.session import Want
from pointsman.token import Method, Pair, PairBatch, PairText
from pointsman.token.judges import Exact
from pointsman.token.method import ALWAYS
from pointsman.token.scores import MaxProbability
from pointsman.token.stops import Unlikely
from pointsman.unit.execution import Routing
from pointsman.unit.prices import Prices
from pointsman.unit.router import Router

LEAST_SURVIVAL = 0.7
"""Chance, by the draft's own probabilities, that a whole draft stands, below which it is verified. Chosen."""

MOST_PENDING = 16
"""Tokens of a draft. Chosen: the compiled loops still read so many of a small model, whose rounding is that of one."""


class DraftRows(TextRows):
    """The rows of a dense session, read on by the approximated model.

    A row is never shorter than what the dense session has read of it. A prompt is read by that one, all but its last
    token, since prompts are dense anyway and verification needs the same keys and values.
    """

    def __init__(self, dense: Session, routing: Routing) -> None:
        cache = dense.cache.beside()
        self._dense = dense
        self._drafting = Session(dense.decoder, cache.num_rows, cache.capacity_tokens, execution=routing, cache=cache)

    @property
    def lengths(self) -> Sequence[int]:
        return [max(pair) for pair in zip(self._drafting.lengths, self._dense.lengths, strict=True)]

    def truncate(self, row: int, num_tokens: int) -> None:
        self._drafting.cache.lengths[row] = min(num_tokens, self.lengths[row])

    def move(self, source: int, target: int) -> None:
        self._drafting.move(source, target)

    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        """See `TextRows.extend`; wants the last token only."""
        assert want == "last", "a draft looks at its last token"
        lengths = self.lengths
        new = [row for row in rows if lengths[row] == 0]
        prompts = {row: its[:-1] for row, its in zip(rows, tokens, strict=True) if row in new and len(its) > 1}
        read = self._dense.extend(list(prompts), list(prompts.values())) if prompts else None
        for row in rows:
            self._drafting.cache.lengths[row] = self.lengths[row]
        left = [its[-1:] if row in prompts else its for row, its in zip(rows, tokens, strict=True)]
        seen = self._drafting.extend(rows, left)
        if read is None:
            return seen
        prompt_shares = dict(zip(prompts, read.shares, strict=True))
        shares = tuple(share + prompt_shares.get(row, Traffic()) for row, share in zip(rows, seen.shares, strict=True))
        return Extension(seen.hidden, seen.logits, sum(shares, Traffic()), shares)


def drafting_batch(model: LoadedModel, routing: Routing, num_rows: int, capacity_tokens: int) -> PairBatch:
    """Texts of `model`, drafted so."""
    dense = model.session(num_rows, capacity_tokens)
    method = Method(
        "drafts itself",
        Unlikely(LEAST_SURVIVAL),
        MaxProbability(),
        Exact(),
        keeps_last=True,
        most_pending=MOST_PENDING,
        end_safety=ALWAYS,
    )
    sessions = DraftRows(dense, routing), dense
    return PairBatch(Pair(model, model), method, num_rows, capacity_tokens, sessions=sessions)


def generate_drafted(
    model: LoadedModel,
    router: Router,
    rate: float,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling | None = None,
    *,
    num_rows: int = 1,
    prices: Prices | None = None,
    on_text: Callable[[int, str], None] | None = None,
) -> list[PairText]:
    """Writes a text for every prompt, in their order: those of the model itself.

    Arguments as `engine.generate` and `Routing`; raises as they do.
    """
    sampling = sampling or Sampling()
    wanted = max(map(len, prompts)) + (sampling.max_tokens or model.config.context_tokens)
    capacity_tokens = min(model.config.context_tokens, wanted)
    batch = drafting_batch(model, Routing(router, rate, prices=prices), min(num_rows, len(prompts)), capacity_tokens)
    return [text.result() for text in write_all(batch, prompts, sampling, on_text)]
