"""The model `auto`: a program where one covers the request surely enough, else a model that infers."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.types import Receive, Send

from pointsman.core import BadRequest, Decision
from pointsman.gateway import wire
from pointsman.gateway.arms import Arm, Call, Ending, send_answer
from pointsman.gateway.programs import PREFIX

if TYPE_CHECKING:  # a gateway without programs does not load the compiler
    from pointsman.program.text.router import Router

AUTO: Final = "auto"
_POLICY: Final = "route-or-infer/1"


class AutoArm:
    """Routes or infers.

    Args:
        router: programs and when they cover a request.
        infer: the name of the model that gets the rest, None for none.
        arms: all arms, by name.
    """

    owner = "pointsman"
    description = "A program where one covers the request, else a model"

    def __init__(self, router: "Router", infer: str | None, arms: Mapping[str, Arm]) -> None:
        self._router, self._infer, self._arms = router, infer, arms
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=AUTO)

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """A chat of one user message, without tools or a format, may be routed; every other one is inferred.

        Raises:
            BadRequest: `not_covered` where no model infers.
        """
        request = wire.sole_text(call.request)
        if request is not None:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._router.answer, request)
            if found.answer is not None:
                decision = Decision(f"{PREFIX}{found.program}", "covered", _POLICY)
                ending = Ending(decision, found.cost, "stop", states_visited=found.answer.states_visited)
                await send_answer(call, found.answer.json_text, ending, send)
                return
        await self._inferred(call, receive, send)

    async def _inferred(self, call: Call, receive: Receive, send: Send) -> None:
        if self._infer is None:
            problem = "no program covers this request, and no model infers; start the server with --infer MODEL"
            raise BadRequest(problem, code="not_covered", param="messages")
        request = msgspec.structs.replace(call.request, model=self._infer)
        body = wire.with_model(call.body, self._infer)
        inferred = replace(call, request=request, body=body, reason="not_covered", policy=_POLICY)
        await self._arms[self._infer].answer(inferred, receive, send)

    def close(self) -> None:
        """Ends the thread after the request that it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)
