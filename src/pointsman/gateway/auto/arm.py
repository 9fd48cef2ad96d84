"""The model `auto`: the whole action space behind one name.

Tracks are tried in this order, and the first that answers does: memory; the parts of a request with several questions,
of which a program would answer one; a program that covers the request; the solver. Then the policy chooses among
models, or, where there is none, the model that `--infer` names gets the request. Where routing is off (`guarding.py`),
the reference arm gets everything.

A model that cannot take a request, or is not there, is replaced by the reference arm as long as nothing was sent. After
that nothing is taken back: text that a client has seen is never written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from msgspec import UNSET
from starlette.types import Receive, Send

from pointsman.core import BadRequest, Cost, Decision, PointsmanError, UpstreamError
from pointsman.gateway import wire
from pointsman.gateway.arms import Arm, Call, Ending, send_answer
from pointsman.gateway.auto.asked import Asked, Missed, Plan
from pointsman.gateway.auto.asking import Answered, Asker, Refusal, silence
from pointsman.gateway.auto.auditing import Auditor
from pointsman.gateway.auto.explaining import Trail, Trails
from pointsman.gateway.auto.guarding import Guard
from pointsman.gateway.auto.joining import PARTS, joined, parts_of
from pointsman.gateway.auto.looking import look
from pointsman.gateway.auto.recording import Recorder
from pointsman.gateway.auto.routing import PolicyTrack
from pointsman.gateway.auto.telling import Standard, Telling
from pointsman.gateway.auto.tracks import POLICY, MemoryTrack, ProgramTrack, SolverTrack
from pointsman.gateway.errors import UnsupportedParameter
from pointsman.gateway.http import while_connected
from pointsman.gateway.tap import Heard, PriceOf, Tap
from pointsman.query.parts import may_ask_several

__all__ = ["AUTO", "AutoArm", "Tracks"]

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Tracks:
    """What `auto` tries; None or False for what it does not."""

    memory: MemoryTrack | None = None
    programs: ProgramTrack | None = None
    solver: SolverTrack | None = None
    parts: bool = False
    policy: PolicyTrack | None = None
    infer: str | None = None

    @property
    def tells(self) -> bool:
        """Whether answers tell more than who gave them."""
        return self.parts or any(track is not None for track in (self.memory, self.solver, self.policy))

    def close(self) -> None:
        """Writes what memory has left, and ends all threads. Blocks."""
        for track in (self.programs, self.solver, self.policy, self.memory):
            if track is not None:
                track.close()


class AutoArm:
    """Answers with the least that does.

    Args:
        tracks: in use.
        arms: all arms, by name.
        trails: what can be explained.
        recorder: keeps the books.
        guard: says whether routing is on; None where there is no policy.
        price_of: what an upstream's model asks; None for a model of this machine.
    """

    owner = "pointsman"
    description = "A program where one covers the request, else a model"

    def __init__(
        self,
        tracks: Tracks,
        arms: Mapping[str, Arm],
        trails: Trails,
        recorder: Recorder,
        guard: Guard | None,
        price_of: Callable[[str], PriceOf | None],
    ) -> None:
        self._tracks, self._trails, self._recorder, self._guard = tracks, trails, recorder, guard
        self._asker = Asker(arms, price_of)
        self.auditor: Auditor | None = None

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Tries the tracks.

        Raises:
            BadRequest: `not_covered` where no model infers; `no_policy`, `invalid_parameter` for a wish that cannot be.
            OverBudget: `max_cost_too_low`, `max_cost_unknown`.
        """
        await self._answer(Asked.of(call, has_policy=self._tracks.policy is not None), receive, send)

    async def ask_reference(self, asked: Asked) -> Answered:
        """What the reference arm says to a request; it goes nowhere. Raises as `Asker.unseen`."""
        assert self._tracks.policy is not None
        plan = self._tracks.policy.reference(asked, "audit")
        assert plan.spec is not None
        return await self._asker.unseen(asked.call.within("audit"), plan.decision, plan.spec)

    async def close(self) -> None:
        """Ends audits and tracks."""
        if self.auditor is not None:
            await self.auditor.stop()
        await asyncio.to_thread(self._tracks.close)

    @property
    def _standard(self) -> Standard | None:
        if self._tracks.policy is None:
            return None
        standard = self._tracks.policy.standard
        return replace(standard, certificate=None) if self._is_off else standard

    @property
    def _is_off(self) -> bool:
        return self._guard is not None and self._guard.is_off

    async def _answer(self, asked: Asked, receive: Receive, send: Send | None, *, is_part: bool = False) -> Heard:
        call = asked.call
        trail = self._trails.open(call.request_id, call.api_key, self._recorder.now_us())
        try:
            plan = await self._plan(asked, trail, receive, is_part=is_part)
        except BaseException:
            trail.state = "failed"
            raise
        if plan.decision.arm == PARTS:
            return await self._send_joined(asked, plan, trail, send)
        if self.auditor is not None and self.auditor.draws():
            plan = replace(plan, decision=replace(plan.decision, is_audited=True))
        trail.decided(plan, self._standard)  # as it is now: what switches routing off meanwhile is for later requests
        tap = Tap(None)
        try:
            tap, plan = await self._carry_out(asked, plan, trail, receive, send)
        finally:
            tap.heard.missed = plan.missed
            self._after(asked, plan, trail, tap.heard)
        return tap.heard

    async def _plan(self, asked: Asked, trail: Trail, receive: Receive, *, is_part: bool) -> Plan:
        """Who answers, or the answer."""
        tracks = self._tracks
        if self._is_off and tracks.policy is not None:
            return tracks.policy.refer(asked, "routing_off")
        look = None
        found: Plan | str = "off"
        if tracks.memory is not None:
            found, look = await tracks.memory.find(asked)
        if isinstance(found, Plan):
            return _tried(trail, "memory", found)
        trail.tried.append(("memory", found))
        if tracks.parts and not is_part:
            found = await self._parts(asked, trail, receive)
            if isinstance(found, Plan):
                return _tried(trail, "parts", found)
            trail.tried.append(("parts", found))
        said = await self._proved(asked, trail, is_part=is_part)
        if isinstance(said, Plan):
            return said
        plan = await tracks.policy.choose(asked) if tracks.policy is not None else self._inferred()
        missed = said + plan.missed
        plan = replace(plan, look=look, missed=missed)
        if tracks.policy is not None and self._is_shifted(plan, trail.time_us):
            return replace(tracks.policy.refer(asked, "routing_off"), missed=missed)
        return _tried(trail, "policy" if tracks.policy is not None else "infer", plan)

    async def _proved(self, asked: Asked, trail: Trail, *, is_part: bool) -> Plan | Cost:
        """A program's answer or the solver's, or what it took to find that there is none."""
        tracks, missed = self._tracks, Cost.zero()
        is_several = False
        if asked.text is not None and not is_part and (tracks.programs is not None or tracks.solver is not None):
            is_several = await asyncio.to_thread(may_ask_several, asked.text)  # a second for the longest texts
        for name, track in (("program", tracks.programs), ("solver", tracks.solver)):
            said: Plan | Missed = Missed("off")
            if track is not None:  # either would answer one of several questions, and be taken for the whole answer
                said = Missed("several_questions") if is_several else await track.find(asked)
            if isinstance(said, Plan):
                return _tried(trail, name, replace(said, missed=missed))
            missed += said.cost
            trail.tried.append((name, said.reason))
        return missed

    def _is_shifted(self, plan: Plan, time_us: int) -> bool:
        """Whether a plan under the certificate comes when requests have shown to be others than those it is for."""
        if self._guard is None or plan.decision.certificate is None or plan.novelty is None:
            return False
        self._guard.admit(plan.novelty, time_us)
        return self._is_off

    def _inferred(self) -> Plan:
        if self._tracks.infer is None:
            problem = "no program covers this request, and no model infers; start the server with --infer MODEL"
            raise BadRequest(problem, code="not_covered", param="messages")
        model = self._tracks.infer
        return Plan(Decision(model, "not_covered", POLICY), "query", model=model)

    async def _carry_out(
        self, asked: Asked, plan: Plan, trail: Trail, receive: Receive, send: Send | None
    ) -> tuple[Tap, Plan]:
        """Has a plan's arm answer, or the reference arm where that one cannot and nothing was sent."""
        tap = Tap(None)
        try:
            if self._tracks.policy is not None and plan.steps is not None:
                looking = look(self._asker, self._tracks.policy, asked.call, plan)
                plan, failure = await while_connected(receive, looking)
                if failure is not None:
                    raise failure
            plan = await self._elected(asked, plan, receive)
            trail.decided(plan, trail.standard)
            tap = self._tap(asked, plan, trail, send)
            await self._perform(asked, plan, receive, tap)
        except Refusal as refusal:
            tap = self._tap(asked, plan, trail, send)
            for message in refusal.messages:
                await tap.send(message)
        except PointsmanError as error:
            policy = self._tracks.policy
            if policy is None or tap.has_started or not _is_arms_fault(error):
                raise
            other = policy.instead(asked, plan, "arm_unavailable")
            if other is None:
                raise
            trail.tried.append((plan.decision.arm, error.code))
            trail.decided(other, trail.standard)
            return await self._carry_out(asked, other, trail, receive, send)
        return tap, plan

    async def _elected(self, asked: Asked, plan: Plan, receive: Receive) -> Plan:
        """A plan with its answer, where samples vote on it."""
        if plan.spec is None or plan.spec.n is None or plan.text is not None:
            return plan
        answered = await while_connected(receive, self._asker.unseen(asked.call, plan.decision, plan.spec))
        return answered.known(plan)

    def _tap(self, asked: Asked, plan: Plan, trail: Trail, send: Send | None) -> Tap:
        options = asked.call.request.stream_options
        wants_usage = options is not None and bool(options.include_usage)
        editor = Telling(plan, trail.standard, wants_usage) if self._tracks.tells else None
        model = plan.model if plan.spec is None else plan.spec.model
        return Tap(send, editor, None if model is None else self._asker.price_of(model), plan.before)

    async def _perform(self, asked: Asked, plan: Plan, receive: Receive, tap: Tap) -> None:
        call = asked.call
        if plan.text is not None:
            states = UNSET if plan.states_visited is None else plan.states_visited
            cost = plan.cost or Cost.zero()
            ending = Ending(plan.decision, cost, plan.finish_reason, states_visited=states)
            await send_answer(call, plan.text, ending, tap.send)
        elif plan.spec is not None:
            await self._asker.ask(call, plan.decision, plan.spec.model, plan.spec.body(call.body), receive, tap)
        else:
            assert plan.model is not None
            body = wire.with_model(call.body, plan.model)
            await self._asker.ask(call, plan.decision, plan.model, body, receive, tap)

    def _after(self, asked: Asked, plan: Plan, trail: Trail, heard: Heard) -> None:
        """Once the answer is complete, or will not be: the books, the conversation, memory, and the audit."""
        entry = self._recorder.settled(trail, heard)
        if self._tracks.policy is not None:
            self._tracks.policy.answered(plan, heard)
        if self._tracks.memory is not None and plan.look is not None:
            self._tracks.memory.keep(plan.look, heard, plan.arm)
        if plan.decision.is_audited and self.auditor is not None:
            self.auditor.begin(asked, trail, entry, heard)
        else:
            self._recorder.observe(entry)

    async def _parts(self, asked: Asked, trail: Trail, receive: Receive) -> Plan | str:
        """Each part by itself through the same tracks, at once; or why the request stays whole."""
        parts = await asyncio.to_thread(parts_of, asked)
        if isinstance(parts, str):
            return parts
        trail.parts = parts.names
        heard: list[Heard] = []

        async def ask_all() -> None:
            asking = (self._answer(part, silence, None, is_part=True) for part in parts.asked)
            for answer in await asyncio.gather(*asking, return_exceptions=True):
                if isinstance(answer, BaseException):
                    raise answer
                heard.append(answer)

        try:
            await while_connected(receive, ask_all())
        except PointsmanError as error:
            return error.code
        return joined(parts, heard)

    async def _send_joined(self, asked: Asked, plan: Plan, trail: Trail, send: Send | None) -> Heard:
        """The parts' answers as one. The books have each part by itself, so the whole is not counted again."""
        trail.decided(plan, self._standard)
        tap = self._tap(asked, plan, trail, send)
        try:
            await self._perform(asked, plan, silence, tap)
        finally:
            trail.answered_by, trail.billed = PARTS, tap.heard.billed
            trail.state = "answered" if tap.heard.is_answer else "failed"
        return tap.heard


def _tried(trail: Trail, track: str, plan: Plan) -> Plan:
    """A track's plan, told in the trail."""
    trail.tried.append((track, plan.decision.reason))
    return plan


def _is_arms_fault(error: PointsmanError) -> bool:
    """Whether another arm may do what this one cannot."""
    return isinstance(error, UnsupportedParameter | UpstreamError) or error.code == "prompt_too_long"
