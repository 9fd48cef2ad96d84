"""Packed rows teach what the same texts teach alone."""

import itertools
from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer

from pointsman.embedded.families import FAMILIES, draw_all
from pointsman.embedded.packing import IGNORED, Example, Packed, encode, pack, visibility
from pointsman.embedded.problems import MODES
from pointsman.embedded.vocabulary import build_tokenizer
from pointsman.engine.model import Decoder
from pointsman.engine.session import causal_attend

ROW_TOKENS = 220


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer("large")


def examples(tokenizer: Tokenizer) -> Callable[[], Example]:
    counter = itertools.count()

    def next_example() -> Example:
        index = next(counter)
        family = list(FAMILIES)[index % len(FAMILIES)]
        return encode(tokenizer, draw_all(family, 1 + index % 2, "train", index), ROW_TOKENS)

    return next_example


def packed_with(tokenizer: Tokenizer, num_rows: int) -> tuple[Packed, list[Example]]:
    """A batch and the examples that are in it."""
    drawn: list[Example] = []
    draw = examples(tokenizer)

    def noted() -> Example:
        drawn.append(draw())
        return drawn[-1]

    packed = pack(noted, num_rows, ROW_TOKENS)
    assert len(drawn) > num_rows
    return packed, drawn[:-1]


def test_a_response_is_learned_as_if_it_stood_alone(tokenizer: Tokenizer, make_decoder: Callable[..., Decoder]) -> None:
    decoder = make_decoder(vocab_size=tokenizer.get_vocab_size(), context_tokens=256)
    packed, drawn = packed_with(tokenizer, 3)
    visible = visibility(packed)

    def attend(_: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        group = q.shape[2] // k.shape[2]
        k, v = k.repeat_interleave(group, 2).transpose(1, 2), v.repeat_interleave(group, 2).transpose(1, 2)
        y = torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), k, v, attn_mask=visible)
        return y.transpose(1, 2)

    stories = {question.problem: (example, question) for example in drawn for question in example.questions}
    assert any(len(example.questions) > 2 for example in drawn)
    with torch.no_grad():
        together = decoder.logits(decoder(packed.tokens, packed.positions, attend))
        for number, problem in enumerate(packed.problems, 1):
            example, question = stories[problem]
            for branch, response in enumerate(question.responses.values(), 1):
                text = torch.tensor([[*example.story, *question.tokens, *response]])
                alone = decoder.logits(decoder(text, torch.arange(text.shape[1])[None], causal_attend))[0]
                place = (packed.questions == number) & (packed.branches == branch)
                torch.testing.assert_close(together[place], alone[-len(response) :], atol=1e-4, rtol=1e-4)
                assert packed.targets[place].tolist() == [*response[1:], IGNORED]


def test_the_tokens_are_those_of_the_prompt_and_the_response(tokenizer: Tokenizer) -> None:
    for example in packed_with(tokenizer, 4)[1]:
        for question in example.questions:
            for mode, response in zip(MODES, question.responses.values(), strict=True):
                text = f"<user> {question.problem.prompt}<{mode}>{question.problem.response(mode)}<end>"
                assert [*example.story, *question.tokens, *response] == tokenizer.encode(text).ids


def test_stories_questions_and_padding_are_not_learned(tokenizer: Tokenizer) -> None:
    packed, drawn = packed_with(tokenizer, 3)
    assert (packed.targets[packed.branches == 0] == IGNORED).all()
    assert (packed.stories == -1).any()
    questions = [question for example in drawn for question in example.questions]
    learned = sum(len(response) - 1 for question in questions for response in question.responses.values())
    assert (packed.targets != IGNORED).sum() == learned
    assert len(packed.problems) == sum(len(example.questions) for example in drawn)


def test_no_token_sees_another_story_question_or_response_or_what_follows(tokenizer: Tokenizer) -> None:
    packed, _ = packed_with(tokenizer, 2)
    visible = visibility(packed)[:, 0]
    for row in range(2):
        story, question, branch = (x[row].tolist() for x in (packed.stories, packed.questions, packed.branches))
        for i in range(ROW_TOKENS):
            for j in range(ROW_TOKENS):
                is_ancestor = question[j] == 0 or (question[i] == question[j] and branch[j] in (0, branch[i]))
                assert visible[row, i, j] == (j <= i and story[i] == story[j] and is_ancestor)


def test_rows_are_nearly_full_and_stories_whole(tokenizer: Tokenizer) -> None:
    packed, drawn = packed_with(tokenizer, 8)
    assert (packed.stories >= 0).float().mean() > 0.75
    counts = torch.bincount(packed.stories[packed.stories >= 0])
    assert sorted(counts.tolist()) == sorted(example.num_tokens for example in drawn)


def test_questions_that_do_not_fit_are_left_out(tokenizer: Tokenizer) -> None:
    problems = draw_all("extraction", 3, "train", 1)
    whole = encode(tokenizer, problems, 1000)
    assert [question.problem for question in whole.questions] == list(problems)
    fewer = encode(tokenizer, problems, whole.num_tokens - 1)
    assert [question.problem for question in fewer.questions] == list(problems[:-1])
    assert len(encode(tokenizer, problems, 1).questions) == 1


def test_an_example_longer_than_a_row_is_an_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="a row has 10"):
        pack(examples(tokenizer), 2, 10)
