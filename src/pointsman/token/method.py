"""A way for two models to write one text: when the small one hands over, and what the large one lets stand.

Every published method is one setting of these few parts, so all of them run in one loop under one count of costs (CITER
arXiv 2502.01976, R2R 2505.21600, Co-LLM 2403.03870, BiLD 2302.07863, SpecDec++ 2405.19715, speculative cascades
2405.19261).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pointsman.core import BadRequest
from pointsman.token.gate import Gate
from pointsman.token.judges import Bounded, CrossEntropy, Divergence, Exact, Judge
from pointsman.token.scores import Opinion, Scorer, Uniform
from pointsman.token.stops import After, Below, Hazard, Stop, Unlikely

ALWAYS = 2.0
"""No chance reaches it."""


Role = Literal["both", "small", "large"]
"""Who writes a text."""


MOST_CALLS = 64
"""Of a text, as outlooks know it."""


class Outlook(NamedTuple):
    """What is expected of a text, from the small model's reading of its prompt.

    Attributes:
        right: chance that the small model alone answers rightly.
        calls: of the large model, if both write it.
    """

    right: float
    calls: float

    @classmethod
    def of(cls, columns: Sequence[float]) -> "Outlook":
        """From the outputs of a gate: the chance, and perhaps the calls as a share of `MOST_CALLS`."""
        right, *calls = columns
        return cls(right, MOST_CALLS * calls[0] if calls else 1.0)


@dataclass(frozen=True, slots=True)
class Method:
    """The parts of a method.

    Attributes:
        name: by which results and reports call it.
        stop: when the small model hands over.
        scorer: scores its tokens, or None where the stop rule looks at none.
        judge: what may stand of the span that is pending, or None: the small model's tokens stand at once.
        keeps_last: the token at which the small model stops is pending too; otherwise the large one writes in its
            place.
        most_pending: tokens after which the small model hands over in any case.
        forgives: a token that is not let stand stands all the same where the chance that it loses the answer is at most
            this, as the scorer says. 0 forgives none.
        end_safety: a text that the small model ends is checked where the chance that nothing pending loses the answer
            is below this.
        begins_large: the large model writes the first token.
        rewrites: after a rollback the large model writes one token more.
        outlook: says before the first token how likely the small model alone answers rightly, and how many calls of the
            large one the text would take (see `Outlook`), or None.
        alone_from: chance from which a text is left to the small model.
        alone_risk: chance of losing the answer, for each call that is saved, up to which it is left to it as well.
        else_large: all other texts are left to the large model, in place of both.
        lookup_from: chance from which a token that was looked up is pending before the small model writes; at 1 nothing
            is looked up.
    """

    name: str
    stop: Stop
    scorer: Scorer | None = None
    judge: Judge | None = None
    keeps_last: bool = False
    most_pending: int = 64
    forgives: float = 0.0
    end_safety: float = 0.0
    begins_large: bool = False
    rewrites: bool = False
    outlook: Gate | None = None
    alone_from: float = ALWAYS
    alone_risk: float = 0.0
    else_large: bool = False
    lookup_from: float = 1.0

    def is_forgiven(self, opinion: Opinion) -> bool:
        """Whether a token stands whatever the large model says of it."""
        return self.forgives > 0 and 1 - opinion.harmless <= self.forgives

    def role(self, outlook: Outlook) -> Role:
        """Who writes a text of that outlook."""
        is_worth_it = self.alone_risk > 0 and 1 - outlook.right <= self.alone_risk * outlook.calls
        if is_worth_it or outlook.right >= self.alone_from:
            return "small"
        return "large" if self.else_large else "both"

    def __post_init__(self) -> None:
        """Raises `BadRequest` (`invalid_method`) for parts that do not go together."""
        if self.judge is None and (self.keeps_last or self.end_safety > 0):
            raise BadRequest("a method without a judge has nothing to check", code="invalid_method")
        if self.lookup_from < 1 and (self.judge is None or self.judge.needs_small or not self.keeps_last):
            problem = "what is looked up has to be judged, and by the large model alone"
            raise BadRequest(problem, code="invalid_method")
        if self.most_pending < 1:
            raise BadRequest(f"most_pending is {self.most_pending}; expected 1 or more", code="invalid_method")


def routed(name: str, scorer: Scorer, threshold: float) -> Method:
    """The large model writes each token whose score is below the threshold; all others stand unseen.

    CITER, R2R, Co-LLM and confidence differ in the scorer alone.
    """
    return Method(name, Below(require_share(threshold, "threshold")), scorer)


def at_random(rate: float, seed: int = 0) -> Method:
    """The large model writes a random share of the tokens."""
    return routed("random", Uniform(seed), rate)


def speculative(num_tokens: int) -> Method:
    """Strict speculative decoding with a fixed draft length."""
    require_count(num_tokens, "num_tokens")
    return Method("speculative", After(num_tokens), judge=Exact(), keeps_last=True, end_safety=ALWAYS)


def adaptive_speculative(scorer: Scorer, most_hazard: float) -> Method:
    """Strict speculative decoding that stops drafting where a rejection is likely: SpecDec++."""
    stop = Hazard(require_share(most_hazard, "most_hazard"))
    return Method("specdec++", stop, scorer, Exact(), keeps_last=True, end_safety=ALWAYS)


def cascade(num_tokens: int, tolerance: float) -> Method:
    """Speculative cascades with rule V3 and a fixed draft length."""
    judge = Bounded(require_share(tolerance, "tolerance"))
    return Method(
        "cascade", After(require_count(num_tokens, "num_tokens")), judge=judge, keeps_last=True, end_safety=ALWAYS
    )


def by_divergence(num_tokens: int, most_nats: float) -> Method:
    """A fixed draft length and the training-free rule by KL divergence."""
    stop = After(require_count(num_tokens, "num_tokens"))
    return Method("kl", stop, judge=Divergence(most_nats), keeps_last=True, end_safety=ALWAYS)


def bild(scorer: Scorer, fallback: float = 0.6, rollback_nats: float = 5.0) -> Method:
    """BiLD as released: the large model begins, falls back on doubt, and keeps the pen after a rollback.

    Its code lets the small model end a text, unchecked.
    """
    stop, judge = Below(require_share(fallback, "fallback")), CrossEntropy(rollback_nats)
    return Method("bild", stop, scorer, judge, most_pending=10, begins_large=True, rewrites=True)


def by_query(outlook: Gate, threshold: float) -> Method:
    """Whole texts go to one model: to the small one from this outlook on, else to the large one."""
    alone_from = require_share(threshold, "threshold")
    return Method("query", Below(0.0), outlook=outlook, alone_from=alone_from, else_large=True)


def ours(
    scorer: Scorer,
    least_survival: float,
    tolerance: float,
    risk: float,
    lookup: float = 1.0,
    outlook: Gate | None = None,
) -> Method:
    """A trained stop whose threshold follows from prices, and a bounded check of everything pending at every call.

    Args:
        scorer: a gate that was taught what the judge lets stand, and perhaps what loses the answer where it does not.
        least_survival: see `prices.best_threshold`.
        tolerance: of the judge; 0 is strict.
        risk: chance of losing the answer at which a call is saved: a token is forgiven, an end is not checked, and a
            text that would take n calls is left to the small model at n times the risk. At 0 nothing of this happens.
        lookup: chance from which a token that was looked up is taken.
        outlook: a gate that was taught what the small model answers rightly.
    """
    for name, dial in (("tolerance", tolerance), ("risk", risk), ("lookup", lookup)):
        require_share(dial, name)
    return Method(
        "pointsman",
        Unlikely(require_share(least_survival, "least_survival")),
        scorer,
        Exact() if tolerance == risk == 0 else Bounded(tolerance),
        keeps_last=True,
        forgives=risk,
        end_safety=1 - risk if risk > 0 else ALWAYS,
        outlook=outlook,
        alone_risk=risk,
        lookup_from=lookup,
    )


def require_share(value: float, name: str) -> float:
    """Raises `BadRequest` (`invalid_dial`) unless the value is from 0 to 1."""
    if not 0 <= value <= 1:
        raise BadRequest(f"{name} is {value!r}; expected 0 to 1", code="invalid_dial", param=name)
    return value


def require_count(value: int, name: str) -> int:
    """Raises `BadRequest` (`invalid_dial`) unless the value is 1 or more."""
    if value < 1:
        raise BadRequest(f"{name} is {value!r}; expected 1 or more", code="invalid_dial", param=name)
    return value
