"""The cheapest rung that reads: linear heads on hashed features of the text, one for each question.

Fitted to answered examples with scikit-learn, served with numpy. A question needs examples of two answers at least;
what was never an answer among them is never given.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pointsman.core import BadRequest, Cost
from pointsman.core.asking import Question, Reply, Value
from pointsman.core.ngrams import ngrams

__all__ = ["Head", "Heads", "fit_head", "fit_heads"]

NUM_FEATURES: Final = 1 << 12
_STRENGTHS: Final = (1.0, 10.0, 100.0)  # of the fit: the inverse of scikit-learn's regularisation
_LEAST_EXAMPLES: Final = 20
_FOLDS: Final = 5

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """One question's head.

    Attributes:
        values: the answers it can give.
        weights: (answers, features).
        biases: (answers,).
    """

    values: tuple[Value, ...]
    weights: Floats
    biases: Floats

    def probabilities(self, features: Mapping[int, float]) -> Floats:
        """The chance of each answer, for a text's features."""
        weights = np.fromiter(features.values(), dtype=np.float32, count=len(features))
        scores = self.biases + self.weights[:, list(features)] @ weights
        raised: Floats = np.exp(scores - scores.max())
        return np.asarray(raised / raised.sum(), dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Weights as half floats in base64."""
        data = base64.b64encode(self.weights.astype("<f2").tobytes()).decode()
        return {"values": list(self.values), "biases": self.biases.tolist(), "weights": data}

    @staticmethod
    def from_json(data: Any) -> Head:
        """Raises BadRequest ``bad_head`` for what ``to_json`` does not write."""
        try:
            values = tuple(data["values"])
            biases = np.asarray([float(bias) for bias in data["biases"]], dtype=np.float32)
            flat = np.frombuffer(base64.b64decode(data["weights"], validate=True), dtype="<f2")
            weights = flat.reshape(len(values), -1).astype(np.float32)
        except (KeyError, TypeError, ValueError, OverflowError) as exc:
            raise BadRequest(f"not the head of a question: {exc}", code="bad_head") from exc
        if (
            len(biases) != len(values)
            or not weights.size
            or not np.isfinite(weights).all()
            or not np.isfinite(biases).all()
        ):
            raise BadRequest("not the head of a question: its numbers do not fit together", code="bad_head")
        return Head(values, weights, biases)


class Heads:
    """Implements ``climbing.Rung`` for the questions that there is a head for."""

    name = "head"

    def __init__(self, heads: Mapping[Question, Head]) -> None:
        self.heads = dict(heads)

    def knows(self, question: Question) -> bool:
        return question in self.heads

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Raises KeyError for a question that it does not know."""
        return [self._answer(self.heads[question], text) for question, text in asked]

    def _answer(self, head: Head, text: str) -> Reply:
        begun = time.perf_counter()
        features = ngrams(text, head.weights.shape[1])
        chances = head.probabilities(features)
        best = int(chances.argmax())
        moved_bytes = head.weights.itemsize * len(head.values) * (len(features) + 1)
        cost = Cost(0, 0, 0, moved_bytes, time.perf_counter() - begun)
        return Reply(head.values[best], float(chances[best]), self.name, cost)


def fit_heads(examples: Mapping[Question, Sequence[tuple[str, Value]]], seed: int = 0) -> dict[Question, Head]:
    """A head for each question that has enough examples of two answers or more; nothing for extracted values."""
    heads = {question: fit_head(answered, seed) for question, answered in examples.items() if _fits(question)}
    return {question: head for question, head in heads.items() if head is not None}


def _fits(question: Question) -> bool:
    return question.type in {"bool", "option"}


def fit_head(answered: Sequence[tuple[str, Value]], seed: int = 0) -> Head | None:
    """Logistic regression; its strength is chosen by cross-validation. None where the examples are too few or alike."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from threadpoolctl import threadpool_limits

    values = sorted({value for _, value in answered}, key=repr)
    targets = np.array([values.index(value) for _, value in answered])
    if len(values) < 2 or len(answered) < _LEAST_EXAMPLES or np.bincount(targets).min() < _FOLDS:
        return None
    features = _matrix([text for text, _ in answered])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    strengths = {"C": list(_STRENGTHS)}
    search = GridSearchCV(LogisticRegression(max_iter=1000), strengths, scoring="neg_log_loss", cv=folds)
    with threadpool_limits(1):  # on two cores 0.24 s in place of 3.5: threads wait for each other in many short steps
        fitted = search.fit(features, targets).best_estimator_
    weights, biases = fitted.coef_, fitted.intercept_
    if len(values) == 2:  # one row: the second against the first
        weights, biases = np.vstack([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
    kept = weights.astype("<f2").astype(np.float32)  # as on disk, so that what is certified is what is loaded
    return Head(tuple(values), kept, biases.astype(np.float32))


def _matrix(texts: Sequence[str]) -> Any:
    from scipy.sparse import csr_matrix

    rows = [ngrams(text, NUM_FEATURES) for text in texts]
    indices = [index for row in rows for index in row]
    weights = [weight for row in rows for weight in row.values()]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((weights, indices, starts), shape=(len(texts), NUM_FEATURES))
