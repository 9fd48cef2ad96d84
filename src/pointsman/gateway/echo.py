"""The model that answers where no upstream is configured: it says that it is an echo, and repeats the question.

It lets a client be tried against a fresh gateway. It is no language model, and its answers say so first.
"""

import re

from starlette.types import Receive, Send

from pointsman.core import Decision
from pointsman.gateway import wire
from pointsman.gateway.arms import POLICY_VERSION, Answer, Call, send_answer

NAME = "pointsman-echo"

_PREFACE = "This is an echo, not a language model, because no upstream is configured. You wrote: "


class EchoArm:
    """Repeats the last user message."""

    owner = "pointsman"
    description = "Repeats your last message; answers only where no upstream is configured"

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Sends the preface and the last user message, a word a chunk when streaming."""
        text = _PREFACE + wire.text_of(wire.last_user_message(call.request))
        decision = Decision(arm=NAME, reason="no_upstream_configured", policy_version=POLICY_VERSION)
        await send_answer(call, Answer(tuple(re.findall(r"\s*\S+\s*", text)), decision, note=None), send)
