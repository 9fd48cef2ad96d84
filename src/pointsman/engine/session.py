"""A model and its cache: rows of text that are extended, rolled back and copied. What every level above works with.

    session = Session(decoder, num_rows=2, capacity_tokens=256)
    seen = session.extend([0, 1], [[5, 9, 2], [7]])     # one ragged forward
    session.truncate(0, 2)                              # row 0 forgets its last token

`NaiveSession` keeps the tokens and computes everything anew each time. It is the definition of what `Session` must
give, and is kept for the tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from pointsman.core import BadRequest, OverBudget
from pointsman.engine.attention import CachedAttend, StaticAttend
from pointsman.engine.cache import KVCache, Window, open_window
from pointsman.engine.cost import Traffic, fixed_weight_bytes, forward_flops
from pointsman.engine.model import Decoder
from pointsman.engine.step import FewTokens

Want = Literal["last", "all"] | Sequence[int]
"""Whose hidden state and logits are wanted: of each row's last new token, of all, or of so many last ones by row."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What one forward gave. B rows in the order that was asked for.

    Attributes:
        hidden: (B, W, D) after the last norm, where W is the most tokens that were wanted of a row: 1 for `last`, T for
            `all`. A row's tokens stand from 0 on in their order; entries beyond are unspecified.
        logits: (B, W, V), as `hidden`.
        traffic: what the forward cost.
        shares: what it cost by row; weights are shared equally, with the remainder on the first.
    """

    hidden: Tensor
    logits: Tensor
    traffic: Traffic
    shares: tuple[Traffic, ...]


class Execution(Protocol):
    """Reads tokens into a cache in place of the decoder, by an `Execute` of its own."""

    def read(self, tokens: Sequence[Sequence[int]], window: Window) -> tuple[Tensor, Sequence[Traffic]]:
        """Hidden states and costs of new tokens, whose keys and values go into the cache.

        Returns:
            (B, T, D) after the last norm, unspecified beyond a row's new tokens; and by row what is to be added to
            the cost of the model itself, negative where less was moved.
        """


class TextRows(Protocol):
    """Rows of tokens that a model has read."""

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each row."""

    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        """Reads `tokens[i]` (one or more ids) after what `rows[i]` holds, all rows in one forward.

        Raises:
            BadRequest: `invalid_tokens` where a row gets no token or an id is not in the vocabulary.
            OverBudget: `context_exceeded` where a row would grow too long. No row has changed then.
        """

    def truncate(self, row: int, num_tokens: int) -> None:
        """Forgets all but the first `num_tokens` tokens of `row`."""

    def move(self, source: int, target: int) -> None:
        """Replaces `target` by `source`, which is empty afterwards."""


class Session:
    """The fast one: a KV cache, one forward over the new tokens only, and where there are few of them compiled loops.

    The decoder's weights may be written to meanwhile, but not cast or moved.

    Args:
        decoder: the model.
        num_rows: how many texts at once.
        capacity_tokens: longest text; never more than the model's context.
        compiles: decode through a step of fixed shapes that `torch.compile` made; the first one takes a minute or so.
        execution: makes what reads tokens in place of the decoder, for this decoder and the session's cache.
        cache: where keys and values are kept, or None for a new one.

    Attributes:
        execution: what reads in place of the decoder, or None.
    """

    def __init__(
        self,
        decoder: Decoder,
        num_rows: int,
        capacity_tokens: int,
        *,
        compiles: bool = False,
        execution: Callable[[Decoder, KVCache], Execution] | None = None,
        cache: KVCache | None = None,
    ) -> None:
        if capacity_tokens > decoder.config.context_tokens:
            problem = f"{capacity_tokens} tokens exceed the model's context of {decoder.config.context_tokens}"
            raise OverBudget(problem, code="context_exceeded")
        weight = decoder.embedding
        self.decoder = decoder
        self.cache = cache or KVCache(decoder.config, num_rows, capacity_tokens, weight.dtype, weight.device)
        self._weight_bytes = fixed_weight_bytes(decoder)
        self._static_step = torch.compile(self.decode_all, dynamic=False) if compiles else None
        self._few = None if compiles else FewTokens.over(decoder, self.cache)
        self.execution = None if execution is None else execution(decoder, self.cache)

    @property
    def lengths(self) -> Sequence[int]:
        return self.cache.lengths

    @property
    def few_tokens(self) -> FewTokens | None:
        """What reads a few tokens in compiled loops, where the decoder itself does and has such a thing."""
        return self._few if self.execution is None else None

    def decoded(self, rows: Sequence[int], unread: Sequence[int], counts: Sequence[int]) -> list[Traffic]:
        """Takes note of `counts[i]` forwards over `rows[i]` by loops of `few_tokens`, all rows at once.

        The first forward reads `unread[i]` tokens, each other one more. Returns what that cost by row: a forward reads
        the weights once for the rows that still go on.
        """
        forwards, weights = [0] * len(rows), [0] * len(rows)
        for step in range(max(counts)):
            going = [index for index, count in enumerate(counts) if count > step]
            each, remainder = divmod(self._weight_bytes, len(going))
            for index in going:
                weights[index] += each
            weights[going[0]] += remainder
            forwards[going[0]] += 1
        shares = []
        for index, (row, first, count) in enumerate(zip(rows, unread, counts, strict=True)):
            start, more = self.cache.lengths[row], count - 1
            seen = start + more * (start + first) + more * (more - 1) // 2  # before each forward, all together
            shares.append(self._share(forwards[index], weights[index], start, first + more, count, seen))
            self.cache.lengths[row] += first + more
        return shares

    def truncate(self, row: int, num_tokens: int) -> None:
        self.cache.truncate(row, num_tokens)

    def move(self, source: int, target: int) -> None:
        self.cache.move(source, target)

    @torch.inference_mode()
    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        """See `TextRows.extend`."""
        require_tokens(rows, tokens, self.decoder.config.vocab_size)
        window = open_window(self.cache, rows, [len(new) for new in tokens])
        hidden, extra = self._read(window, tokens)
        wanted = num_wanted(want, window.counts)
        hidden = last_tokens(hidden, window.counts, wanted)
        logits = self._logits(hidden)
        for row, count in zip(rows, window.counts, strict=True):
            self.cache.lengths[row] += count
        shares = tuple(share + more for share, more in zip(self._shares(window, wanted), extra, strict=True))
        return Extension(hidden, logits, sum(shares, Traffic()), shares)

    def _read(self, window: Window, tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Sequence[Traffic]]:
        """(B, T, D) by whatever reads this window, and what it cost more than the decoder's own forward, by row."""
        if self.execution is not None:
            return self.execution.read(tokens, window)
        is_few = self._few is not None and sum(window.counts) <= self._few.most_lines
        hidden = self._few.hidden(tokens, window) if self._few and is_few else self._hidden(window, tokens)
        return hidden, (Traffic(),) * len(window.rows)

    def _logits(self, hidden: Tensor) -> Tensor:
        """(B, W, D) to (B, W, V), by loops where there are few."""
        is_few = self._few is not None and hidden.shape[0] * hidden.shape[1] <= self._few.most_lines
        return self._few.logits(hidden) if self._few and is_few else self.decoder.logits(hidden)

    def _hidden(self, window: Window, tokens: Sequence[Sequence[int]]) -> Tensor:
        """(B, T, D)."""
        hidden: Tensor
        batch = padded(tokens).to(window.positions.device)
        if self._static_step is not None and batch.shape[1] == 1 and len(window.rows) == self.cache.num_rows:
            order = torch.tensor(window.rows, device=batch.device)
            inverse = order.argsort()
            hidden = self._static_step(batch[inverse], window.positions[inverse])[order]
        else:
            hidden = self.decoder(batch, window.positions, CachedAttend(self.cache, window))
        return hidden

    def decode_all(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """One new token for each row of the cache: (R, 1) and (R, 1) to (R, 1, D)."""
        hidden: Tensor = self.decoder(tokens, positions, StaticAttend(self.cache, positions))
        return hidden

    def _shares(self, window: Window, wanted: Sequence[int]) -> tuple[Traffic, ...]:
        """What the forward cost, by row."""
        each, remainder = divmod(self._weight_bytes, len(window.rows))
        return tuple(
            self._share(int(index == 0), each + (remainder if index == 0 else 0), start, count, num_logits, start)
            for index, (start, count, num_logits) in enumerate(zip(window.starts, window.counts, wanted, strict=True))
        )

    def _share(
        self, forwards: int, weight_bytes: int, start: int, num_new: int, num_logits: int, num_read: int
    ) -> Traffic:
        """What a row took for `num_new` tokens behind `start`; `num_read` cached tokens were read for them."""
        config, token_bytes = self.decoder.config, self.cache.token_bytes
        row_bytes = 0 if config.ties_embedding else self.decoder.embedding[0].nbytes
        return Traffic(
            forwards=forwards,
            new_tokens=num_new,
            weight_bytes=weight_bytes + row_bytes * num_new,
            kv_read_bytes=num_read * token_bytes,
            kv_written_bytes=num_new * token_bytes,
            flops=forward_flops(config, start, num_new, num_logits),
        )


class NaiveSession:
    """The slow twin: no cache; every forward computes whole texts, one row at a time."""

    def __init__(self, decoder: Decoder, num_rows: int, capacity_tokens: int) -> None:
        self._decoder = decoder
        self._capacity_tokens = capacity_tokens
        self._texts: list[list[int]] = [[] for _ in range(num_rows)]

    @property
    def lengths(self) -> Sequence[int]:
        return [len(text) for text in self._texts]

    def truncate(self, row: int, num_tokens: int) -> None:
        del self._texts[row][num_tokens:]

    def move(self, source: int, target: int) -> None:
        if source != target:
            self._texts[target], self._texts[source] = self._texts[source], []

    @torch.inference_mode()
    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        """See `TextRows.extend`; the traffic is what reading everything anew costs."""
        require_tokens(rows, tokens, self._decoder.config.vocab_size)
        for row, new in zip(rows, tokens, strict=True):
            if len(self._texts[row]) + len(new) > self._capacity_tokens:
                raise OverBudget(f"more than {self._capacity_tokens} tokens", code="context_exceeded")
        wanted = num_wanted(want, [len(new) for new in tokens])
        hidden = self._decoder.embedding.new_zeros(len(rows), max(wanted), self._decoder.config.hidden_size)
        for index, (row, new, count) in enumerate(zip(rows, tokens, wanted, strict=True)):
            self._texts[row] += new
            hidden[index, :count] = self._read(self._texts[row])[-count:]
        shares = tuple(self._share(len(self._texts[row]), count) for row, count in zip(rows, wanted, strict=True))
        return Extension(hidden, self._decoder.logits(hidden), sum(shares, Traffic()), shares)

    def _share(self, num_tokens: int, num_logits: int) -> Traffic:
        flops = forward_flops(self._decoder.config, 0, num_tokens, num_logits)
        return Traffic(1, num_tokens, fixed_weight_bytes(self._decoder), flops=flops)

    def _read(self, text: Sequence[int]) -> Tensor:
        """(T, D) of a whole text."""
        tokens = torch.tensor([text], device=self._decoder.embedding.device)
        positions = torch.arange(len(text), device=tokens.device)[None]
        hidden: Tensor = self._decoder(tokens, positions, causal_attend)[0]
        return hidden


def causal_attend(_: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of whole texts over themselves, without a cache: the plain definition. See `Attend`."""
    group = q.shape[2] // k.shape[2]
    k, v = (x.repeat_interleave(group, dim=2) for x in (k, v))
    scores = torch.einsum("bthe,bshe->bhts", q, k) * q.shape[-1] ** -0.5
    hidden = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool, device=q.device).triu(1)
    weights = scores.masked_fill(hidden, -torch.inf).float().softmax(-1).to(q.dtype)
    return torch.einsum("bhts,bshe->bthe", weights, v)


def num_wanted(want: Want, counts: Sequence[int]) -> list[int]:
    """How many of each row's last new tokens are wanted, of `counts`.

    Raises:
        ValueError: a row has fewer than are wanted of it, or none is.
    """
    if isinstance(want, str):
        return [1] * len(counts) if want == "last" else list(counts)
    if len(want) != len(counts) or not all(1 <= wanted <= count for wanted, count in zip(want, counts, strict=True)):
        raise ValueError(f"of rows with {list(counts)} new tokens {list(want)} cannot be wanted")
    return list(want)


def last_tokens(hidden: Tensor, counts: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """(B, T, D), of which `counts` are tokens, to (B, W, D): the last `wanted` of each row."""
    if list(counts) == list(wanted):
        return hidden
    first = torch.tensor([count - number for count, number in zip(counts, wanted, strict=True)], device=hidden.device)
    columns = first[:, None] + torch.arange(max(wanted), device=hidden.device)
    rows = torch.arange(len(counts), device=hidden.device)[:, None]
    return hidden[rows, columns.clamp(max=hidden.shape[1] - 1)]


def padded(tokens: Sequence[Sequence[int]]) -> Tensor:
    """(B, T) int64 of rows of ids; the rest is 0."""
    width = max(len(row) for row in tokens)
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in tokens])


def require_tokens(rows: Sequence[int], tokens: Sequence[Sequence[int]], vocab_size: int) -> None:
    """Raises `BadRequest` (`invalid_tokens`) unless every row gets at least one id of the vocabulary."""
    if len(set(rows)) != len(rows) or len(rows) != len(tokens) or not rows:
        raise ValueError(f"rows {list(rows)} do not fit {len(tokens)} lists of tokens")
    for new in tokens:
        if not new:
            raise BadRequest("a text without a token cannot be read; expected one or more", code="invalid_tokens")
        if not 0 <= min(new) <= max(new) < vocab_size:
            problem = f"token ids reach from {min(new)} to {max(new)}; expected 0 to {vocab_size - 1}"
            raise BadRequest(problem, code="invalid_tokens")
