"""What a method gets right of tasks, and what it costs: seconds, bytes and operations, each on its own."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pointsman.engine import LoadedModel, Sampling, Text, generate
from pointsman.token.batch import generate_pair
from pointsman.token.labels import are_right
from pointsman.token.lineup import Dials
from pointsman.token.lookup import Memory
from pointsman.token.method import Method
from pointsman.token.pair import Pair
from pointsman.token.tasks import Task
from pointsman.token.writing import PairText

MOST_TOKENS = 300
"""Of a text in an evaluation."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One method at one setting, over N tasks in their order.

    Attributes:
        name: what really ran, as the texts say.
        dials: at which setting.
        right: whether each answer was right.
        moved_bytes: of each.
        flops: of each.
        seconds: all tasks together.
        num_tokens: written, all together.
        large_share: of the tokens, those that the large model wrote.
        lookup_share: those that were looked up.
        calls: forwards of the large model a token.
        rolled_back: tokens of the small model that did not stand, a token written.
    """

    name: str
    dials: Dials
    right: tuple[bool, ...]
    moved_bytes: tuple[int, ...]
    flops: tuple[int, ...]
    seconds: float
    num_tokens: int
    large_share: float
    lookup_share: float
    calls: float
    rolled_back: float

    @property
    def accuracy(self) -> float:
        """Share right."""
        return statistics.fmean(self.right)

    @property
    def total_bytes(self) -> int:
        """Over all tasks."""
        return sum(self.moved_bytes)

    @property
    def total_flops(self) -> int:
        """Over all tasks."""
        return sum(self.flops)

    def losses_against(self, reference: "Measured") -> int:
        """Tasks that the reference answers rightly and this one does not."""
        return sum(theirs and not ours for ours, theirs in zip(self.right, reference.right, strict=True))


Written = Callable[[int], None]
"""Told how many tasks were answered since it was last called."""


def measure(
    pair: Pair, method: Method, dials: Dials, tasks: Sequence[Task], num_rows: int = 1, on_done: Written | None = None
) -> Measured:
    """Both models answer, `num_rows` at a time."""
    sampling, memory = Sampling(max_tokens=MOST_TOKENS), Memory()
    return _measure(
        lambda prompts: generate_pair(pair, method, prompts, sampling, num_rows=num_rows, memory=memory),
        dials,
        tasks,
        num_rows,
        on_done,
    )


def measure_alone(
    model: LoadedModel, tasks: Sequence[Task], num_rows: int = 1, on_done: Written | None = None
) -> Measured:
    """One model answers."""
    sampling = Sampling(max_tokens=MOST_TOKENS)
    return _measure(lambda prompts: generate(model, prompts, sampling, num_rows=num_rows), {}, tasks, num_rows, on_done)


def _measure(
    write: Callable[[Sequence[Sequence[int]]], Sequence[Text]],
    dials: Dials,
    tasks: Sequence[Task],
    num_rows: int,
    on_done: Written | None,
) -> Measured:
    texts: list[Text] = []
    seconds, chunk = 0.0, max(32, 4 * num_rows)
    for start in range(0, len(tasks), chunk):
        prompts = [task.prompt for task in tasks[start : start + chunk]]
        begun = time.perf_counter()
        texts += write(prompts)
        seconds += time.perf_counter() - begun
        if on_done is not None:
            on_done(len(prompts))
    num_tokens = sum(len(text.tokens) for text in texts)
    mixed = [text for text in texts if isinstance(text, PairText)]
    return Measured(
        name=mixed[0].method if mixed else "alone",
        dials=dials,
        right=tuple(are_right(tasks, texts)),
        moved_bytes=tuple(text.traffic.moved_bytes for text in texts),
        flops=tuple(text.traffic.flops for text in texts),
        seconds=seconds,
        num_tokens=num_tokens,
        large_share=sum(text.num_large_tokens for text in mixed) / num_tokens,
        lookup_share=sum(text.num_lookup_tokens for text in mixed) / num_tokens,
        calls=sum(text.num_calls for text in mixed) / num_tokens,
        rolled_back=sum(text.num_rolled_back for text in mixed) / num_tokens,
    )
