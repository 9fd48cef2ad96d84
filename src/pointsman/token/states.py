"""States from which gates learn: places in texts, what the small model proposed there, what the large one says of it.

A state is reduced to what any gate or label needs at once, so that a large vocabulary is never kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from pointsman.engine import LoadedModel
from pointsman.token.batch import Judged
from pointsman.token.gate import Observed, observe
from pointsman.token.pair import Pair


@dataclass(frozen=True, slots=True)
class States:
    """N places in texts.

    Attributes:
        hidden, confidence, top_logits, proposals: as in `Observed`.
        tokens: (N,) the token that stands there in the text.
        best: (N,) the large model's likeliest token.
        behind_nats: (N,) float32, how far the proposal's log-probability is behind that of `best`.
        accepted: (N,) float32, the chance that speculative sampling accepts the proposal, min(1, p / q).
        log_q: (N,) float32, the log-probability of `tokens` in the small model.
        log_p: (N,) float32, the same in the large one.
        text: (N,) which text.
        place: (N,) how many tokens of the text are before it.
        reached: (N,) bool, whether the finished text comes through here.
    """

    hidden: Tensor
    confidence: Tensor
    top_logits: Tensor
    proposals: Tensor
    tokens: Tensor
    best: Tensor
    behind_nats: Tensor
    accepted: Tensor
    log_q: Tensor
    log_p: Tensor
    text: Tensor
    place: Tensor
    reached: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def observed(self) -> Observed:
        """What gates see."""
        return Observed(self.hidden, self.confidence, self.top_logits, self.proposals)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All of them in order."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def at(self, index: Tensor) -> "States":
        """Those that an index or a mask names."""
        return States(*(getattr(self, field.name)[index] for field in fields(self)))


def reduced(hidden: Tensor, q: Tensor, p: Tensor, tokens: Tensor, text: int) -> States:
    """The states of a text or a span from its beginning: (N, D), (N, V) and (N, V) logits, (N,) ids, its number."""
    proposals = q.argmax(-1)
    seen, large, small = observe(hidden, q, proposals), p.float().log_softmax(-1), q.float().log_softmax(-1)
    return States(
        seen.hidden,
        seen.confidence,
        seen.top_logits,
        proposals,
        tokens,
        large.argmax(-1),
        large.amax(-1) - _of(large, proposals),
        (_of(large, proposals) - _of(small, proposals)).exp().clamp(max=1),
        _of(small, tokens),
        _of(large, tokens),
        torch.full_like(tokens, text),
        torch.arange(len(tokens)),
        torch.ones(len(tokens), dtype=torch.bool),
    )


def judged_states(judged: Judged, text: int) -> States:
    """The states of a pending span; `place` counts from its beginning.

    What is behind the first token that does not stand is not reached.
    """
    states = reduced(judged.hidden, judged.q, judged.p, judged.tokens, text)
    return replace(states, reached=states.place <= judged.num_kept)


@torch.inference_mode()
def before_texts(model: LoadedModel, prompts: Sequence[Sequence[int]], vocab_size: int) -> Observed:
    """What gates see of the first token that a small model proposes behind each of N prompts, lengths as well."""
    session = model.session(len(prompts), max(map(len, prompts)))
    seen = session.extend(range(len(prompts)), prompts)
    logits = seen.logits[:, 0, :vocab_size]
    found = observe(seen.hidden[:, 0], logits, logits.argmax(-1))
    return replace(found, lengths=torch.tensor([len(prompt) for prompt in prompts]))


@torch.inference_mode()
def states_along(
    pair: Pair, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]], num_rows: int = 32
) -> Iterator[States]:
    """States at every token of `texts`, each behind its prompt, `num_rows` texts at a time and in order.

    Raises:
        OverBudget: `context_exceeded` where a prompt with its text is longer than a model's context.
    """
    for start in range(0, len(texts), num_rows):
        chunk = range(start, min(start + num_rows, len(texts)))
        whole = [[*prompts[index], *texts[index][:-1]] for index in chunk]
        wanted = [len(texts[index]) for index in chunk]
        sessions = (model.session(len(chunk), max(map(len, whole))) for model in (pair.small, pair.large))
        small, large = (session.extend(range(len(chunk)), whole, wanted) for session in sessions)
        vocab = pair.vocab_size
        yield States.joined(
            [
                reduced(
                    small.hidden[row, :count],
                    small.logits[row, :count, :vocab],
                    large.logits[row, :count, :vocab],
                    torch.tensor(texts[index]),
                    index,
                )
                for row, (index, count) in enumerate(zip(chunk, wanted, strict=True))
            ]
        )


def _of(logs: Tensor, tokens: Tensor) -> Tensor:
    """(N,) of (N, V) at (N,) ids."""
    return logs.gather(-1, tokens[:, None])[:, 0]
