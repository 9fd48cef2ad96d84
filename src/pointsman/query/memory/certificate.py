"""When memory may answer without asking: a test, valid at any time, that such answers are wrong rarely enough.

Lookups fall into bands by how likely the learned model thinks a wrong answer. Each band has a test of its own of the
hypothesis that it is wrong with chance delta or more, whatever the model says. The evidence is the likelihood ratio of
smaller chances (0, delta / 4 and delta / 2, mixed) to delta, over the lookups whose true answer came to be known. It
is a supermartingale under the hypothesis, so by Ville's inequality it passes 1 / error with chance `error` at most,
however often one looks (Wald; Ramdas et al., arXiv 2210.01948). A test that goes badly begins anew, with error shares
that sum to the whole: 1 - confidence over all bands and all beginnings.

After that a share of the band's answers is still asked, at random, and the evidence of the contrary (a chance of
3 delta, by CUSUM) takes the certificate away.

Covered: lookups whose chance to be wrong, in a band, does not rise later; those that were asked at random stand for
those that were answered. With zero wrong ones a band takes 257 lookups at delta 0.02, 101 at 0.05 (95 %).
Not covered: a sudden change after the certificate. At an audited share of 0.05, traffic of only wrong lookups gets
about 60 wrong answers of a band before its certificate is gone.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pointsman.core import BadRequest

__all__ = ["EDGES", "Certificate", "Evidence"]

EDGES: Final = (0.1, 0.4)
"""Upper ends of the bands; what is above the last is never answered. Chosen on seeds that no figure uses."""

_SHARES: Final = (0.0, 0.25, 0.5)  # of delta: the alternatives of the test
_GONE_BADLY: Final = math.log(1 / 20)  # evidence at which a test begins anew
_CONTRARY: Final = 3.0  # times delta: what the watch looks for
_REVOKING: Final = math.log(20)  # evidence at which it takes a certificate away


@dataclass(frozen=True, slots=True)
class Evidence:
    """One band's test. `logs` are log likelihood ratios by alternative; `watched` is that of the watch."""

    beginning: int = 1
    is_certified: bool = False
    logs: tuple[float, ...] = (0.0,) * len(_SHARES)
    watched: float = 0.0
    num_tries: int = 0
    num_wrong: int = 0


@dataclass
class Certificate:
    """The tests of all bands.

    Raises:
        BadRequest: `invalid_risk` for a delta or confidence that is not between 0 and 1, or a delta of a third or more.
    """

    delta: float
    confidence: float = 0.95
    edges: tuple[float, ...] = EDGES
    bands: list[Evidence] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not (0 < self.delta < 1 / _CONTRARY and 0 < self.confidence < 1):
            problem = (
                f"delta is {self.delta!r} and confidence {self.confidence!r}; expected 0 < delta < 1/3 and below 1"
            )
            raise BadRequest(problem, code="invalid_risk")
        self.bands = self.bands or [Evidence() for _ in self.edges]

    def band(self, upper: float) -> int | None:
        """The band of a lookup; None above the last one."""
        found = bisect_left(self.edges, upper)
        return found if found < len(self.edges) else None

    def covers(self, upper: float) -> bool:
        """Whether a lookup may be answered without asking."""
        band = self.band(upper)
        return band is not None and self.bands[band].is_certified

    def learn(self, upper: float, is_wrong: bool) -> None:
        """Takes a lookup whose true answer was asked. `upper` is from before the model learned of it."""
        band = self.band(upper)
        if band is not None:
            found = self.bands[band]
            found = replace(found, num_tries=found.num_tries + 1, num_wrong=found.num_wrong + is_wrong)
            self.bands[band] = self._watch(found, is_wrong) if found.is_certified else self._test(found, is_wrong)

    def _test(self, found: Evidence, is_wrong: bool) -> Evidence:
        logs = tuple(
            log + _log_ratio(share * self.delta, self.delta, is_wrong)
            for log, share in zip(found.logs, _SHARES, strict=True)
        )
        greatest = max(logs)
        mixed = greatest + math.log(sum(math.exp(log - greatest) for log in logs) / len(logs))
        error = (1 - self.confidence) / len(self.edges) / (found.beginning * (found.beginning + 1))
        if mixed >= -math.log(error):
            return replace(found, is_certified=True, logs=logs, watched=0.0)
        if mixed < _GONE_BADLY:
            return _again(found)
        return replace(found, logs=logs)

    def _watch(self, found: Evidence, is_wrong: bool) -> Evidence:
        watched = max(found.watched, 0.0) + _log_ratio(_CONTRARY * self.delta, self.delta, is_wrong)
        return _again(found) if watched >= _REVOKING else replace(found, watched=watched)

    def to_json(self) -> list[list[Any]]:
        """What `restore` takes."""
        names = Evidence.__slots__
        return [[_finite(getattr(one, name)) for name in names] for one in self.bands]

    def restore(self, rows: list[list[Any]]) -> None:
        """Takes what `to_json` gave; other bands than these begin anew."""
        if len(rows) == len(self.edges):
            self.bands = [
                Evidence(row[0], row[1], tuple(-math.inf if x is None else x for x in row[2]), *row[3:]) for row in rows
            ]


def _again(found: Evidence) -> Evidence:
    return Evidence(found.beginning + 1, num_tries=found.num_tries, num_wrong=found.num_wrong)


def _log_ratio(chance: float, null: float, is_wrong: bool) -> float:
    """Log likelihood of an observation under `chance` over that under `null`."""
    if is_wrong:
        return math.log(chance / null) if chance else -math.inf
    return math.log1p(-chance) - math.log1p(-null)


def _finite(value: Any) -> Any:
    return [None if x == -math.inf else x for x in value] if isinstance(value, tuple) else value
