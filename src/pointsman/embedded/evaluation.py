"""What a model gets right of the families, problem by problem."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pointsman.embedded.families import FAMILIES, draw
from pointsman.embedded.problems import DIFFICULTIES, Mode, Problem, Split
from pointsman.engine import LoadedModel, Sampling, Text, generate


@dataclass(frozen=True, slots=True)
class Graded:
    """A problem, what the model wrote, and whether that is right."""

    problem: Problem
    mode: Mode
    text: Text
    is_right: bool


def draw_problems(num_each: int, split: Split, seed: int, families: Sequence[str] = tuple(FAMILIES)) -> list[Problem]:
    """`num_each` problems of every family and difficulty."""
    return [
        draw(family, difficulty, split, f"evaluation/{seed}/{index}")
        for family in families
        for difficulty in DIFFICULTIES
        for index in range(num_each)
    ]


def grade(
    model: LoadedModel,
    problems: Sequence[Problem],
    mode: Mode,
    *,
    num_rows: int = 64,
    on_graded: Callable[[int], None] | None = None,
) -> Iterator[Graded]:
    """Answers `problems` greedily, shortest first and `num_rows` at a time, and yields them as they are graded.

    `on_graded` is told how many were graded since it was last called.
    """
    prompts = {id(problem): prompt_tokens(model, problem, mode) for problem in problems}
    ordered = sorted(problems, key=lambda problem: len(prompts[id(problem)]))
    for start in range(0, len(ordered), num_rows):
        chunk = ordered[start : start + num_rows]
        texts = generate(model, [prompts[id(problem)] for problem in chunk], Sampling(), num_rows=num_rows)
        for problem, text in zip(chunk, texts, strict=True):
            is_right = text.finish_reason == "stop" and problem.is_right(text.text)
            yield Graded(problem, mode, text, is_right)
        if on_graded is not None:
            on_graded(len(chunk))


def prompt_tokens(model: LoadedModel, problem: Problem, mode: Mode) -> list[int]:
    """The ids that ask `model` for an answer in `mode`."""
    messages = [{"role": "user", "content": problem.prompt}]
    rendered = model.tokenizer.render_chat(messages, add_generation_prompt=True, mode=mode)
    return model.tokenizer.encode(rendered, special=False)
