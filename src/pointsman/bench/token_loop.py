"""The loop of the token level on a pair where it matters: 30 million and half a billion random weights in bf16.

Who writes each token is scripted, so that given shares of tokens go to the large model. Two figures: what the loop adds
to its forwards' own times, and how much faster it is than a loop that re-encodes the prefix for each large token, as
CITER's release does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pointsman.bench.engine import HALF_BILLION
from pointsman.bench.report import Figure, Report, median_figure
from pointsman.engine import Decoder, Extension, LoadedModel, ModelConfig, Sampling, Session, TextRows
from pointsman.engine.cost import fixed_weight_bytes
from pointsman.engine.session import Want
from pointsman.token import Gate, Method, Pair, PairBatch
from pointsman.token.fitting import gate_shape
from pointsman.token.scores import Scripted
from pointsman.token.stops import Below

__all__ = ["measure_loop"]

_SMALL = ModelConfig("LlamaForCausalLM", 32_000, 512, 1376, 5, 8, 2, 64, 1024, ties_embedding=True)
_PROMPT_TOKENS, _SHARES, _COMPARED_SHARE = 200, (0.1, 0.3, 0.5), 0.3
_GATE_LIMIT = 0.02


class _Plain:
    """A tokenizer of ids alone; nothing here is text."""

    vocabulary_hash = ""
    eos_tokens = ()

    def token_bytes(self, token: int) -> bytes:
        return b"x"

    def stream(self, after: int | None = None) -> _Silent:
        return _Silent()


class _Silent:
    def push(self, token: int) -> str:
        return ""

    def close(self) -> str:
        return ""


@dataclass
class _Timed:
    """A session that adds up the seconds of its forwards."""

    inner: TextRows
    seconds: float = 0.0

    @property
    def lengths(self) -> Sequence[int]:
        return self.inner.lengths

    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        begun = time.perf_counter()
        seen = self.inner.extend(rows, tokens, want)
        self.seconds += time.perf_counter() - begun
        return seen

    def truncate(self, row: int, num_tokens: int) -> None:
        self.inner.truncate(row, num_tokens)

    def move(self, source: int, target: int) -> None:
        self.inner.move(source, target)


class _Reencoding(Session):
    """A session without a cache between forwards: each reads the whole text again, one row."""

    def __init__(self, decoder: Decoder, capacity_tokens: int) -> None:
        super().__init__(decoder, 1, capacity_tokens)
        self._text: list[int] = []

    @property
    def lengths(self) -> Sequence[int]:
        return [len(self._text)]

    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], want: Want = "last") -> Extension:
        self._text += tokens[0]
        super().truncate(0, 0)
        return super().extend(rows, [self._text], "last")

    def truncate(self, row: int, num_tokens: int) -> None:
        del self._text[num_tokens:]


def measure_loop(report: Report, quick: bool, seed: int) -> None:
    """Adds the figures of the loop, and what a gate would cost there, to a report."""
    num_tokens, rounds = (24, 2) if quick else (60, 5)
    pair = _random_pair(seed)
    overheads: list[float] = []
    for share in _SHARES:
        for number in range(rounds + 1):
            seconds, forwards = _run(pair, share, num_tokens, None)
            if number:
                overheads.append(seconds / forwards)
    report.figures["scripted_seconds_over_forwards"] = median_figure(overheads, "ratio", seed=seed, at_most=1.15)
    rates = []
    for _ in range(1 if quick else 3):
        ours, _ = _run(pair, _COMPARED_SHARE, num_tokens, None)
        theirs, _ = _run(pair, _COMPARED_SHARE, num_tokens, _Reencoding(pair.large.decoder, 512))
        rates.append(theirs / ours)
        report.details.append(
            f"scripted, 30 % large: {num_tokens / ours:.1f} tokens/s, re-encoding {num_tokens / theirs:.1f}"
        )
    report.figures["scripted_rate_over_reencoding"] = median_figure(rates, "ratio", seed=seed, at_least=5.0)
    gate = Gate(gate_shape("pointsman", _SMALL.hidden_size), pair.small)
    share = gate.traffic.weight_bytes / fixed_weight_bytes(pair.small.decoder)
    report.figures["gate_share_of_small_bytes"] = Figure(share, "share", 1, at_most=_GATE_LIMIT)


def _random_pair(seed: int) -> Pair:
    models = []
    for name, config in (("30M", _SMALL), ("0.5B", HALF_BILLION)):
        decoder = Decoder(config)
        decoder.initialise(torch.Generator().manual_seed(seed))
        models.append(LoadedModel(name, decoder.to(torch.bfloat16).eval(), _Plain(), config))  # type: ignore[arg-type]
    return Pair(*models)


def _run(pair: Pair, share: float, num_tokens: int, large: TextRows | None) -> tuple[float, float]:
    """Seconds of writing a text with this share of large tokens, and those that its forwards took."""
    every = round(1 / share)
    method = Method("scripted", Below(0.5), Scripted([1.0] * (every - 1) + [0.0]))
    sessions = (
        _Timed(Session(pair.small.decoder, 1, 512)),
        _Timed(large or Session(pair.large.decoder, 1, 512)),
    )
    batch = PairBatch(pair, method, 1, 512, sessions=sessions)
    text = batch.submit([index % 1000 for index in range(_PROMPT_TOKENS)], Sampling(max_tokens=num_tokens))
    begun = time.perf_counter()
    while not batch.is_idle:
        batch.step()
    seconds = time.perf_counter() - begun
    assert len(text.tokens) == num_tokens
    return seconds, sum(session.seconds for session in sessions)
