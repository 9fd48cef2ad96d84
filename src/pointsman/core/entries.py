"""One request as the ledger tells it: what was decided, what was billed, and what an audit found.

Neither prompts nor outputs are part of it, so that it can be kept and read by anyone who may see the bill.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.core.errors import BadRequest
from pointsman.core.records import Cost, Decision

COST_KINDS: Mapping[str, str] = {
    "nano_usd": "USD",
    "prompt_tokens": "tokens",
    "completion_tokens": "tokens",
    "moved_bytes": "bytes",
    "seconds": "s",
}
"""The kinds of a cost that can be compared, each with the unit that people read it in."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What an answer came to.

    Attributes:
        arm: who answered.
        cost: what was billed.
        correct: whether it was right, or None where nobody knows.
        agrees: of an audit, whether it comes to the same as the client's answer, or None where nobody compared.
        missed: what those took that were asked before and did not answer, and what was read of a model to choose; not
            in `cost`.
    """

    arm: str
    cost: Cost
    correct: bool | None
    agrees: bool | None = None
    missed: Cost = field(default_factory=Cost.zero)

    @property
    def total(self) -> Cost:
        """All that the answer took."""
        return self.cost + self.missed


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        request_id: its name, of which the ledger has one.
        time_us: when it was decided, microseconds since 1970 in UTC.
        level: which level decided: `program`, `memory`, `solver`, `query`, `token`, `unit`, ...
        decision: who answers.
        reference: the arm that savings are counted against; None where none is named.
        features: numbers of the request that a policy decides by, None where they are not kept.
        digest: of the request under a secret key, by which the same request is found again; None where not kept.
        billed: the client's answer; None until it is settled.
        audit: the reference arm's answer to the same request; None where there is none.

    Raises:
        BadRequest: `invalid_entry` for an empty name or level, a negative time, or a feature that is not finite.
    """

    request_id: str
    time_us: int
    level: str
    decision: Decision
    reference: str | None = None
    features: tuple[float, ...] | None = None
    digest: bytes | None = None
    billed: Settled | None = None
    audit: Settled | None = None

    def __post_init__(self) -> None:
        if not self.request_id or not self.level or self.time_us < 0:
            problem = f"request_id {self.request_id!r}, level {self.level!r}, time_us {self.time_us!r}"
            raise BadRequest(f"{problem}; expected names, and microseconds from 0 up", code="invalid_entry")
        if self.features is not None and not all(map(math.isfinite, self.features)):
            problem = f"the features of {self.request_id!r} hold a number that is not finite"
            raise BadRequest(problem, code="invalid_entry", param="features")

    @property
    def referred(self) -> Settled | None:
        """What deciding for the reference arm gives, where the request was drawn for an audit; else None.

        Where the reference arm was decided on anyway, that is its bill, and no second answer is needed.
        """
        if not self.decision.is_audited or self.reference is None:
            return None
        return self.billed if self.decision.arm == self.reference else self.audit


def cost_of(cost: Cost, kind: str) -> float:
    """One kind of a cost, in the ledger's own unit (nano-dollars, tokens, bytes, seconds).

    Raises:
        BadRequest: `unknown_cost` for a name that is none of `COST_KINDS`.
    """
    if kind not in COST_KINDS:
        raise BadRequest(f"there is no cost {kind!r}; expected one of {', '.join(COST_KINDS)}", code="unknown_cost")
    return float(getattr(cost, kind))
