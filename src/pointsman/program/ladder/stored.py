"""A calibrated ladder as a part of a program's artefact: heads, limits and their certificate, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pointsman.core import BadRequest
from pointsman.core.asking import VALUE_TYPES, Question, QuestionKind
from pointsman.program.ladder.calibrating import Calibrated, Certificate, Promise
from pointsman.program.ladder.climbing import Ladder, Rung
from pointsman.program.ladder.head import Head, Heads
from pointsman.program.ladder.limits import Limits

__all__ = ["StoredLadder"]


@dataclass(frozen=True, slots=True)
class StoredLadder:
    """What `calibrate` found, to be put together with models again."""

    heads: Heads
    limits: Limits
    certificate: Certificate

    @staticmethod
    def of(calibrated: Calibrated) -> StoredLadder:
        return StoredLadder(calibrated.heads, calibrated.limits, calibrated.certificate)

    def ladder(self, rungs: Sequence[Rung]) -> Ladder:
        """The ladder with these models, the cheapest first; the top one alone where nothing is certified.

        Raises:
            BadRequest: `other_rungs` where the certificate is of other models.
        """
        if not self.certificate.is_certified:
            return Ladder(rungs[-1:], Limits())
        names = tuple(rung.name for rung in rungs)
        certified = tuple(name for name in self.certificate.rungs if name != Heads.name)
        if names != certified:
            told = f"the ladder is certified for {', '.join(certified)}; given are {', '.join(names)}"
            raise BadRequest(f"{told}; calibrate it again", code="other_rungs")
        return Ladder([self.heads, *rungs], self.limits)

    def to_json(self) -> dict[str, Any]:
        heads = [{"question": _question_json(q), **head.to_json()} for q, head in self.heads.heads.items()]
        limits = [
            {"rung": rung, "question": _question_json(question), "least": least}
            for (rung, question), least in self.limits.least.items()
            if least <= 1
        ]
        return {"heads": heads, "limits": limits, "certificate": asdict(self.certificate)}

    @staticmethod
    def from_json(data: Any) -> StoredLadder:
        """Raises BadRequest ``bad_artefact`` for what ``to_json`` does not write."""
        try:
            heads = {_question(one["question"]): Head.from_json(one) for one in data["heads"]}
            limits = {(str(one["rung"]), _question(one["question"])): float(one["least"]) for one in data["limits"]}
            found = dict(data["certificate"])
            promise = Promise(**found.pop("promise"))
            certificate = Certificate(promise, **{**found, "rungs": tuple(found["rungs"])})
        except (KeyError, TypeError, ValueError) as exc:
            raise BadRequest(f"not a ladder: {exc!r}", code="bad_artefact") from exc
        return StoredLadder(Heads(heads), Limits(limits), certificate)


def _question_json(question: Question) -> list[Any]:
    return [question.kind, question.wording, question.type, list(question.options)]


def _question(data: Any) -> Question:
    kind, wording, type_, options = data
    if kind not in get_args(QuestionKind) or type_ not in VALUE_TYPES or not isinstance(wording, str):
        raise ValueError(f"no question: {data!r:.80}")
    return Question(kind, wording, type_, tuple(map(str, options)))
