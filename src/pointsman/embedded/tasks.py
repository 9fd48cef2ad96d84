"""The families' problems as tasks for a pair of models."""

import random
from collections.abc import Sequence

from pointsman.embedded.evaluation import draw_problems, prompt_tokens
from pointsman.embedded.families import FAMILIES
from pointsman.embedded.problems import DIFFICULTIES, Mode, Problem, Split
from pointsman.engine import LoadedModel
from pointsman.token.tasks import Task


def draw_tasks(model: LoadedModel, count: int, split: Split, seed: int, mode: Mode = "steps") -> list[Task]:
    """`count` tasks of all families and difficulties alike, shuffled, so that any part of them is a fair sample."""
    num_each = -(-count // (len(FAMILIES) * len(DIFFICULTIES)))
    problems = draw_problems(num_each, split, seed)
    random.Random(f"tasks/{seed}/{split}").shuffle(problems)  # noqa: S311
    return as_tasks(problems[:count], model, mode)


def as_tasks(problems: Sequence[Problem], model: LoadedModel, mode: Mode = "steps") -> list[Task]:
    """A task for each problem: its prompt in `mode`, the perfect response as reference, and the family's check."""
    end = model.config.eos_tokens[0]
    return [
        Task(
            tuple(prompt_tokens(model, problem, mode)),
            (*model.tokenizer.encode_plain(problem.response(mode)), end),
            problem.is_right,
        )
        for problem in problems
    ]
