"""Limits for a ladder that may be promised: the cheapest whose outcomes are those of the top rung nearly always.

Half of the examples choose: heads are fitted to them, and for a rising share of errors they give the limits from which
on a rung is trusted. The other half certifies: settings are tried from the safest on, each by the exact binomial tail,
and the first that fails ends it (``core.risk``). A loss is an example on which the program comes to something else than
with the reference's answers: those of the top rung, or those that the example was given.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.core import BadRequest
from pointsman.core.asking import Answerer, Question, Reply, Value
from pointsman.core.risk import num_certified
from pointsman.program.judgement import answering
from pointsman.program.ladder.climbing import Ladder, Rung
from pointsman.program.ladder.head import Heads, fit_heads
from pointsman.program.ladder.limits import Limits, Tried, limits_for
from pointsman.program.ladder.remembering import Remembered
from pointsman.program.recorded import RecordedAnswers
from pointsman.program.runtime import Table

__all__ = ["ERRORS", "Calibrated", "Certificate", "Example", "Promise", "Proposed", "calibrate", "came_to", "propose"]

ERRORS: Final = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
"""Shares of errors among what a rung answers, from the safest setting on; at 0 the top rung answers everything."""

_FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs of the program, and answers that are known, by the words of the questions."""

    inputs: dict[str, Any] | list[Any]
    answers: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """With this confidence no more than this share of requests comes to something else than with the top rung.

    Raises:
        BadRequest: `invalid_risk` for numbers that are not between 0 and 1.
    """

    epsilon: float = 0.02
    confidence: float = 0.95

    def __post_init__(self) -> None:
        num_certified((), limit=self.epsilon, confidence=self.confidence)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found of a ladder.

    Attributes:
        promise: what was asked for.
        is_certified: whether any setting but the top rung alone keeps it; if not, the top rung answers.
        num_examples: different ones that certified it.
        num_losses: of these, how many came to something else.
        top_share: of the questions that were asked of them, how many the top rung answered.
        error: the setting, of ``ERRORS``.
        rungs: names, the cheapest first.
    """

    promise: Promise
    is_certified: bool
    num_examples: int
    num_losses: int
    top_share: float
    error: float
    rungs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A ladder's parts with their certificate, and what each setting that was tried lost and asked of the top rung."""

    heads: Heads
    limits: Limits
    certificate: Certificate
    tried: tuple[tuple[float, int, float], ...]


def calibrate(
    table: Table,
    examples: Sequence[Example],
    rungs: Sequence[Rung],
    promise: Promise,
    *,
    seed: int = 0,
    with_heads: bool = True,
    on_run: Callable[[int], None] = lambda _: None,
) -> Calibrated:
    """Finds limits for a program's ladder.

    Args:
        table: the program.
        examples: of requests as they will come. Equal ones count once: what comes again would promise too much.
        rungs: answerers, the cheapest first; the last one is the reference where an example has no answer.
        promise: what has to hold.
        seed: of the halves and folds.
        with_heads: whether linear heads are fitted as the first rung.
        on_run: is told how many runs of the program were made.

    Raises:
        BadRequest: `bad_inputs` for inputs that the program does not take; `bad_examples` for answers to what it does
            not ask, or that cannot be answers.
        PointsmanError: what a rung raises.
    """
    for number, one in enumerate(examples, 1):
        _check(one, table.questions, number)
    distinct = list({json.dumps(one.inputs, sort_keys=True): one for one in examples}.values())
    random.Random(seed).shuffle(distinct)  # noqa: S311
    choosing, certifying = distinct[: len(distinct) // 2], distinct[len(distinct) // 2 :]
    kept = [Remembered(rung) for rung in rungs]  # many settings ask the same
    proposed = propose(table, choosing, kept, seed=seed, with_heads=with_heads, on_run=on_run)
    heads, settings = proposed.heads, proposed.limits
    runs = [(one, came_to(table, one, _Given(one.answers, kept[-1]))) for one in certifying]
    results: list[tuple[int, float]] = []
    for limits in settings:
        results.append(_measured(table, runs, Ladder([Remembered(heads), *kept], limits), kept[-1].name, on_run))
        losses = [(lost, len(runs)) for lost, _ in results]
        certified = num_certified(losses, limit=promise.epsilon, confidence=promise.confidence)
        if certified < len(results):
            break
    chosen = max(certified - 1, 0)
    names = (heads.name, *(rung.name for rung in kept)) if with_heads else tuple(rung.name for rung in kept)
    found = Certificate(
        promise, certified > 0, len(runs), results[chosen][0], results[chosen][1], ERRORS[chosen], names
    )
    history = tuple((error, *result) for error, result in zip(ERRORS, results, strict=False))
    return Calibrated(heads, settings[chosen], found, history)


@dataclass(frozen=True, slots=True)
class Proposed:
    """Heads, and for each share of ``ERRORS`` the limits from which on a rung is trusted."""

    heads: Heads
    limits: tuple[Limits, ...]


def propose(
    table: Table,
    examples: Sequence[Example],
    rungs: Sequence[Rung],
    *,
    seed: int = 0,
    with_heads: bool = True,
    on_run: Callable[[int], None] = lambda _: None,
) -> Proposed:
    """Fits heads, and finds limits for every setting. Nothing is certified by it. Arguments as those of ``calibrate``.

    Raises:
        PointsmanError: what a rung raises.
    """
    asked = _references(table, examples, rungs[-1], on_run)
    heads = Heads(fit_heads(asked, seed) if with_heads else {})
    tried = [*_cross_fitted(asked, seed)] if with_heads else []
    tried += [one for rung in rungs[:-1] for one in _tried(rung, asked)]
    return Proposed(heads, tuple(limits_for(tried, error) for error in ERRORS))


def _check(example: Example, questions: Sequence[Question], number: int) -> None:
    for wording, value in example.answers.items():
        meant = [question for question in questions if question.wording == wording]
        if not any(question.admits(value) for question in meant):
            expected = meant[0].expected if meant else "one of " + ", ".join(repr(q.wording) for q in questions)
            problem = f"request {number}: {wording!r} is answered with {value!r:.40}; expected {expected}"
            raise BadRequest(problem, code="bad_examples", param=wording)


class _Given:
    """The reference: an example's own answers, and the top rung's where it has none."""

    def __init__(self, answers: Mapping[str, Value], top: Rung) -> None:
        self._answers, self._top = answers, top

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        given = RecordedAnswers(self._answers)
        return [
            (given if question.wording in self._answers else self._top).answer([(question, text)])[0]
            for question, text in asked
        ]


@dataclass(frozen=True, slots=True)
class Run:
    """What a program came to, and what was asked for it."""

    outcome: str
    replies: Mapping[tuple[Question, str], Reply]


def came_to(table: Table, example: Example, answerer: Answerer) -> Run:
    """Runs a program on an example's inputs."""
    with answering(answerer) as asking:
        answer = table.answer(example.inputs)
    return Run(f"{answer.kind} {answer.json_text}", asking.replies)


def _references(
    table: Table, examples: Sequence[Example], top: Rung, on_run: Callable[[int], None]
) -> dict[Question, list[tuple[str, Value]]]:
    """What was asked with the reference's answers, by question."""
    asked: dict[Question, list[tuple[str, Value]]] = {}
    for one in examples:
        for (question, text), reply in came_to(table, one, _Given(one.answers, top)).replies.items():
            asked.setdefault(question, []).append((text, reply.value))
        on_run(1)
    return asked


def _tried(rung: Rung, asked: Mapping[Question, Sequence[tuple[str, Value]]]) -> list[Tried]:
    found = []
    for question, answered in asked.items():
        if rung.knows(question):
            replies = rung.answer([(question, text) for text, _ in answered])
            right = [reply.value == value for reply, (_, value) in zip(replies, answered, strict=True)]
            found += [Tried(rung.name, question, r.confidence, ok) for r, ok in zip(replies, right, strict=True)]
    return found


def _cross_fitted(asked: Mapping[Question, Sequence[tuple[str, Value]]], seed: int) -> list[Tried]:
    """What heads say of examples that they were not fitted to."""
    found = []
    for fold in range(_FOLDS):
        rest = {q: [one for i, one in enumerate(its) if i % _FOLDS != fold] for q, its in asked.items()}
        left = {q: [one for i, one in enumerate(its) if i % _FOLDS == fold] for q, its in asked.items()}
        found += _tried(Heads(fit_heads(rest, seed)), left)
    return found


def _measured(
    table: Table, runs: Sequence[tuple[Example, Run]], ladder: Ladder, top: str, on_run: Callable[[int], None]
) -> tuple[int, float]:
    """How many examples come to something else, and the share of questions that the top rung answers."""
    lost = num_asked = num_top = 0
    for example, reference in runs:
        found = came_to(table, example, ladder)
        lost += found.outcome != reference.outcome
        num_asked += len(found.replies)
        num_top += sum(reply.rung == top for reply in found.replies.values())
        on_run(1)
    return lost, num_top / max(num_asked, 1)
