"""Models and a policy whose answers and forecasts a test decides."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pointsman.core import Cost, PointsmanError
from pointsman.gateway import ModelSource, TextRequest, Written
from pointsman.query.certifying import Setting
from pointsman.query.forecasting import Forecasts
from pointsman.query.policy import Certificate, Policy
from pointsman.query.promise import Promise


class Writer:
    """A model that says what `answers` says, and keeps requests."""

    def __init__(self, says: str | Callable[[TextRequest], str] = "inferred", moved_bytes: int = 10) -> None:
        self.says, self.moved_bytes = says, moved_bytes
        self.seen: list[TextRequest] = []
        self.error: PointsmanError | None = None
        self.may_write = threading.Event()
        self.may_write.set()

    def load(self) -> "Writer":
        return self

    def count(self, request: TextRequest) -> int:
        return 7 + len(request.messages)

    def prepare(self, request: TextRequest) -> Any:
        self.seen.append(request)
        if self.error is not None:
            raise self.error
        text = self.says if isinstance(self.says, str) else self.says(request)

        def start(on_text: Any, on_end: Any) -> Any:
            def run() -> None:
                self.may_write.wait(5)
                if on_text is not None:
                    on_text(text)
                on_end(Written(text, "stop", Cost(5, 1, 0, self.moved_bytes, 0.1)))

            threading.Thread(target=run).start()
            return lambda: None

        return start

    def close(self) -> None:
        self.may_write.set()


def source(name: str, writer: Writer, level: Any = "query") -> ModelSource:
    return ModelSource(name, "A fake", writer.load, level)


@dataclass
class FixedServer:
    """Forecasts the same of every request; keeps the texts and the prompt tokens."""

    right: Sequence[float]
    cost: Sequence[float]
    novelty: float = 0.0
    seen: list[tuple[str, list[float]]] = field(default_factory=list)
    is_warm: bool = False

    def warm(self) -> None:
        self.is_warm = True

    def forecast(self, text: str, prompt_tokens: Any, extra: Any = None) -> Forecasts:
        self.seen.append((text, prompt_tokens.tolist()))
        return Forecasts(np.array([self.right]), np.array([self.cost]), np.array([self.novelty]))


def policy_of(
    arms: Sequence[str] = ("small?mode=direct", "large"),
    right: Sequence[float] = (0.7, 0.9),
    cost: Sequence[float] = (10, 100),
    *,
    kind: Any = "moved_bytes",
    certified: bool = True,
    **server: Any,
) -> Policy:
    """A policy whose last arm is the reference; a certified one takes the cheapest."""
    setting = Setting(float("inf"), 0.0)
    certificate = (
        Certificate(Promise.of_quality(0.99), setting, 0.5, 0.1, 1000, 0.6, tuple(arms), "sha") if certified else None
    )
    made: Any = FixedServer(right, cost, **server)
    return Policy(tuple(arms), arms[-1], kind, made, certificate, "policy/test")


def asking(content: object = "What is 2 + 2?", **fields: object) -> dict[str, object]:
    return {"model": "auto", "messages": [{"role": "user", "content": content}], **fields}


def said(reply: Any) -> str:
    """The text of a reply, whole or streamed."""
    if reply.headers["content-type"].startswith("application/json"):
        return str(reply.json["choices"][0]["message"]["content"])
    choices = [choice for event in reply.events if event != "[DONE]" for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def note(reply: Any) -> Any:
    """The `pointsman` field of a reply, whole or streamed."""
    if reply.headers["content-type"].startswith("application/json"):
        return reply.json["pointsman"]
    (found,) = [event["pointsman"] for event in reply.events if event != "[DONE]" and "pointsman" in event]
    return found


def told(reply: Any, name: str) -> Any:
    return json.loads(reply.headers[f"x-pointsman-{name}"])
