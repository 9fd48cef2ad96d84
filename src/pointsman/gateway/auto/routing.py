"""The policy's track: forecasts every arm for a request and takes one.

Prompt tokens are counted by the tokenizer of an arm's model where that is loaded on this machine. For an upstream's,
and for a model that no request has loaded yet, they are estimated as a quarter of the text's bytes, and told as such.

Where a model has read the conversation before (`conversations.py`), its arms are forecast to cost less by what the
prompt cache saves, and all others are not: that is the price of switching models. Of an arm with votes only the samples
count that are asked for in any case.

What the policy was not calibrated on goes to the reference arm: content that is not text, tools, response
formats, several choices, log-probabilities, grammars.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman.core import BadRequest, Cost, Decision, Forecast, OverBudget
from pointsman.gateway import wire
from pointsman.gateway.auto.asked import Asked, Plan
from pointsman.gateway.auto.spec import ArmSpec
from pointsman.gateway.auto.telling import Standard
from pointsman.gateway.tap import Heard
from pointsman.query.voting import wave

if TYPE_CHECKING:  # numpy is loaded where there is a policy only
    from pointsman.gateway.auto.conversations import Conversations, Turn
    from pointsman.query.policy import Choice, Policy

__all__ = ["Count", "PolicyTrack"]

Count = Callable[[str, bytes], int | None]
"""Prompt tokens of a body for a model; None where its tokenizer cannot be asked. Blocks."""

_BYTES_PER_TOKEN: Final = 4
"""Of an estimate. Chosen: about that of English text under the tokenizers of large models."""


_HOW: Final = ("estimated", "counted")
"""How prompt tokens were found, the less sure way first."""


class PolicyTrack:
    """Chooses among the arms of a policy.

    Args:
        policy: what decides.
        specs: of its arms, by name.
        count: counts prompt tokens.
        conversations: which models have read one before; None where no prompt cache has a price.

    Raises:
        BadRequest: `invalid_arm` where a sequence looks at the votes of an arm without `n`.
    """

    def __init__(
        self,
        policy: Policy,
        specs: Mapping[str, ArmSpec],
        count: Count,
        conversations: Conversations | None = None,
    ) -> None:
        _require_votes(policy, specs)
        self.policy, self.specs, self._count, self._conversations = policy, specs, count, conversations
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="policy")

    @property
    def standard(self) -> Standard:
        """What decisions are measured by."""
        return Standard(self.policy.reference, self.policy.kind, self.policy.certificate)

    async def choose(self, asked: Asked) -> Plan:
        """The arm for a request.

        Raises:
            BadRequest: `invalid_parameter` for a wish that cannot be.
            OverBudget: `max_cost_too_low`, `max_cost_unknown`.
        """
        wish = asked.preference.wish(self.policy.kind)
        prompt = wire.all_texts(asked.call.request)
        if prompt is None or not asked.is_comparable:
            return self.refer(asked, "reference_for_unread_request")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._chosen, asked, prompt, wish)

    def reference(self, asked: Asked, reason: str) -> Plan:
        """The reference arm, without a forecast; without votes on what cannot be compared."""
        spec = self._reference if asked.is_comparable else self._reference.alone
        return Plan(Decision(self.policy.reference, reason, self.policy.version, spec.dials), "query", spec=spec)

    def refer(self, asked: Asked, reason: str) -> Plan:
        """The reference arm for a request that is not forecast.

        Raises:
            OverBudget: `max_cost_unknown` where the client allows so much and no more.
        """
        if asked.preference.max_cost_usd is not None:
            problem = f"what this request would cost is not forecast ({reason}), so that max_cost_usd cannot be kept"
            raise OverBudget(problem, code="max_cost_unknown")
        return self.reference(asked, reason)

    def instead(self, asked: Asked, plan: Plan, reason: str) -> Plan | None:
        """The reference arm in place of the one that was chosen; None where that is it, or may cost too much."""
        forecast, most = plan.decision.forecast_of(self.policy.reference), asked.preference.max_cost_usd
        spent = plan.before  # by arms of a sequence that have answered
        is_too_dear = most is not None and (
            forecast is None or not spent.is_known or spent.cost.nano_usd + forecast.cost.nano_usd > most * 1e9
        )
        if is_too_dear or plan.arm == self.policy.reference:
            return None
        arm = plan.decision.arm if plan.decision.is_sequence else self.policy.reference
        decision = replace(plan.decision, arm=arm, reason=reason, dials=self._reference.dials, certificate=None)
        return replace(plan, decision=decision, spec=self._reference, steps=None)

    def after(self, plan: Plan, *, agrees: bool) -> Plan:
        """A plan whose look was taken, with the arm that answers then."""
        assert plan.steps is not None
        spec = self.specs[plan.steps.answers(agrees=agrees)]
        return replace(plan, decision=replace(plan.decision, dials=spec.dials), spec=spec, steps=None)

    def answered(self, plan: Plan, heard: Heard) -> None:
        """Keeps which model has read the conversation, once its answer is complete."""
        if self._conversations is not None and plan.turn is not None and plan.spec is not None and heard.is_answer:
            self._conversations.answered(plan.turn, plan.spec.model, _read_tokens(plan, heard))

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def _reference(self) -> ArmSpec:
        return self.specs[self.policy.reference]

    def _chosen(self, asked: Asked, prompt: str, wish: object) -> Plan:
        tokens, counted = self._prompt_tokens(asked, prompt)
        turn = self._turn(asked)
        saves = self._cache_saves(turn, tokens)
        choice = self._choice(prompt, tokens, saves, wish)
        spec, arm = self.specs[choice.arm], choice.arm
        if choice.steps is not None:
            arm = choice.steps.quote.arm
            tokens[arm] = sum(tokens[name] for name in choice.steps.first)
            counted[arm] = min((counted[name] for name in choice.steps.first), key=_HOW.index)
        decision = Decision(
            arm=arm,
            reason=choice.reason,
            policy_version=self.policy.version,
            dials=spec.dials,
            forecasts=self._forecasts(choice, tokens),
            certificate=self._certificate(choice),
        )
        embedder = self.policy.embedder
        return Plan(
            decision,
            "query",
            spec=spec,
            missed=Cost.zero() if embedder is None else embedder.cost(prompt),
            novelty=choice.novelty,
            counted=counted,
            steps=choice.steps,
            turn=turn,
            cache_saves=saves,
        )

    def _choice(self, prompt: str, tokens: Mapping[str, int], saves: Mapping[str, float], wish: object) -> Choice:
        import numpy as np

        from pointsman.query.policy import Wish

        assert isinstance(wish, Wish)
        arms = self.policy.arms
        discounts = np.array([saves.get(name, 0.0) for name in arms]) if saves else None
        counts = np.array([tokens[name] for name in arms], np.float64)
        return self.policy.decide(prompt, counts, wish, discounts=discounts)

    def _turn(self, asked: Asked) -> Turn | None:
        call = asked.call
        return None if self._conversations is None else self._conversations.turn(call.api_key, call.request)

    def _cache_saves(self, turn: Turn | None, tokens: Mapping[str, int]) -> dict[str, float]:
        """Nano-dollars, of arms whose model has read the turn before; `tokens`: of each arm's prompt."""
        if self._conversations is None or turn is None or turn.read is None:
            return {}
        read, found = turn.read, {}
        for name, spec in self.specs.items():
            if spec.model == read.model:
                cached = min(read.prompt_tokens, tokens[name] // (spec.n or 1))
                found[name] = self._conversations.saves[read.model] * cached * (wave((), spec.n) if spec.n else 1)
        return found

    def _prompt_tokens(self, asked: Asked, prompt: str) -> tuple[dict[str, int], dict[str, str]]:
        """Of each arm; arms that differ in neither model nor mode have the same prompt; each vote reads it."""
        found: dict[tuple[str, str | None, str | None], int | None] = {}
        tokens, counted = {}, {}
        for name, spec in self.specs.items():
            key = spec.model, spec.mode, spec.reasoning_effort
            if key not in found:
                found[key] = self._count(spec.model, spec.body(asked.call.body))
            count = found[key]
            once = -(-len(prompt.encode(errors="replace")) // _BYTES_PER_TOKEN) if count is None else count
            tokens[name] = once * (spec.n or 1)
            counted[name] = _HOW[count is not None]
        return tokens, counted

    def _forecasts(self, choice: Choice, tokens: Mapping[str, int]) -> tuple[Forecast, ...]:
        found = []
        for quote in (*choice.quotes, *([] if choice.steps is None else [choice.steps.quote])):
            cost = max(round(quote.cost), 0)
            money, moved = (cost, 0) if self.policy.kind == "nano_usd" else (0, cost)
            found.append(Forecast(quote.arm, quote.right, Cost(tokens[quote.arm], 0, money, moved, 0.0)))
        return tuple(found)

    def _certificate(self, choice: Choice) -> str | None:
        certificate = self.policy.certificate
        return certificate.data if certificate is not None and choice.reason == "certified" else None


def _read_tokens(plan: Plan, heard: Heard) -> int:
    """Prompt tokens that the answer's model read once: without those of other arms, and of one vote; 0 if unknown."""
    called = () if plan.looked is None else plan.looked.called
    at_hand = next((one for one in called if one.arm == plan.arm), None)
    billed, votes = (heard.billed, plan.votes) if at_hand is None else (at_hand.billed, at_hand.votes)
    if billed is None:
        return 0
    others = plan.before.cost.prompt_tokens if at_hand is None else 0
    return (billed.prompt_tokens - others) // (1 if votes is None else votes.asked)


def _require_votes(policy: Policy, specs: Mapping[str, ArmSpec]) -> None:
    for look in () if policy.sequences is None else policy.sequences.looks:
        name = policy.arms[look.arms[0]]
        if len(look.arms) == 1 and specs[name].n is None:
            problem = f"the policy looks at votes of the arm {name!r}, which has none; expected the dial n"
            raise BadRequest(problem, code="invalid_arm")
