"""A request as memory sees it: everything that can change the answer, in one normal form.

    Request.of({"model": "m", "messages": [{"role": "user", "content": " What is  2 + 2? "}], "stream": True})
    # turns (("user", "What is 2 + 2?"),), parameters (("model", '"m"'),)

The normal form: Unicode NFC; line ends are line feeds; white space around a text is dropped; runs of spaces and tabs
are one space, unless the text holds a backtick or a line that begins with one of them, as code does. Case is kept,
since an answer may depend on it. Parameters that change nothing (`NEUTRAL`) are left out, and so are those that are
null. Every other field of the body counts, also one that nobody here knows.

Not done here: validating parameters, and telling defaults from values that are written out (`n: 1` and no `n` differ).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.core import BadRequest

__all__ = ["NEUTRAL", "Request", "Turn", "normal_text"]

NEUTRAL: Final = frozenset({
    *("stream", "stream_options", "user", "metadata", "service_tier", "store", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention", "messages"),
})  # fmt: skip
"""Fields that change how an answer is sent, billed or filed; messages are kept apart."""

_SPACES = re.compile(r"[ \t]+")
_LOOKS_LIKE_CODE = re.compile(r"`|^[ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message in normal form. `text` is None where its content is not text alone; `rest` is the message then."""

    role: str
    text: str | None
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in normal form.

    Attributes:
        turns: the messages, in order.
        parameters: name and JSON text of whatever else can change the answer, by name.
        quality: the share of the reference's quality that is asked for, where the request says so.
        values: the parameters as they came, for those who read one.
    """

    turns: tuple[Turn, ...]
    parameters: tuple[tuple[str, str], ...]
    quality: float | None = None
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any], quality: float | None = None) -> Request:
        """From a chat completion's body, as parsed JSON.

        Raises:
            BadRequest: `invalid_type` where `messages` is no list of objects with a role.
        """
        messages = body.get("messages") or []
        if not isinstance(messages, list) or not all(
            isinstance(one, Mapping) and isinstance(one.get("role"), str) for one in messages
        ):
            problem = "messages is not a list of objects with a role; expected OpenAI's messages"
            raise BadRequest(problem, code="invalid_type", param="messages")
        values = {name: value for name, value in body.items() if name not in NEUTRAL and value is not None}
        parameters = tuple(sorted((name, _as_json(value)) for name, value in values.items()))
        return cls(tuple(map(_turn, messages)), parameters, quality, values)

    @property
    def question(self) -> str | None:
        """The last message's text, where that is the user's and text alone."""
        return self.turns[-1].text if self.turns and self.turns[-1].role == "user" else None

    def canonical(self) -> bytes:
        """All that counts, as bytes: equal for two requests exactly when their normal forms are."""
        return _canonical(self.turns, self)

    def context(self) -> bytes:
        """The same without the last message's text: what a request has to share to be another one in other words."""
        return _canonical(self.turns[:-1], self)

    def __hash__(self) -> int:
        return hash((self.turns, self.parameters, self.quality))


def normal_text(text: str) -> str:
    """A text in normal form, as the module says."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if _LOOKS_LIKE_CODE.search(text.strip()):
        return text.strip("\n")
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(lines).strip()


def _turn(message: Mapping[str, Any]) -> Turn:
    text = _text(message.get("content"))
    others = {name: value for name, value in message.items() if name not in ("role", "content") and value is not None}
    if text is None:
        return Turn(str(message["role"]), None, _as_json(message))
    return Turn(str(message["role"]), normal_text(text), _as_json(others) if others else "")


def _text(content: object) -> str | None:
    """A content that is text, or a list of text parts; None for everything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        return None
    parts = [one.get("text") for one in content if isinstance(one, Mapping) and one.get("type") == "text"]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(content) else None


def _canonical(turns: tuple[Turn, ...], request: Request) -> bytes:
    rows = [[turn.role, turn.text, turn.rest] for turn in turns]
    return _as_json(["memory/1", rows, request.parameters, request.quality]).encode()


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
