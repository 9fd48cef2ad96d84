"""Has arms answer: on to the client as the text comes, or unseen, where several answers are compared first.

An arm with votes is asked in waves (`query/voting.py`): the samples of a wave at once, and no sample that the outcome
does not need. A sample that fails agrees with nothing; the request fails with it only where all do. What is a fault of
the request itself (a parameter that is refused) would be one of every sample, and ends the vote.

What was asked unseen is billed in full. An answer without a bill, or one that cannot be read, leaves the whole bill
unknown; a sample without any answer has none, as everywhere here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

import msgspec
from starlette.types import Message, Receive

from pointsman.core import Cost, Decision, UpstreamError
from pointsman.gateway import wire
from pointsman.gateway.arms import Arm, Call
from pointsman.gateway.auto.asked import Plan
from pointsman.gateway.auto.spec import ArmSpec
from pointsman.gateway.tap import Bill, PriceOf, Tap
from pointsman.query.comparing import final_answer
from pointsman.query.voting import Votes, count_votes, wave, winner

__all__ = ["Answered", "Asker", "Refusal", "silence"]

_UNREAD: Final = "upstream_bad_answer"


class Refusal(UpstreamError):
    """An upstream's own refusal (4xx) of a request that was asked unseen; `messages` are what it sent."""

    def __init__(self, status: int, messages: list[Message]) -> None:
        problem = f"the upstream refused the request with status {status}"
        super().__init__(problem, retryable=False, code="upstream_refused")
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that nobody has seen yet.

    Attributes:
        text: of it.
        finish_reason: why it ends.
        bill: of all samples that were asked for.
        votes: how they went; None of an arm without.
    """

    text: str = field(repr=False)
    finish_reason: wire.FinishReason
    bill: Bill
    votes: Votes | None = None

    def known(self, plan: Plan) -> Plan:
        """A plan whose answer this is."""
        return replace(
            plan,
            text=self.text,
            cost=self.bill.cost,
            finish_reason=self.finish_reason,
            before=plan.before + Bill(is_known=self.bill.is_known),
            votes=self.votes,
        )


class Asker:
    """Asks arms.

    Args:
        arms: all of them, by the name of their model.
        price_of: what an upstream's model asks for tokens; None for a model of this machine.
    """

    def __init__(self, arms: Mapping[str, Arm], price_of: Callable[[str], PriceOf | None]) -> None:
        self._arms, self.price_of = arms, price_of

    async def ask(self, call: Call, decision: Decision, model: str, body: bytes, receive: Receive, tap: Tap) -> None:
        """Has a model answer into a tap. Raises as `Arm.answer`."""
        request = msgspec.structs.replace(call.request, model=model)
        asking = replace(call, request=request, body=body, reason=decision.reason, policy=decision.policy_version)
        await self._arms[model].answer(asking, receive, tap.send)

    async def unseen(self, call: Call, decision: Decision, spec: ArmSpec) -> Answered:
        """What an arm says, by votes where it has them. `call` is read, whatever it says of streams.

        Raises:
            Refusal: of an upstream.
            PointsmanError: as `Arm.answer`; of samples that vote the first failure, where all fail.
        """
        if spec.n is None:
            return await self._sample(call, decision, spec, 0)
        answered: list[Answered | UpstreamError] = []
        finals: list[str | None] = []
        while number := wave(finals, spec.n):
            asked = (self._sample(call, decision, spec, len(answered) + place) for place in range(number))
            for found in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(found, BaseException) and not isinstance(found, UpstreamError):
                    raise found
                answered.append(found)
                finals.append((final_answer(found.text) or None) if isinstance(found, Answered) else None)
        return _elected(answered, finals, spec.n)

    async def _sample(self, call: Call, decision: Decision, spec: ArmSpec, vote: int) -> Answered:
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        tap = Tap(keep, price_of=self.price_of(spec.model))
        plain = msgspec.structs.replace(call.request, stream=False, stream_options=None)
        body, named = spec.body(call.body, streams=False, vote=vote), call.within(str(vote + 1))
        await self.ask(replace(named, request=plain), decision, spec.model, body, silence, tap)
        heard = tap.heard
        if heard.status != 200:
            raise Refusal(heard.status, kept)
        if not heard.is_answer:
            problem = f"the model {spec.model!r} sent an answer that cannot be read"
            raise UpstreamError(problem, retryable=False, code=_UNREAD)
        reason = cast("wire.FinishReason", heard.finish_reason)  # an upstream's own word goes on as it came
        return Answered(heard.text, reason, Bill(heard.cost or Cost.zero(), heard.is_priced))


def _elected(answered: list[Answered | UpstreamError], finals: list[str | None], num_votes: int) -> Answered:
    """The winner, with the bill of all; where nothing can be compared the first that is an answer at all."""
    there = [one for one in answered if isinstance(one, Answered)]
    failed = [one for one in answered if not isinstance(one, Answered)]
    if not there:
        raise failed[0]
    unread = Bill(is_known=not any(error.code == _UNREAD for error in failed))
    bill = sum((one.bill for one in there), unread)
    best = answered[winner(finals)]
    return replace(best if isinstance(best, Answered) else there[0], bill=bill, votes=count_votes(finals, num_votes))


async def silence() -> Message:
    """A client that says nothing more, and stays."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")
