"""What each method's gate is taught: which of the small model's tokens may stand.

`long_term` is CITER's, as released (repository aiming-lab/CITER): along a right text the small model's token may stand
where it is the text's; it may not where the large model's is; where neither is, the small model's token is tried, and
stands if the answer comes out right. `divergence` is R2R's rule with an automatic check in place of its verifier model.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pointsman.engine import LoadedModel, Sampling, Text, generate
from pointsman.token.batch import generate_pair
from pointsman.token.method import Method
from pointsman.token.pair import Pair
from pointsman.token.states import States
from pointsman.token.tasks import Task

MOST_ROLLOUT_TOKENS = 300
"""As in CITER's release."""

_ROLLOUT = Sampling(max_tokens=MOST_ROLLOUT_TOKENS)

Finish = Callable[[Sequence[Sequence[int]]], Sequence[Text]]
"""Finishes texts that were begun."""


def short_term(states: States) -> Tensor:
    """(N,) float32: 1 where the small model's token is the text's. CITER-S."""
    return (states.proposals == states.tokens).float()


def undecided(states: States) -> Tensor:
    """(N,) bool: neither model's token is the text's, so that only trying it tells."""
    return (states.proposals != states.tokens) & (states.best != states.tokens)


def alone(model: LoadedModel, sampling: Sampling = _ROLLOUT, num_rows: int = 32) -> Finish:
    """One model finishes."""
    return lambda prompts: generate(model, prompts, sampling, num_rows=num_rows)


def together(pair: Pair, method: Method, sampling: Sampling = _ROLLOUT, num_rows: int = 32) -> Finish:
    """Both models finish."""
    return lambda prompts: generate_pair(pair, method, prompts, sampling, num_rows=num_rows)


def long_term(
    pair: Pair, tasks: Sequence[Task], states: States, finish: Finish, on_done: Callable[[int], None] = lambda _: None
) -> Tensor:
    """(N,) float32 labels along the tasks' references, CITER's.

    Args:
        pair: the models.
        tasks: `states.text` names them.
        states: along the references.
        finish: what finishes a text after a tried token: the small model alone in the first round, then both models
            under the gate so far.
        on_done: told how many tried states were added.
    """
    labels, tried = short_term(states), undecided(states).nonzero()[:, 0]
    labels[tried] = outcomes(pair, tasks, states.at(tried), states.proposals[tried], finish, on_done)
    return labels


def divergence(
    pair: Pair, tasks: Sequence[Task], states: States, on_done: Callable[[int], None] = lambda _: None
) -> Tensor:
    """(N,) float32 along the large model's own right texts: 0 where the small model's token changes the answer. R2R's.

    R2R lets the large model finish the sentence after either token and asks a third model whether the meaning differs.
    Here the large model finishes the text, and the task's check tells whether it is still right.
    """
    labels, differs = short_term(states), (states.proposals != states.tokens).nonzero()[:, 0]
    at, finish = states.at(differs), alone(pair.large)
    labels[differs] = outcomes(pair, tasks, at, at.proposals, finish, on_done)
    return labels


def harmless(
    pair: Pair, tasks: Sequence[Task], states: States, on_done: Callable[[int], None] = lambda _: None
) -> Tensor:
    """(N,) float32 along right texts of both models: 1 where the small model's token does not lose the answer.

    Known by trying, where the models differ and the answer comes out right after the large model's token; elsewhere not
    a number. The large model finishes: it is wrong about what the mixed policy would make of it at 2 % of the tokens.
    """
    labels, differs = torch.full_like(states.log_q, torch.nan), (states.proposals != states.best).nonzero()[:, 0]
    at, finish = states.at(differs), alone(pair.large)
    after_small, after_large = (
        outcomes(pair, tasks, at, tokens, finish, on_done) for tokens in (at.proposals, at.best)
    )
    labels[differs] = torch.where(after_large > 0.5, after_small, torch.nan)
    return labels


def are_right(tasks: Sequence[Task], texts: Sequence[Text]) -> list[bool]:
    """Whether each whole text answers its task; one that was cut off does not."""
    return [text.finish_reason == "stop" and task.is_right(text.text) for task, text in zip(tasks, texts, strict=True)]


def outcomes(
    pair: Pair,
    tasks: Sequence[Task],
    states: States,
    tokens: Tensor,
    finish: Finish,
    on_done: Callable[[int], None] = lambda _: None,
    chunk_states: int = 256,
) -> Tensor:
    """(N,) float32: 1 where the answer is right if `tokens` (N,) replace the reference's, and `finish` goes on."""
    right: list[bool] = []
    for start in range(0, len(states), chunk_states):
        indices = range(start, min(start + chunk_states, len(states)))
        asked = [tasks[int(states.text[index])] for index in indices]
        begun = [
            [*task.reference[: int(states.place[index])], int(tokens[index])]
            for index, task in zip(indices, asked, strict=True)
        ]
        right += _come_out_right(pair, asked, begun, finish)
        on_done(len(indices))
    return torch.tensor(right, dtype=torch.float32)


def _come_out_right(pair: Pair, tasks: Sequence[Task], begun: Sequence[Sequence[int]], finish: Finish) -> list[bool]:
    """Whether each text that was begun, the prompt left out, ends in a right answer."""
    eos_tokens, decode = pair.large.config.eos_tokens, pair.large.tokenizer.decode
    is_open = [first[-1] not in eos_tokens for first in begun]
    prompts = [(*task.prompt, *first) for task, first, unended in zip(tasks, begun, is_open, strict=True) if unended]
    finished = iter(finish(prompts) if prompts else ())
    right = []
    for task, first, unended in zip(tasks, begun, is_open, strict=True):
        rest = next(finished) if unended else None
        ends = rest is None or rest.finish_reason == "stop"
        right.append(ends and task.is_right(decode((*first, *(() if rest is None else rest.tokens)))))
    return right
