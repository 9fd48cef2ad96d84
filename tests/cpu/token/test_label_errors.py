"""Exact labels are what happens after either token; rules are counted against them."""

from dataclasses import replace

import pytest
import torch

from pointsman.engine import Sampling, generate
from pointsman.token.batch import generate_pair
from pointsman.token.label_errors import _error, label_errors
from pointsman.token.method import cascade
from pointsman.token.pair import Pair
from pointsman.token.states import States, states_along
from pointsman.token.tasks import Task


def test_rules_are_counted_against_what_happens() -> None:
    said, exact = torch.tensor([1, 1, 0, 0, 1]) > 0, torch.tensor([1, 0, 1, 0, 1]) > 0
    found = _error("rule", said, exact)
    assert (found.false_alarms, found.misses, found.wrong) == (pytest.approx(1 / 3), 0.5, pytest.approx(2 / 5))
    assert _error("rule", said, torch.ones(5) > 0).misses == 0


def test_the_exact_label_is_what_the_mixed_policy_makes_of_either_token(pair: Pair) -> None:
    large = replace(pair.large, config=replace(pair.large.config, eos_tokens=(1, 24, 36, 58, 4)))
    pair, method = replace(pair, large=large), cascade(3, 0.5)
    prompts = [[2 + index, 3, 6] for index in range(12)]
    texts = [text for text in generate(pair.large, prompts, Sampling(max_tokens=60)) if text.finish_reason == "stop"]
    tasks = [
        Task(tuple(prompt), text.tokens, lambda output, right=text.text: output[:3] == right[:3])  # type: ignore[misc]
        for prompt, text in zip(prompts, generate(pair.large, prompts, Sampling(max_tokens=60)), strict=True)
        if text.finish_reason == "stop"
    ]
    assert len(tasks) == len(texts) > 3
    done: list[int] = []
    found = label_errors(pair, tasks, method, 0.5, done.append)
    states = States.joined(list(states_along(pair, [t.prompt for t in tasks], [t.reference for t in tasks])))
    differing = (states.proposals != states.best).nonzero()[:, 0].tolist()
    assert (found.num_states, found.num_differing) == (len(states), len(differing))
    assert sum(done) == 4 * len(differing)

    def is_right(index: int, token: int) -> bool:
        task = tasks[int(states.text[index])]
        begun = [*task.reference[: int(states.place[index])], token]
        if token in pair.large.config.eos_tokens:
            return task.is_right(pair.large.tokenizer.decode(begun))
        (text,) = generate_pair(pair, method, [[*task.prompt, *begun]], Sampling(max_tokens=300))
        written = pair.large.tokenizer.decode((*begun, *text.tokens))
        return text.finish_reason == "stop" and task.is_right(written)

    critical = [
        is_right(index, int(states.best[index])) and not is_right(index, int(states.proposals[index]))
        for index in differing
    ]
    assert found.critical == pytest.approx(sum(critical) / len(critical))
    assert 0 < found.critical < 1
    assert {rule.rule for rule in found.rules} == {"citer", "r2r", "bounded"}
