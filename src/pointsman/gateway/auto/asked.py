"""A request to `auto`, read as far as its tracks need it, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw, Struct, structs

from pointsman.core import BadRequest, Cost, Decision
from pointsman.gateway import wire
from pointsman.gateway.arms import Call
from pointsman.gateway.auto.spec import ArmSpec
from pointsman.gateway.tap import Bill
from pointsman.query.voting import Votes

if TYPE_CHECKING:  # numpy is loaded where there is a policy only
    from pointsman.gateway.auto.conversations import Turn
    from pointsman.query.memory import Look
    from pointsman.query.policy import Kind, Steps, Wish

__all__ = ["Asked", "Called", "Looked", "Plan", "Preference", "read_preference"]

_WISHES: Final = ("quality", "max_cost_usd", "price_usd")
_NANO: Final = 1e9
_SHAPES: Final = (
    *("n", "best_of", "logprobs", "top_logprobs", "modalities", "audio", "web_search_options", "structured_outputs"),
    *("guided_choice", "guided_json", "guided_regex", "guided_grammar"),
)
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "stop")
_NOTHING: Final = (b"null", b"false", b"1", b"[]")
"""Values of `_SHAPES` that ask for nothing."""


class Preference(Struct, frozen=True, forbid_unknown_fields=True):
    """The `pointsman` field of a request to `auto` where a policy decides; at most one entry is given."""

    quality: float | None = None
    max_cost_usd: float | None = None
    price_usd: float | None = None

    def wish(self, kind: Kind) -> Wish:
        """For a policy with costs of this kind.

        Raises:
            BadRequest: `invalid_parameter`.
        """
        from pointsman.query.policy import Wish

        money = {name: value for name in _WISHES[1:] if (value := getattr(self, name)) is not None}
        if money and kind != "nano_usd":
            name = next(iter(money))
            problem = f"{name} is given, and costs are counted in {kind} here; expected quality, or neither"
            raise BadRequest(problem, code="invalid_parameter", param=f"pointsman.{name}")
        scaled = {name: value * _NANO for name, value in money.items()}
        try:
            return Wish(self.quality, scaled.get("max_cost_usd"), scaled.get("price_usd"))
        except BadRequest as error:
            error.param = "pointsman"
            raise


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to `auto`.

    Attributes:
        call: as it came.
        text: of a chat that is one user message, without tools or a format; None for every other one.
        preference: what the client wants.
        is_shaped: whether it asks for more than a text: several choices, log-probabilities, a grammar.
        is_limited: whether it says where an answer ends.
    """

    call: Call
    text: str | None
    preference: Preference = Preference()  # noqa: RUF009  immutable
    is_shaped: bool = False
    is_limited: bool = False

    @property
    def is_comparable(self) -> bool:
        """Whether one answer can be compared with another: texts are asked about, and for a text."""
        return not self.is_shaped and wire.all_texts(self.call.request) is not None

    @classmethod
    def of(cls, call: Call, *, has_policy: bool) -> Asked:
        """From a call. Raises as `read_preference`."""
        fields = wire.fields_of(call.body)
        return cls(
            call,
            wire.sole_text(call.request),
            read_preference(fields, has_policy=has_policy),
            is_shaped=any(bytes(fields.get(name, b"null")) not in _NOTHING for name in _SHAPES),
            is_limited=any(bytes(fields.get(name, b"null")) != b"null" for name in _LIMITS),
        )

    def part(self, number: int, text: str, num_parts: int) -> Asked:
        """The same with another text, as a request of its own that is not streamed and may cost its share."""
        most = self.preference.max_cost_usd
        share = structs.replace(self.preference, max_cost_usd=None if most is None else most / num_parts)
        message = {"role": "user", "content": text}
        body = wire.with_fields(self.call.body, {"messages": [message], "stream": False, "stream_options": None})
        request_id = f"{self.call.request_id}.{number}"
        call = replace(self.call, request=wire.decode_request(body), body=body, request_id=request_id)
        return replace(self, call=call, text=text, preference=share)


@dataclass(frozen=True, slots=True)
class Called:
    """An arm that was called unseen to look at what it answers.

    Attributes:
        arm: its name.
        billed: what it took; None where that is not known.
        votes: how its samples voted; None without.
    """

    arm: str
    billed: Cost | None
    votes: Votes | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look.

    Attributes:
        steps: that were planned.
        called: who answered unseen.
        agrees: whether what was looked at agrees; None where an arm failed, so that there was nothing to see.
    """

    steps: Steps
    called: tuple[Called, ...]
    agrees: bool | None

    def told(self) -> dict[str, Any]:
        """As JSON."""
        seen = {True: "agree", False: "differ", None: "failed"}[self.agrees]
        steps = {name: getattr(self.steps, name) for name in ("if_agree", "if_differ", "agree")}
        return {"first": self.called, **steps, "seen": seen}


@dataclass(frozen=True, slots=True)
class Plan:
    """Who answers a request, or the answer, where it is known already.

    Attributes:
        decision: who, and why.
        level: that decided, for the ledger.
        text: the answer; None where a model is to be asked.
        cost: of an answer that is known.
        states_visited: of a program.
        spec: the arm of the policy; None where none decided.
        model: to ask, where no arm of a policy says it.
        novelty: as the policy sees the request.
        counted: of each arm, whether its prompt tokens were counted or estimated.
        look: memory's, which is told the answer.
        finish_reason: of an answer that is known.
        before: what was asked for besides, which the answer is billed with.
        votes: how the answer was elected; None where no samples vote, or have not yet.
        steps: what is called and looked at first; None where one arm answers, or that was done.
        looked: what was called and seen first; None where nothing was.
        missed: what tracks took that did not answer, and what was read of a model to choose. No arm's bill holds it.
        turn: the request in its conversation; None where no prompt cache has a price.
        cache_saves: nano-dollars by which an arm is forecast to cost less, since its model has read the conversation.
    """

    decision: Decision
    level: str
    text: str | None = field(default=None, repr=False)
    cost: Cost | None = None
    states_visited: int | None = None
    spec: ArmSpec | None = None
    model: str | None = None
    novelty: float | None = None
    counted: Mapping[str, str] = field(default_factory=dict)
    look: Look | None = field(default=None, repr=False)
    finish_reason: wire.FinishReason = "stop"
    before: Bill = Bill()  # noqa: RUF009  immutable
    votes: Votes | None = None
    steps: Steps | None = None
    looked: Looked | None = None
    missed: Cost = field(default_factory=Cost.zero)
    turn: Turn | None = None
    cache_saves: Mapping[str, float] = field(default_factory=dict)

    @property
    def arm(self) -> str:
        """Who answers; the decision names a sequence as a whole."""
        return self.decision.arm if self.spec is None else self.spec.name


@dataclass(frozen=True, slots=True)
class Missed:
    """Why a track does not answer, and what it took to find out."""

    reason: str
    cost: Cost = field(default_factory=Cost.zero)


def read_preference(fields: Mapping[str, Raw], *, has_policy: bool) -> Preference:
    """What a client wants. Without a policy the field `pointsman` is whoever answers's to read.

    Raises:
        BadRequest: `invalid_type` for an entry that there is not; `no_policy` where nothing could honour a wish.
    """
    if not has_policy:
        given = _loose(fields)
        if wished := [name for name in _WISHES if given.get(name) is not None]:
            problem = f"{wished[0]} is given, and no policy decides here; start the server with --policy FOLDER"
            raise BadRequest(problem, code="no_policy", param=f"pointsman.{wished[0]}")
        return Preference()
    return wire.optional(fields, "pointsman", Preference) or Preference()


def _loose(fields: Mapping[str, object]) -> dict[str, object]:
    try:
        return wire.optional(fields, "pointsman", dict[str, object]) or {}
    except BadRequest:  # whoever answers says what is wrong
        return {}
