"""Texts to fit on and to measure on: whole sequences, and which of their tokens may be approximated.

A prompt is read in one forward that computes many tokens for one read of the weights, so there the units stay as they
are. Texts without a prompt are routed from their first token on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

import torch
from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine import Batch, LoadedModel, Sampling

NONE = -100
"""The target of a token after which nothing is known."""

BLOCK_BATCHES = 8
"""Batches of neighbours, from which a random one is drawn. Chosen."""


@dataclass(frozen=True, slots=True)
class Texts:
    """N texts of at most T tokens, padded at their ends.

    Attributes:
        tokens: (N, T) int64.
        targets: (N, T) int64, the token that really followed, or `NONE`.
        is_routed: (N, T) bool, whether units may be approximated for this token.
    """

    tokens: Tensor
    targets: Tensor
    is_routed: Tensor

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def num_routed(self) -> int:
        """Tokens that may be approximated."""
        return int(self.is_routed.sum())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it: what was learned from other texts is told apart, however alike they look."""
        digest = sha256(repr(self.tokens.shape).encode())
        for tensor in (self.tokens, self.targets, self.is_routed):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def chosen(self, rows: slice | Tensor) -> Self:
        """Some of the texts."""
        return type(self)(self.tokens[rows], self.targets[rows], self.is_routed[rows])

    @property
    def lengths(self) -> Tensor:
        """(N,) columns up to the last one that is routed or has a target."""
        is_used = self.is_routed | (self.targets != NONE)
        columns = torch.arange(1, is_used.shape[1] + 1, device=is_used.device)
        return (columns * is_used).amax(1)

    def trimmed(self) -> Self:
        """Without columns that no text uses."""
        width = max(1, int(self.lengths.max()))
        return type(self)(self.tokens[:, :width], self.targets[:, :width], self.is_routed[:, :width])

    def by_length(self) -> Self:
        """The shortest first, so that batches have little padding."""
        return self.chosen(self.lengths.argsort(stable=True))

    def drawn(self, num_rows: int, generator: torch.Generator) -> Self:
        """A random batch of neighbours: where texts are in order of length it has little padding."""
        block = min(len(self), BLOCK_BATCHES * num_rows)
        first = int(torch.randint(len(self) - block + 1, (1,), generator=generator))
        return self.chosen(first + torch.randint(block, (num_rows,), generator=generator)).trimmed()

    def batches(self, num_rows: int) -> Iterator[Self]:
        """All of them in order, so many at a time, trimmed."""
        for start in range(0, len(self), num_rows):
            yield self.chosen(slice(start, start + num_rows)).trimmed()


def of_stream(tokens: Sequence[int], width: int) -> Texts:
    """Windows of `width` tokens of one long text, the last incomplete one left out; each token follows the one before.

    Raises:
        BadRequest: `too_little_data` for a text of no more than `width` tokens.
    """
    count = (len(tokens) - 1) // width
    if count < 1:
        problem = f"the text has {len(tokens):,} tokens; expected more than {width:,}, the length of one window"
        raise BadRequest(problem, code="too_little_data")
    flat = torch.tensor(tokens[: count * width + 1])
    windows = flat[:-1].view(count, width)
    return Texts(windows, flat[1:].view(count, width), torch.ones_like(windows, dtype=torch.bool))


def of_answers(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], most_tokens: int) -> Texts:
    """Prompts with their answers, of which only the answers are routed; pairs that are longer are left out.

    Raises:
        BadRequest: `too_little_data` where none is left.
    """
    fitting = [
        (prompt, answer)
        for prompt, answer in zip(prompts, answers, strict=True)
        if len(prompt) + len(answer) - 1 <= most_tokens
    ]
    if not fitting:
        raise BadRequest(f"no text fits into {most_tokens} tokens; expected at least one", code="too_little_data")
    width = max(len(prompt) + len(answer) - 1 for prompt, answer in fitting)
    tokens = torch.zeros(len(fitting), width, dtype=torch.int64)
    targets = torch.full_like(tokens, NONE)
    for row, (prompt, answer) in enumerate(fitting):
        text, begin = torch.tensor([*prompt, *answer]), len(prompt)
        end = len(text) - 1  # the last token is followed by nothing
        tokens[row, :end] = text[:-1]
        targets[row, begin - 1 : end] = text[begin:]
    columns = torch.arange(width)
    begins = torch.tensor([len(prompt) for prompt, _ in fitting])
    return Texts(tokens, targets, (targets != NONE) & (columns >= begins[:, None]))


def generated(model: LoadedModel, num_texts: int, width: int, seed: int, num_rows: int = 64) -> Texts:
    """Windows of texts that the model writes itself at temperature 1, from its first token on.

    For a model without data: what it writes is distributed as it believes.
    """
    begin = model.tokenizer.encode("", special=True) or list(model.config.eos_tokens[:1])
    if not begin:
        problem = f"{model.name} has no token that begins a text, so it cannot write one to learn from; give a text"
        raise BadRequest(problem, code="no_first_token")
    stream: list[int] = []
    batch = Batch(model, num_rows, min(model.config.context_tokens, width + len(begin)))
    number = 0
    while len(stream) <= num_texts * width:
        writings = [
            batch.submit(begin, Sampling(temperature=1.0, seed=seed + number + index)) for index in range(num_rows)
        ]
        number += num_rows
        while not batch.is_idle:
            batch.step()
        for writing in writings:
            stream += [*begin, *writing.tokens]
    return of_stream(stream[: num_texts * width + 1], width)
