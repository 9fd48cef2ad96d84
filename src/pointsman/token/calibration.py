"""Which dials of ours may be promised: the cheapest on a fixed path that loses little against the large model.

The path goes from strict over tolerant to ever more risk for a call that is saved, so each setting is cheaper and
riskier than the one before. A loss is a task that the large model answers rightly and the pair does not; see
`core.risk` for what a certificate says and does not say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pointsman.core import BadRequest
from pointsman.core.risk import num_certified
from pointsman.token.evaluation import Measured, measure, measure_alone
from pointsman.token.gate import GateCard
from pointsman.token.lineup import Dials, Gates, derived, dials_of, make, path
from pointsman.token.pair import Pair
from pointsman.token.tasks import Task

NAME = "pointsman"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the dials have to keep.

    Attributes:
        most_losses: share of tasks that may be lost against the large model.
        confidence: with which.

    Raises:
        BadRequest: `invalid_risk` for numbers that are not between 0 and 1.
    """

    most_losses: float = 0.01
    confidence: float = 0.95

    def __post_init__(self) -> None:
        num_certified((), limit=self.most_losses, confidence=self.confidence)


def calibrate(
    pair: Pair,
    gates: Gates,
    card: GateCard,
    tasks: Sequence[Task],
    promise: Promise,
    num_rows: int = 32,
    on_tried: Callable[[str], None] = lambda _: None,
) -> GateCard:
    """The card of ours with the cheapest certified dials in its figures, and what was seen of them.

    Of tasks with the same prompt one counts: an easy question that comes up again would promise too much for others.
    Settings are tried until the first that is not certified. Where none is, which few tasks alone can cause, the dials
    are strict and `certified` is 0.
    """
    settings = path(*derived(card.figures))
    tasks = list({task.prompt: task for task in tasks}.values())
    reference = measure_alone(pair.large, tasks, num_rows)
    tried: list[Measured] = []
    for dials in settings:
        tried.append(measure(pair, make(NAME, gates, dials), dials, tasks, num_rows))
        losses = [(one.losses_against(reference), len(tasks)) for one in tried]
        on_tried(
            f"{_told(dials)}: {losses[-1][0]} of {len(tasks)} lost, {_share(tried[-1], reference):.3f} of the bytes"
        )
        certified = num_certified(losses, limit=promise.most_losses, confidence=promise.confidence)
        if certified < len(tried):
            break
    chosen = max(certified - 1, 0)
    figures = {
        **tried[chosen].dials,
        "certified": float(certified > 0),
        "certified_losses": promise.most_losses,
        "certified_confidence": promise.confidence,
        "calibration_tasks": float(len(tasks)),
        "calibration_losses": float(losses[chosen][0]),
        "calibration_bytes_share": _share(tried[chosen], reference),
    }
    return replace(card, figures={**card.figures, **figures})


def certified_dials(card: GateCard) -> Dials:
    """The dials that `calibrate` wrote into a card.

    Raises:
        BadRequest: `dials_missing` where its fit was interrupted before.
    """
    if "risk" not in card.figures:
        problem = (
            "the gate has no dials, because its fit was interrupted; run the same `fit token` again, or give dials"
        )
        raise BadRequest(problem, code="dials_missing")
    return {name: card.figures[name] for name in dials_of(NAME)}


def _share(one: Measured, reference: Measured) -> float:
    return one.total_bytes / reference.total_bytes


def _told(dials: Dials) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in dials.items())
