"""The families' problems as tasks for a pair of models."""

from collections.abc import Sequence

from pointsman.embedded.evaluation import prompt_tokens
from pointsman.embedded.problems import Mode, Problem
from pointsman.engine import LoadedModel
from pointsman.token.tasks import Task


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
