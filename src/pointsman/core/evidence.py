"""Evidence that a mean has risen above zero, which may be looked at after every value.

A gambler bets on each value before it comes; where values are not above zero on average no strategy gains, and wealth
that reaches 1 / error has chance of at most `error` of ever doing so (Ville's inequality), however often one looks
(Waudby-Smith and Ramdas, JRSS B 2024, arXiv 2010.09686). Here the gambler spreads over stakes, and over when the change
may have come: a share 1 / (t (t + 1)) of the money is kept for value t. So evidence is not used up by a long time in
which all was well, and a change after t values costs 2 ln t nats more than one at the start.

    evidence = Evidence(least=-1.0)
    for value in values:
        evidence.add(value)
        if evidence.value >= 1 / 0.05: ...          # false with a chance of 0.05 at most, for ever

Covered: values from `least` up whose mean, given all that came before, is at most zero. No upper limit and no
independence is needed. Not covered: values below `least`; they raise.
"""

from collections.abc import Mapping
from typing import Any, Self

from pointsman.core.errors import BadRequest

_NUM_STAKES, _MOST_STAKED = 8, 0.75
"""Stakes are 0.75, 0.375, ... of what a value of `least` would ruin: eight span means from 0.3 % to 40 % of it. Chosen;
the guarantee holds for any."""


class Evidence:
    """An e-process. It changes as values are added; 10 numbers, which `to_json` gives and `from_json` takes."""

    __slots__ = ("_least", "_stakes", "_wealths", "num_values")

    def __init__(self, least: float) -> None:
        if not least < 0:
            raise BadRequest(f"least is {least!r}; expected a number below 0", code="invalid_evidence", param="least")
        self._least = least
        self._stakes = [_MOST_STAKED / -least / 2**number for number in range(_NUM_STAKES)]
        self._wealths = [0.0] * _NUM_STAKES
        self.num_values = 0

    @property
    def value(self) -> float:
        """How much the gambler has, from 1 at the start. Under the hypothesis its mean is at most 1 at any time."""
        return sum(self._wealths) / _NUM_STAKES + 1 / (self.num_values + 1)

    def add(self, value: float) -> None:
        """One more value.

        Raises:
            BadRequest: `invalid_evidence` for a value below `least`.
        """
        if not value >= self._least:
            problem = f"the value is {value!r}; expected a number from {self._least:g} up"
            raise BadRequest(problem, code="invalid_evidence", param="value")
        self.num_values += 1
        fresh = 1 / (self.num_values * (self.num_values + 1))
        self._wealths = [
            (wealth + fresh) * (1 + stake * value) for wealth, stake in zip(self._wealths, self._stakes, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {"least": self._least, "num_values": self.num_values, "wealths": list(self._wealths)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            BadRequest: `invalid_evidence` where it is not that.
        """
        try:
            found = cls(float(data["least"]))
            found.num_values, found._wealths = int(data["num_values"]), [float(item) for item in data["wealths"]]
        except (KeyError, TypeError, ValueError) as exc:
            raise BadRequest(f"this is no saved evidence: {exc!r}", code="invalid_evidence") from exc
        if len(found._wealths) != _NUM_STAKES or found.num_values < 0:
            problem = f"saved evidence has {len(found._wealths)} wealths; expected {_NUM_STAKES}"
            raise BadRequest(problem, code="invalid_evidence")
        return found
