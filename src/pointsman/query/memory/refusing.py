"""Which requests memory never answers: those whose answer yesterday says nothing about the answer today.

Covered, with the reason code: tools and functions, also in the messages (`uses_tools`); answers from a search of the
web or the server's own state (`searches`); more than one answer (`many_answers`); a temperature above 0 with a seed
(`sampled`) and without one (`sampled_without_seed`); content that is not text (`not_text`); log probabilities, which
are not kept (`asks_details`); no message of the user's at the end (`no_question`); words about time in a message of
the user's (`time_dependent`).

Not covered: a question about things that change and that names no time ("who leads the league?"), unless one of the
listed words stands in it; any language but English; a model that changes behind its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final, Literal, TypeAlias, get_args

from pointsman.query.memory.request import Request

__all__ = ["REFUSALS", "Refusal", "refuses"]

Refusal: TypeAlias = Literal[
    "uses_tools", "searches", "many_answers", "sampled", "sampled_without_seed", "not_text", "asks_details",
    "no_question", "time_dependent",
]  # fmt: skip
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)

_TOOLS: Final = ("tools", "functions")
_SEARCHES: Final = ("web_search_options", "previous_response_id", "conversation", "documents")
_TIME: Final = re.compile(
    r"\b(?:now|nowadays|today(?:'s)?|tonight|tomorrow|yesterday|current(?:ly)?|latest|newest|recent(?:ly)?|"
    r"at the moment|at present|presently|so far|up[- ]to[- ]date|as of|ago|live|breaking|still|lately|"
    r"this (?:morning|afternoon|evening|week|weekend|month|quarter|year|season)|these days|"
    r"(?:next|last|past|coming) (?:\w+ )?(?:seconds?|minutes?|hours?|days?|nights?|weeks?|weekend|months?|years?)|"
    r"(?:next|last) (?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"what (?:time|day|date|year|month) is|(?:the )?(?:time|date) in|how old is|how long until|"
    r"weather|forecast|temperature outside|news|stock price|share price|exchange rate|in stock)\b",
    re.IGNORECASE,
)


def refuses(request: Request, *, allowed: Collection[Refusal] = (), default_temperature: float = 0.0) -> Refusal | None:
    """Why memory neither answers a request nor keeps its answer; None where it may.

    Args:
        request: in normal form.
        allowed: reasons that the caller takes responsibility for, such as `sampled`.
        default_temperature: what the model samples with where the request names none. 0 for models of this machine,
            1 for OpenAI's.
    """
    for reason, applies in _REASONS.items():
        if reason not in allowed and applies(request, default_temperature):
            return reason
    return None


def _uses_tools(request: Request, _: float) -> bool:
    named = any(request.values.get(name) for name in _TOOLS)
    return named or any(turn.role in ("tool", "function") or "tool_call" in turn.rest for turn in request.turns)


def _searches(request: Request, _: float) -> bool:
    return any(name in request.values for name in _SEARCHES)


def _many(request: Request, _: float) -> bool:
    return any(request.values.get(name, 1) != 1 for name in ("n", "best_of"))


def _samples(request: Request, default_temperature: float) -> bool:
    temperature: Any = request.values.get("temperature", default_temperature)
    return not isinstance(temperature, int | float) or temperature > 0


def _sampled(request: Request, default_temperature: float) -> bool:
    return _samples(request, default_temperature) and "seed" in request.values


def _sampled_without_seed(request: Request, default_temperature: float) -> bool:
    return _samples(request, default_temperature) and "seed" not in request.values


def _not_text(request: Request, _: float) -> bool:
    modalities: Any = request.values.get("modalities", ["text"])
    return any(turn.text is None for turn in request.turns) or modalities != ["text"]


def _asks_details(request: Request, _: float) -> bool:
    return any(bool(request.values.get(name)) for name in ("logprobs", "top_logprobs"))


def _no_question(request: Request, _: float) -> bool:
    return not request.question


def _time_dependent(request: Request, _: float) -> bool:
    return any(_TIME.search(turn.text or "") for turn in request.turns if turn.role == "user")


_REASONS: Final[dict[Refusal, Callable[[Request, float], bool]]] = {
    "uses_tools": _uses_tools,
    "searches": _searches,
    "many_answers": _many,
    "sampled": _sampled,
    "sampled_without_seed": _sampled_without_seed,
    "not_text": _not_text,
    "asks_details": _asks_details,
    "no_question": _no_question,
    "time_dependent": _time_dependent,
}  # fmt: skip
