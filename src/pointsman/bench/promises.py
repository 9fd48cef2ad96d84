"""Does what `calibrate program` certifies hold? Many resplits of one pool of messages to an airline.

The top rung is simulated: it is what the messages were made from, so that the truth is known. Settings are proposed
from a part of the pool. Then a certificate is found from one random draw of what is left, and its promise is checked on
all the rest: a promise that is broken there is a violation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pointsman.bench.report import Figure, Report
from pointsman.core import Cost
from pointsman.core.asking import Question, Reply
from pointsman.core.risk import num_certified
from pointsman.embedded.reading.messages import message
from pointsman.program import Table
from pointsman.program.ladder import Example, Ladder, Rung
from pointsman.program.ladder.calibrating import ERRORS, came_to, propose
from pointsman.program.ladder.remembering import Remembered
from pointsman.program.recorded import RecordedAnswers

__all__ = ["add_promises"]

CONFIDENCE: Final = 0.95
EPSILONS: Final = (0.01, 0.02, 0.05, 0.1)
_FARES, _STATUSES = ("basic", "standard", "flex"), ("none", "silver", "gold")

Tick = Callable[[str, int], None]


class SimulatedTop:
    """The last rung: what each message was made from."""

    name = "simulated top"

    def __init__(self, examples: Sequence[Example]) -> None:
        self._answers = {_text(example): RecordedAnswers(example.answers) for example in examples}

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        return [
            replace(self._answers[text].answer([(question, text)])[0], rung=self.name, cost=Cost.zero())
            for question, text in asked
        ]


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """By setting of ``ERRORS`` and message: whether it came to something else, and how many answers the top gave."""

    lost: list[list[bool]]
    num_top: list[list[int]]
    num_asked: list[list[int]]


def add_promises(
    report: Report, table: Table, reader: Rung, num_messages: int, num_certifying: int, num_splits: int, tick: Tick
) -> None:
    """Adds how often a certificate does not hold, and how little the top rung is asked, with and without the reader."""
    examples = _examples(num_messages + 2 * num_certifying, report.seed)
    top = Remembered(SimulatedTop(examples))
    proposing, pool = examples[: 2 * num_certifying], examples[2 * num_certifying :]
    ladders: dict[str, list[Rung]] = {"heads, reader": [Remembered(reader), top], "heads": [top]}
    for name, rungs in ladders.items():
        outcomes = _outcomes(table, proposing, pool, rungs, tick)
        _add(report, name, outcomes, num_certifying, num_splits)


def _add(report: Report, name: str, outcomes: _Outcomes, num_certifying: int, num_splits: int) -> None:
    curve = []
    for epsilon in EPSILONS:
        found = [_split(outcomes, epsilon, num_certifying, f"{report.seed}/{index}") for index in range(num_splits)]
        violations, shares = sum(broken for broken, _ in found), [share for _, share in found]
        share = sum(shares) / len(shares)
        curve.append({"epsilon": epsilon, "violations": violations / num_splits, "top_share": share})
        report.details.append(
            f"certificates of {name} at {epsilon:.0%}: {violations} of {num_splits} broken, "
            f"{share:.1%} of the questions go to the top rung"
        )
        if epsilon == 0.02 and name == "heads, reader":
            low, high = sorted(shares)[len(shares) // 40], sorted(shares)[-1 - len(shares) // 40]
            rate = Figure(violations / num_splits, "share", num_splits, at_most=round(1 - CONFIDENCE, 6))
            report.figures["certificate_violation_rate"] = rate
            report.figures["top_rung_share_at_2_percent"] = Figure(share, "share", num_splits, low, high)
    report.curves[f"top_share.{name}"] = curve


def _split(outcomes: _Outcomes, epsilon: float, num_certifying: int, seed: str) -> tuple[bool, float]:
    """Whether the certificate of one random draw is broken on the rest, and the top rung's share there."""
    places = list(range(len(outcomes.lost[0])))
    random.Random(seed).shuffle(places)  # noqa: S311
    drawn, rest = places[:num_certifying], places[num_certifying:]
    settings = [(sum(lost[place] for place in drawn), len(drawn)) for lost in outcomes.lost]
    chosen = max(num_certified(settings, limit=epsilon, confidence=CONFIDENCE) - 1, 0)
    lost, top, asked = outcomes.lost[chosen], outcomes.num_top[chosen], outcomes.num_asked[chosen]
    share = sum(top[place] for place in rest) / max(1, sum(asked[place] for place in rest))
    return sum(lost[place] for place in rest) > epsilon * len(rest), share


def _outcomes(
    table: Table, proposing: Sequence[Example], pool: Sequence[Example], rungs: list[Rung], tick: Tick
) -> _Outcomes:
    proposed = propose(table, proposing, rungs)
    heads = Remembered(proposed.heads)
    truth = [came_to(table, example, rungs[-1]).outcome for example in pool]
    found = _Outcomes([], [], [])
    for limits, error in zip(proposed.limits, ERRORS, strict=True):
        ladder = Ladder([heads, *rungs], limits)
        runs = [came_to(table, example, ladder) for example in pool]
        found.lost.append([run.outcome != right for run, right in zip(runs, truth, strict=True)])
        found.num_top.append([sum(r.rung == rungs[-1].name for r in run.replies.values()) for run in runs])
        found.num_asked.append([len(run.replies) for run in runs])
        tick(f"certificates: errors of {error:g}", len(pool))
    return found


def _examples(count: int, seed: int) -> list[Example]:
    """Different messages with tickets, and what the messages say. Wordings are those that are held out of training."""
    found: dict[str, Example] = {}
    rng = random.Random(f"promises/{seed}")  # noqa: S311
    while len(found) < count:
        text, answers = message(rng, "test", rng.randint(1, 6))
        found.setdefault(text, Example({"message": text, "ticket": _ticket(rng)}, answers))
    return list(found.values())


def _ticket(rng: random.Random) -> dict[str, Any]:
    return {
        "fare": rng.choice(_FARES),
        "price_cents": rng.choice((1_500, 9_000, 30_000)),
        "hours_to_departure": rng.choice((-50, -2, 1, 30, 70, 200)),
        "hours_since_booking": rng.choice((5, 400)),
        "checked_in": rng.random() < 0.2,
        "num_changes": rng.choice((0, 0, 1, 3)),
        "status": rng.choice(_STATUSES),
    }


def _text(example: Example) -> str:
    assert isinstance(example.inputs, dict)
    return str(example.inputs["message"])
