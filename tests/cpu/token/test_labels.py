"""Labels say what each method means them to say; what is tried is really tried."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from pointsman.engine import Sampling, generate
from pointsman.token import labels
from pointsman.token.method import speculative
from pointsman.token.pair import Pair
from pointsman.token.states import States, states_along
from pointsman.token.tasks import Task

GREEDY = Sampling(max_tokens=300)


def tasks_of(pair: Pair, count: int = 6) -> list[Task]:
    """Prompts whose right answers are those of the large model, cut to a length that every text reaches."""
    prompts = [[5 + index, 6, 7] for index in range(count)]
    texts = generate(pair.large, prompts, Sampling(max_tokens=12))

    def check(expected: str) -> object:
        return lambda output: output[:12] == expected[:12]

    return [
        Task(tuple(prompt), text.tokens, check(text.text))  # type: ignore[arg-type]
        for prompt, text in zip(prompts, texts, strict=True)
    ]


def along(pair: Pair, tasks: Sequence[Task]) -> States:
    return States.joined(list(states_along(pair, [t.prompt for t in tasks], [t.reference for t in tasks])))


def test_citer_tries_only_what_neither_model_would_write(pair: Pair) -> None:
    tasks = tasks_of(pair)
    states = along(pair, tasks)
    # The texts are the large model's own, so nothing is undecided; a token of each is made another one.
    changed = replace(states, best=torch.where(states.place == 3, (states.best + 1) % 60, states.best))
    tried = labels.undecided(changed)
    assert torch.equal(tried, (states.place == 3) & (states.proposals != states.tokens))
    assert 0 < int(tried.sum()) < len(tasks)
    asked: list[Sequence[Sequence[int]]] = []

    def finish(prompts: Sequence[Sequence[int]]) -> object:
        asked.append(prompts)
        return generate(pair.small, prompts, Sampling(max_tokens=20))

    found = labels.long_term(pair, tasks, changed, finish)  # type: ignore[arg-type]
    assert torch.equal(found[~tried], (states.proposals == states.tokens).float()[~tried])
    expected = []
    for index in tried.nonzero()[:, 0].tolist():
        task = tasks[int(states.text[index])]
        begun = [*task.prompt, *task.reference[:3], int(states.proposals[index])]
        assert begun in [list(prompt) for prompt in asked[0]]
        (text,) = generate(pair.small, [begun], Sampling(max_tokens=20))
        whole = pair.large.tokenizer.decode((*begun[len(task.prompt) :], *text.tokens))
        expected.append(float(text.finish_reason == "stop" and task.is_right(whole)))
    assert found[tried].tolist() == expected


def test_a_token_that_ends_the_text_is_judged_as_it_is(pair: Pair) -> None:
    task = Task((5, 6), (7, 8, 9), lambda output: output == "HI")
    states = along(pair, [task])
    ends = torch.tensor([1, 1, 1])

    def finish(_: object) -> object:
        pytest.fail("nothing is left to finish")

    found = labels.outcomes(pair, [task], states, ends, finish)  # type: ignore[arg-type]
    assert found.tolist() == [0.0, 0.0, 1.0]  # "", "H" and "HI"


def test_divergence_is_what_changes_the_large_models_answer(pair: Pair) -> None:
    large = replace(pair.large, config=replace(pair.large.config, eos_tokens=(1, 36)))  # which many texts come to
    pair = replace(pair, large=large)
    tasks = [replace(task, is_right=lambda output: len(output) > 9) for task in tasks_of(pair, 6)]
    states = along(pair, tasks)
    found = labels.divergence(pair, tasks, states)
    differs = states.proposals != states.tokens
    assert found[~differs].all()
    expected = []
    for index in differs.nonzero()[:, 0].tolist():
        task, place = tasks[int(states.text[index])], int(states.place[index])
        begun = [*task.reference[:place], int(states.proposals[index])]
        (text,) = generate(pair.large, [[*task.prompt, *begun]], GREEDY)
        written = pair.large.tokenizer.decode((*begun, *text.tokens))
        ends = begun[-1] in (1, 36)
        written = pair.large.tokenizer.decode(begun) if ends else written
        expected.append(float(ends or text.finish_reason == "stop") * (len(written) > 9))
    assert found[differs].tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_harmless_is_what_loses_no_answer_that_the_large_model_keeps(pair: Pair) -> None:
    large = replace(pair.large, config=replace(pair.large.config, eos_tokens=(1, 36)))
    pair = replace(pair, large=large)
    tasks = [replace(task, is_right=lambda output: len(output) > 9) for task in tasks_of(pair, 8)]
    states = along(pair, tasks)
    states = replace(states, best=torch.where(states.place == 2, (states.best + 5) % 60, states.best))
    found = labels.harmless(pair, tasks, states)
    differs = states.proposals != states.best
    assert found[~differs].isnan().all()
    at, finish = states.at(differs), labels.alone(pair.large)
    after_small, after_large = (labels.outcomes(pair, tasks, at, ids, finish) for ids in (at.proposals, at.best))
    assert torch.equal(found[differs].isnan(), after_large == 0)
    known = after_large == 1
    assert torch.equal(found[differs][known], after_small[known])
    assert 0 < int(after_small[known].sum()) < int(known.sum()) < len(known)


def test_a_text_that_is_cut_off_is_not_right(pair: Pair) -> None:
    task = Task((5, 6), (), lambda _: True)
    ended = replace(generate(pair.large, [task.prompt], Sampling(max_tokens=3))[0], finish_reason="stop")
    assert labels.are_right([task, task], [ended, replace(ended, finish_reason="length")]) == [True, False]
    assert labels.are_right([replace(task, is_right=lambda _: False)], [ended]) == [False]


def test_both_models_finish_what_they_are_given(pair: Pair) -> None:
    prompts = [[5, 6], [7, 8]]
    together = labels.together(pair, speculative(3))(prompts)
    alone = labels.alone(pair.large)(prompts)
    assert [text.tokens for text in together] == [text.tokens for text in alone]
