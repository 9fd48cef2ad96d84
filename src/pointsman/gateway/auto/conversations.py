"""Which model has read a conversation before, so that its provider's prompt cache makes reading it again cheaper.

The API has no conversations. A request goes on with one where its messages before the assistant's last are, byte for
byte, all messages of a request that was answered before, for the same API key. A request without a key is neither found
nor kept, as in memory.

Kept are a keyed hash of the messages, the model, how many prompt tokens it read, and when: in this process only, and a
bounded number of them, of which those go first that were kept or found longest ago. Texts are neither kept nor logged.

Covered: the turn before. Not covered: earlier turns that another model answered; models that were called unseen;
clients that write what they sent in another way; and whether the provider has kept the prompt, which only its bill
tells. What is not covered counts as not read before, but the last, which counts as kept.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET, Raw

from pointsman.gateway import wire
from pointsman.query.memory.keys import tenant_key

__all__ = ["Conversations", "Read", "Turn"]

_MOST: Final = 10_000
"""Turns that are kept. Chosen: 33 a second for as long as providers keep prompts; 2.5 MB."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a model has read of a conversation."""

    model: str
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A request in its conversation.

    Attributes:
        key: of all its messages, 16 bytes.
        read: in the turn before; None where no model is known to have the prompt in its cache.
    """

    key: bytes = field(repr=False)
    read: Read | None


class Conversations:
    """Turns that were answered. Any thread may ask.

    Args:
        saves: nano-dollars that a prompt token costs less from the cache, by model; no other model is kept.
        seconds_to_live: how long a provider keeps a prompt.
        fewest_tokens: of the shortest prompt that it keeps.
        most: turns that are kept.
        clock: seconds, from whenever.
    """

    def __init__(
        self,
        saves: Mapping[str, float],
        seconds_to_live: float,
        fewest_tokens: int,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.saves, self._seconds_to_live, self._fewest_tokens = saves, seconds_to_live, fewest_tokens
        self._most, self._clock = most, clock
        self._secret, self._lock = os.urandom(32), threading.Lock()
        self._kept: OrderedDict[bytes, tuple[Read, float]] = OrderedDict()

    def turn(self, api_key: str | None, request: wire.ChatRequest) -> Turn | None:
        """A request's place; None without an API key. Raises BadRequest where a message is none."""
        if api_key is None:
            return None
        tenant = tenant_key(api_key, self._secret)
        earlier = wire.before_last_answer(request)
        messages = [] if request.messages is UNSET else request.messages
        return Turn(_key(messages, tenant), self._find(_key(earlier, tenant)) if earlier else None)

    def answered(self, turn: Turn, model: str, prompt_tokens: int) -> None:
        """Keeps that a model has answered a turn, and how many prompt tokens it read for that."""
        if model not in self.saves or prompt_tokens < self._fewest_tokens:
            return
        with self._lock:
            self._kept[turn.key] = Read(model, prompt_tokens), self._clock()
            self._kept.move_to_end(turn.key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def _find(self, key: bytes) -> Read | None:
        with self._lock:
            read, kept_s = self._kept.get(key, (None, 0.0))
            if read is None:
                return None
            if self._clock() - kept_s >= self._seconds_to_live:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return read


def _key(messages: Iterable[Raw], tenant: bytes) -> bytes:
    """Of messages in their order; JSON objects need no mark between them."""
    hashed = hashlib.blake2b(key=tenant, digest_size=16, person=b"conversation")
    for message in messages:
        hashed.update(message)
    return hashed.digest()
