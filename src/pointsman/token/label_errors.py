"""How often the rules that label tokens are wrong: against what really happens after either model's token.

Where two models differ, the exact label of the small one's token is found by trying: the mixed policy finishes the text
once after the small model's token and once after the large one's, greedily, so each is one roll-out. The token may
stand unless the answer is lost by it. Papers label by rules instead, and none reports how often they are wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pointsman.token import labels
from pointsman.token.method import Method
from pointsman.token.pair import Pair
from pointsman.token.states import States, states_along
from pointsman.token.tasks import Task


@dataclass(frozen=True, slots=True)
class RuleError:
    """One rule against the exact labels, over the states where the models differ.

    Attributes:
        rule: its name.
        false_alarms: share of the tokens that may stand and that the rule forbids.
        misses: share of the tokens that may not stand and that the rule lets stand.
        wrong: share of all that it labels wrongly.
    """

    rule: str
    false_alarms: float
    misses: float
    wrong: float


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """What was found.

    Attributes:
        num_states: states looked at, on the way of right texts.
        num_differing: those at which the models differ; only these are tried.
        critical: share of the differing ones at which the small model's token loses the answer.
        rules: how wrong each rule is there.
    """

    num_states: int
    num_differing: int
    critical: float
    rules: tuple[RuleError, ...]


def label_errors(
    pair: Pair,
    tasks: Sequence[Task],
    method: Method,
    tolerance: float,
    on_done: Callable[[int], None] = lambda _: None,
) -> LabelErrors:
    """Compares the rules of CITER, R2R and the bounded judge with exact labels along the tasks' references.

    Args:
        pair: the models.
        tasks: with references that are right.
        method: the mixed policy that finishes each text.
        tolerance: of the bounded judge.
        on_done: told how many roll-outs were added; each differing state takes four.
    """
    prompts, texts = [task.prompt for task in tasks], [task.reference for task in tasks]
    states = States.joined(list(states_along(pair, prompts, texts)))
    at = states.at((states.proposals != states.best).nonzero()[:, 0])
    mixed = labels.together(pair, method)

    def tried(tokens: Tensor, finish: labels.Finish) -> Tensor:
        return labels.outcomes(pair, tasks, at, tokens, finish, on_done)

    exact = tried(at.proposals, mixed) >= tried(at.best, mixed)
    rules = {
        "citer": torch.where(
            labels.undecided(at), tried(at.proposals, labels.alone(pair.small)), labels.short_term(at)
        ),
        "r2r": tried(at.proposals, labels.alone(pair.large)),
        "bounded": (at.behind_nats <= -torch.log1p(torch.tensor(-tolerance))).float(),
    }
    found = tuple(_error(rule, said > 0.5, exact) for rule, said in rules.items())
    return LabelErrors(len(states), len(at), float((~exact).float().mean()), found)


def _error(rule: str, said: Tensor, exact: Tensor) -> RuleError:
    return RuleError(rule, _share(~said & exact, exact), _share(said & ~exact, ~exact), _share(said != exact))


def _share(some: Tensor, of: Tensor | None = None) -> float:
    """0 where there is nothing to be a share of."""
    total = len(some) if of is None else int(of.sum())
    return int(some.sum()) / total if total else 0.0
