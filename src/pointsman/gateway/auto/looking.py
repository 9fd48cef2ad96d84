"""A look: the first arms of a sequence are called unseen, two at once since both are paid, and compared.

What is seen decides who answers (`query/sequences.py` has the rule, and what it was learned from). Of one arm it is
whether all samples agree that were asked for, of two whether their final answers do. What cannot be compared differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pointsman.core import Decision, PointsmanError
from pointsman.gateway.arms import Call
from pointsman.gateway.auto.asked import Called, Looked, Plan
from pointsman.gateway.auto.asking import Answered, Asker
from pointsman.gateway.auto.routing import PolicyTrack
from pointsman.gateway.auto.spec import ArmSpec
from pointsman.gateway.tap import Bill
from pointsman.query.comparing import agree

__all__ = ["look"]


async def look(asker: Asker, policy: PolicyTrack, call: Call, plan: Plan) -> tuple[Plan, PointsmanError | None]:
    """The plan after its look: with the answer at hand, or with who answers next; or why nothing could be seen.

    Every arm that answered is on the plan's bill. Of a failure the plan names the arm.
    """
    steps = plan.steps
    assert steps is not None
    answers, failures = await _called(asker, call, plan.decision, [policy.specs[name] for name in steps.first])
    called = tuple(Called(arm, one.bill.cost if one.bill.is_known else None, one.votes) for arm, one in answers.items())
    bill = sum((one.bill for one in answers.values()), Bill())
    if failures:
        arm, failure = next(iter(failures.items()))
        return replace(plan, spec=policy.specs[arm], before=bill, looked=Looked(steps, called, None)), failure
    agrees = _agrees(list(answers.values()))
    plan = policy.after(replace(plan, looked=Looked(steps, called, agrees)), agrees=agrees)
    at_hand = answers.get(plan.arm)
    return (replace(plan, before=bill) if at_hand is None else replace(at_hand, bill=bill).known(plan)), None


async def _called(
    asker: Asker, call: Call, decision: Decision, specs: Sequence[ArmSpec]
) -> tuple[Mapping[str, Answered], Mapping[str, PointsmanError]]:
    """What the arms answer, and what fails, each by the arm's name."""
    asking = (asker.unseen(call.within(str(number)), decision, spec) for number, spec in enumerate(specs, 1))
    answers, failures = {}, {}
    for spec, found in zip(specs, await asyncio.gather(*asking, return_exceptions=True), strict=True):
        if isinstance(found, Answered):
            answers[spec.name] = found
        elif isinstance(found, PointsmanError):
            failures[spec.name] = found
        else:
            raise found
    return answers, failures


def _agrees(answers: Sequence[Answered]) -> bool:
    if len(answers) == 1:
        return answers[0].votes is not None and answers[0].votes.is_unanimous
    return agree(answers[0].text, answers[1].text)
