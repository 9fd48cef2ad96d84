"""A way for two models to write one text: when the small one hands over, and what the large one lets stand.

Every published method is one setting of these few parts, so all of them run in one loop under one count of costs (CITER
arXiv 2502.01976, R2R 2505.21600, Co-LLM 2403.03870, BiLD 2302.07863, SpecDec++ 2405.19715, speculative cascades
2405.19261).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.core import BadRequest
from pointsman.token.judges import Bounded, CrossEntropy, Divergence, Exact, Judge
from pointsman.token.scores import Scorer, Uniform
from pointsman.token.stops import After, Below, Hazard, Stop, Unlikely

ALWAYS = 2.0
"""No survival reaches it."""


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
        end_survival: a text that the small model ends is checked where the pending span's survival is below this.
        begins_large: the large model writes the first token.
        rewrites: after a rollback the large model writes one token more.
        assists: share of the texts that both models write; the small one writes the others alone. A hash of the prompt
            decides, so the same prompt is always treated alike.
    """

    name: str
    stop: Stop
    scorer: Scorer | None = None
    judge: Judge | None = None
    keeps_last: bool = False
    most_pending: int = 64
    end_survival: float = 0.0
    begins_large: bool = False
    rewrites: bool = False
    assists: float = 1.0

    def is_assisted(self, prompt: Sequence[int]) -> bool:
        """Whether both models write the text behind this prompt."""
        return zlib.crc32(repr(tuple(prompt)).encode()) < self.assists * 2**32

    def __post_init__(self) -> None:
        """Raises `BadRequest` (`invalid_method`) for parts that do not go together."""
        if self.judge is None and (self.keeps_last or self.end_survival > 0):
            raise BadRequest("a method without a judge has nothing to check", code="invalid_method")
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
    return Method("speculative", After(num_tokens), judge=Exact(), keeps_last=True, end_survival=ALWAYS)


def adaptive_speculative(scorer: Scorer, most_hazard: float) -> Method:
    """Strict speculative decoding that stops drafting where a rejection is likely: SpecDec++."""
    stop = Hazard(require_share(most_hazard, "most_hazard"))
    return Method("specdec++", stop, scorer, Exact(), keeps_last=True, end_survival=ALWAYS)


def cascade(num_tokens: int, tolerance: float) -> Method:
    """Speculative cascades with rule V3 and a fixed draft length."""
    judge = Bounded(require_share(tolerance, "tolerance"))
    return Method(
        "cascade", After(require_count(num_tokens, "num_tokens")), judge=judge, keeps_last=True, end_survival=ALWAYS
    )


def by_divergence(num_tokens: int, most_nats: float) -> Method:
    """A fixed draft length and the training-free rule by KL divergence."""
    stop = After(require_count(num_tokens, "num_tokens"))
    return Method("kl", stop, judge=Divergence(most_nats), keeps_last=True, end_survival=ALWAYS)


def bild(scorer: Scorer, fallback: float = 0.6, rollback_nats: float = 5.0) -> Method:
    """BiLD as released: the large model begins, falls back on doubt, and keeps the pen after a rollback.

    Its code lets the small model end a text, unchecked.
    """
    stop, judge = Below(require_share(fallback, "fallback")), CrossEntropy(rollback_nats)
    return Method("bild", stop, scorer, judge, most_pending=10, begins_large=True, rewrites=True)


def ours(scorer: Scorer, least_survival: float, tolerance: float, end_survival: float, assists: float = 1.0) -> Method:
    """A trained stop whose threshold follows from prices, and a bounded check of everything pending at every call.

    Args:
        scorer: a gate that was taught what the judge lets stand.
        least_survival: see `prices.best_threshold`.
        tolerance: of the judge; 0 is strict.
        end_survival: texts that end with a higher survival of what is pending are not checked; above 1, all are.
        assists: share of the texts that both write; see `Method`.
    """
    judge = Exact() if require_share(tolerance, "tolerance") == 0 else Bounded(tolerance)
    stop = Unlikely(require_share(least_survival, "least_survival"))
    share = require_share(assists, "assists")
    return Method("pointsman", stop, scorer, judge, keeps_last=True, end_survival=end_survival, assists=share)


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
