"""Names of arms as a policy has them, and what each makes of a request's body.

    embedded/large?mode=steps                                the model, with worked steps
    embedded/large?budget=0.6                                the model, moving 60 % of its bytes
    embedded/pair?risk=0.005                                 two models, which save a call at such a risk of an error
    upstream-model?reasoning_effort=low&max_tokens=800       a model of an upstream, with less thought and a cap
    embedded/small?mode=direct&n=3                           three samples that vote (`query/voting.py`)

The name of a model of this server, then dials, each once. A name that says anything else is an error when the server
starts, and so is one whose model is not there or does not have the dial. A cap never exceeds the client's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pointsman.core import BadRequest
from pointsman.gateway import wire
from pointsman.query.voting import FEWEST_VOTES

N = TypeVar("N", int, float)

__all__ = ["EFFORTS", "MODES", "ArmSpec", "Served", "specs_of"]

MODES: Final = ("steps", "direct")
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
_CAPS: Final = ("max_tokens", "max_completion_tokens")
_COUNT: Final = re.compile(r"[1-9]\d{0,8}")
_MOST_VOTES: Final = 32
"""Chosen: more are a mistake in writing before they are of use."""

_WARM: Final = 0.7
"""Temperature of samples that vote, where the arm does not say. Chosen; tables of `bench arms` have it too."""

_DIALS: Final = ("mode", "reasoning_effort", "max_tokens", "budget", "risk", "n", "temperature")
_TEMPERATURE: Final = re.compile(r"[01]?\.\d{1,9}|[12](?:\.0{1,9})?")
_SHARE: Final = re.compile(r"0?\.\d{1,9}|1(?:\.0{1,9})?")


@dataclass(frozen=True, slots=True)
class Served:
    """A model that an arm may name: whether it runs on this machine, has a budget of its own, or is of two."""

    is_local: bool
    has_budget: bool = False
    has_risk: bool = False


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """An arm: a model and its dials, None where the arm leaves one alone.

    Attributes:
        name: as the policy has it.
        model: as clients of this server name it.
        mode: whether a model of this machine writes worked steps.
        reasoning_effort: OpenAI's.
        max_tokens: most tokens that it may write, whatever the client allows.
        budget: share of its bytes that the model may move.
        risk: chance of losing the answer at which two models save a call; 0 writes what the large one would.
        n: samples that vote, at most.
        temperature: of these samples; None where none vote.
    """

    name: str
    model: str
    mode: str | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    budget: float | None = None
    risk: float | None = None
    n: int | None = None
    temperature: float | None = None

    @classmethod
    def parse(cls, name: str) -> ArmSpec:
        """From a name. Raises BadRequest: `invalid_arm`."""
        model, mark, dials = name.partition("?")
        if not model or not name.isascii() or not name.isprintable() or " " in name:
            raise _invalid(name, "expected MODEL or MODEL?DIAL=VALUE&...")
        given: dict[str, str] = {}
        for item in dials.split("&") if mark else ():
            dial, is_set, value = item.partition("=")
            if not is_set or dial not in _DIALS:
                raise _invalid(name, f"expected the dials {', '.join(_DIALS)}, with values")
            if dial in given:
                raise _invalid(name, f"{dial} is given twice")
            given[dial] = value
        if "mode" in given and "reasoning_effort" in given:
            raise _invalid(name, "mode and reasoning_effort say the same; expected one of them")
        n = _number(name, given, "n", _COUNT, "a whole number", int)
        if n is not None and not FEWEST_VOTES <= n <= _MOST_VOTES:
            raise _invalid(name, f"n is {n}; expected from {FEWEST_VOTES} to {_MOST_VOTES} votes")
        temperature = _number(name, given, "temperature", _TEMPERATURE, "a number above 0 and up to 2", float)
        if n is None and temperature is not None:
            raise _invalid(name, "temperature is of samples that vote; expected n besides")
        return cls(
            name,
            model,
            mode=_one_of(name, given, "mode", MODES),
            reasoning_effort=_one_of(name, given, "reasoning_effort", EFFORTS),
            max_tokens=_number(name, given, "max_tokens", _COUNT, "a whole number from 1 up", int),
            budget=_number(name, given, "budget", _SHARE, "a share up to 1", float),
            risk=_risk(name, given),
            n=n,
            temperature=_WARM if n is not None and temperature is None else temperature,
        )

    @property
    def dials(self) -> Mapping[str, float]:
        """Those that are numbers, for the ledger."""
        given = {name: getattr(self, name) for name in ("max_tokens", "budget", "risk", "n", "temperature")}
        return {dial: float(value) for dial, value in given.items() if value is not None}

    @property
    def settings(self) -> Mapping[str, str | float]:
        """All that are set, for people."""
        given = (("mode", self.mode), ("reasoning_effort", self.reasoning_effort))
        return {**{dial: value for dial, value in given if value is not None}, **self.dials}

    @property
    def alone(self) -> ArmSpec:
        """The same with one answer in place of votes, for what cannot be compared."""
        return replace(self, n=None, temperature=None)

    def body(self, body: bytes, *, streams: bool | None = None, vote: int = 0) -> bytes:
        """A client's body as this arm gets it; every other field as it came.

        Our own field `pointsman` is replaced: what a client wants has been read before.

        Args:
            body: the client's.
            streams: whether to stream; None: as the client asked, and then with the usage at the end.
            vote: number of the sample, from 0, where samples vote; each has a seed of its own.

        Raises:
            BadRequest: `invalid_json`; `invalid_type` for a cap or template variables of the wrong kind.
        """
        fields: dict[str, object] = dict(wire.fields_of(body))
        fields.pop("pointsman", None)
        fields["model"] = self.model
        for dial, value in (("budget", self.budget), ("risk", self.risk)):
            if value is not None:
                fields["pointsman"] = {dial: value}
        if self.reasoning_effort is not None:
            fields["reasoning_effort"] = self.reasoning_effort
        if self.mode is not None:
            fields |= self._moded(fields)
        if self.max_tokens is not None:
            fields |= self._capped(fields, self.max_tokens)
        if self.n is not None:
            seed = (wire.optional(fields, "seed", int) or 0) ^ vote  # different, and as wide as the client's
            fields |= {"temperature": self.temperature, "seed": seed}
        if streams is not None:
            fields["stream"] = streams
            fields.pop("stream_options", None)
        elif wire.optional(fields, "stream", bool):
            options = wire.optional(fields, "stream_options", dict[str, object]) or {}
            fields["stream_options"] = {**options, "include_usage": True}
        return wire.encode(fields)

    def _moded(self, fields: Mapping[str, object]) -> dict[str, object]:
        given = wire.optional(fields, "chat_template_kwargs", dict[str, object]) or {}
        return {"chat_template_kwargs": {**given, "mode": self.mode, "enable_thinking": self.mode == "steps"}}

    def _capped(self, fields: Mapping[str, object], most: int) -> dict[str, object]:
        given = {name: wire.optional(fields, name, int) for name in _CAPS}
        capped: dict[str, object] = {name: min(value, most) for name, value in given.items() if value is not None}
        return capped or {"max_tokens": most}


def specs_of(names: Iterable[str], served: Mapping[str, Served]) -> dict[str, ArmSpec]:
    """The arms of a policy, each checked against the models of this server.

    Raises:
        BadRequest: `invalid_arm`.
    """
    specs = {name: ArmSpec.parse(name) for name in names}
    for spec in specs.values():
        model = served.get(spec.model)
        if model is None:
            raise _invalid(spec.name, f"there is no such model; there is {_listed(served)}")
        if spec.mode is not None and not model.is_local:
            raise _invalid(spec.name, "mode is for models of this machine; expected reasoning_effort")
        if spec.budget is not None and not model.has_budget:
            raise _invalid(spec.name, "budget is for models with fitted units, such as embedded/large")
        if spec.risk is not None and not model.has_risk:
            raise _invalid(spec.name, "risk is for models of two, such as embedded/pair")
    return specs


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:50]) or "none"


def _one_of(name: str, given: Mapping[str, str], dial: str, choices: Collection[str]) -> str | None:
    value = given.get(dial)
    if value is not None and value not in choices:
        raise _invalid(name, f"{dial} is {value!r}; expected one of {', '.join(choices)}")
    return value


def _number(
    name: str, given: Mapping[str, str], dial: str, form: re.Pattern[str], expected: str, read: type[N]
) -> N | None:
    text = given.get(dial)
    if text is None:
        return None
    if not form.fullmatch(text) or not float(text) > 0:
        raise _invalid(name, f"{dial} is {text!r}; expected {expected}")
    return read(text)


def _risk(name: str, given: Mapping[str, str]) -> float | None:
    """A share from 0 up; 0 has a meaning of its own."""
    return 0.0 if given.get("risk") == "0" else _number(name, given, "risk", _SHARE, "0 or a share up to 1", float)


def _invalid(name: str, problem: str) -> BadRequest:
    return BadRequest(f"the arm {name!r}: {problem}", code="invalid_arm")
