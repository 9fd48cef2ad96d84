"""A model that answers many callers at once: one thread computes, and everybody's texts share its batch.

    service = ModelService(Batch(load_model("..."), num_rows=8))
    ticket = service.submit(prompt, Sampling(), on_text, on_end)     # from any thread
    service.cancel(ticket)                                           # the caller went away
    service.close()

Callbacks run on the service's thread and must return quickly. One that raises is logged and costs its caller the text,
nobody else. Not done here: priorities, limits per caller.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from pointsman.core import InternalError, OverBudget
from pointsman.engine.batch import require_prompt
from pointsman.engine.sampling import Sampling
from pointsman.engine.writing import Text, Writing

T = TypeVar("T")

OnEnd = Callable[[Text | BaseException], None]

_LOG = logging.getLogger("pointsman.engine")

MAX_WAITING = 1024
"""Texts that may wait for a place; more are refused. Chosen."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A text that was asked for."""

    prompt: tuple[int, ...]
    sampling: Sampling
    on_text: Callable[[str], None] | None
    on_end: OnEnd
    is_cancelled: bool = False


class TextBatch(Protocol):
    """Texts that are written together, by one model (`Batch`) or by two. Not safe for threads.

    Attributes:
        capacity_tokens: longest prompt and text together.
    """

    capacity_tokens: int

    @property
    def name(self) -> str:
        """Who writes, in messages."""

    @property
    def vocab_size(self) -> int:
        """Ids that a prompt may have."""

    @property
    def is_idle(self) -> bool:
        """Whether a step would do nothing."""

    def submit(
        self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None = None
    ) -> Writing:
        """See `Batch.submit`."""

    def step(self) -> Sequence[Writing]:
        """Goes on with every text; returns those that ended."""

    def renewed(self) -> Self:
        """An empty batch of the same kind, for when a step failed and left this one undefined."""


class ModelService:
    """The thread, its batch, and the queue between it and the callers.

    Args:
        batch: what writes; nobody else may use it.
    """

    def __init__(self, batch: TextBatch) -> None:
        self._batch = batch
        self._condition = threading.Condition()
        self._arrived: deque[Ticket] = deque()
        self._open: dict[Writing, Ticket] = {}
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"model {batch.name}", daemon=True)
        self._thread.start()

    def submit(
        self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None, on_end: OnEnd
    ) -> Ticket:
        """Asks for a text. `on_end` is called exactly once, with the text or with what went wrong.

        Raises:
            BadRequest: see `Batch.submit`.
            OverBudget: `too_many_waiting`.
            InternalError: the service is closed.
        """
        require_prompt(prompt, self._batch.vocab_size, self._batch.capacity_tokens)
        ticket = Ticket(tuple(prompt), sampling, on_text, on_end)
        with self._condition:
            if self._is_closed:
                raise InternalError(f"the model {self._batch.name} is shut down", code="model_closed")
            if len(self._arrived) + len(self._open) >= MAX_WAITING:
                problem = f"{MAX_WAITING} texts wait for {self._batch.name}; try again later"
                raise OverBudget(problem, code="too_many_waiting")
            self._arrived.append(ticket)
            self._condition.notify()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Stops a text at the next step; its `on_end` gets what was written. A finished one is left."""
        with self._condition:
            ticket.is_cancelled = True
            self._condition.notify()

    def close(self) -> None:
        """Cancels every text and ends the thread; returns when both are done."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        """The thread: takes what arrived, drops what was cancelled, steps while there is something to do."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: bool(self._arrived) or not self._batch.is_idle or self._is_closed)
                arrived, is_closed = list(self._arrived), self._is_closed
                self._arrived.clear()
            for ticket in arrived:
                self._start(ticket)
            for writing, ticket in self._open.items():
                if ticket.is_cancelled or is_closed:
                    writing.cancel()
            self._step()
            if is_closed and not self._open:
                return

    def _start(self, ticket: Ticket) -> None:
        try:
            writing = self._batch.submit(ticket.prompt, ticket.sampling, _guarded(ticket.on_text))
        except Exception as exc:  # noqa: BLE001  whatever it is, its caller is told
            _call(ticket.on_end, exc)
        else:
            self._open[writing] = ticket

    def _step(self) -> None:
        """One step of the batch. Where it fails, every text in it ends with the failure, and the batch starts anew."""
        try:
            ended = self._batch.step()
        except Exception as exc:  # noqa: BLE001  a caller's text must end whatever happens
            failed, self._open = list(self._open.values()), {}
            self._batch = self._batch.renewed()
            for ticket in failed:
                _call(ticket.on_end, exc)
            return
        for writing in ended:
            _call(self._open.pop(writing).on_end, writing.result())


def _guarded(on_text: Callable[[str], None] | None) -> Callable[[str], None] | None:
    return None if on_text is None else lambda piece: _call(on_text, piece)


def _call(callback: Callable[[T], None], value: T) -> None:
    """A caller's function; what it raises must not end the thread that serves the others."""
    try:
        callback(value)
    except Exception as exc:  # noqa: BLE001  the edge between a caller and the service
        _LOG.error("a callback of the model service raised %s", type(exc).__qualname__)  # no text: it may quote one
