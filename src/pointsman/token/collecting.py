"""What gates learn from, made in chunks of tasks; each is written as soon as it is there.

An interruption loses at most one chunk: what was made before is read again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor

from pointsman.engine import Sampling, generate
from pointsman.engine.store import Store
from pointsman.token import labels
from pointsman.token.batch import Judged, PairBatch
from pointsman.token.gate import Observed
from pointsman.token.method import Method
from pointsman.token.pair import Pair
from pointsman.token.states import States, before_texts, judged_states, states_along
from pointsman.token.tasks import Task

CHUNK_TASKS = 64
"""Tasks whose labels are written together."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a fit depends on beside models and tasks.

    Attributes:
        data: says where the tasks come from, for the cards.
        tolerance: what the large model lets stand, for `pointsman`; see `judges.Bounded`.
        rounds: of labels, at least 2 for CITER.
        rollout_tasks: of the tasks, those along whose texts of both models it is tried what loses the answer.
        seed: of training.
        max_tokens: longest text on policy.
    """

    data: str
    tolerance: float = 0.1
    rounds: int = 2
    rollout_tasks: int = 1000
    seed: int = 0
    max_tokens: int = 300


class Progress(Protocol):
    """Who watches."""

    def begin(self, what: str, total: int) -> None:
        """A stage of `total` tasks begins."""

    def advance(self, done: int, told: str) -> None:
        """So many more tasks are done; `told` says what came of them."""


class Collector:
    """Texts, states and labels of a pair over tasks.

    Args:
        pair: the models.
        tasks: all that a fit learns from. States name their text by its task's place among these.
        settings: of the fit.
        store: keeps chunks.
        progress: who watches.
    """

    def __init__(self, pair: Pair, tasks: Sequence[Task], settings: Settings, store: Store, progress: Progress) -> None:
        self.pair, self.settings, self._store, self._progress = pair, settings, store, progress
        self.sampling = Sampling(max_tokens=settings.max_tokens)
        self._tasks = tasks
        self._numbers = {task.prompt: number for number, task in enumerate(tasks)}

    def texts(self, name: str, tasks: Sequence[Task], finish: labels.Finish) -> list[Task | None]:
        """Each task with the text that `finish` writes for it as its reference, or None where that is wrong."""

        def write(part: Sequence[Task]) -> dict[str, Tensor]:
            texts = finish([task.prompt for task in part])
            tokens = [token for text in texts for token in text.tokens]
            counts = torch.tensor([len(text.tokens) for text in texts])
            return {
                "tokens": torch.tensor(tokens),
                "counts": counts,
                "is_right": torch.tensor(labels.are_right(part, texts)),
            }

        found: list[Task | None] = []
        for part, made in self.chunks(name, tasks, write, lambda made: f"{made['is_right'].float().mean():.0%} right"):
            texts = torch.split(made["tokens"], made["counts"].tolist())
            for task, text, is_right in zip(part, texts, made["is_right"].tolist(), strict=True):
                found.append(replace(task, reference=tuple(text.tolist())) if is_right else None)
        return found

    def on_policy(self, name: str, method: Method) -> States:
        """What every call of the large model says of the spans that were pending, over all tasks."""

        def write(tasks: Sequence[Task]) -> dict[str, Tensor]:
            seen: list[States] = []

            def keep(judged: Judged) -> None:
                seen.append(judged_states(judged, self._numbers[judged.writing.prompt]))

            longest = max(len(task.prompt) for task in tasks) + self.settings.max_tokens
            batch = PairBatch(self.pair, method, 32, min(longest, self.pair.context_tokens), keep)
            for task in tasks:
                batch.submit(task.prompt, self.sampling)
            while not batch.is_idle:
                batch.step()
            return as_tensors(States.joined(seen))

        def told(made: dict[str, Tensor]) -> str:
            states = States(**made)
            stands = stands_under(states.at(states.reached), self.settings.tolerance)
            return f"{len(stands):,} labels, {float(stands.mean()):.1%} stand"

        return States.joined([States(**made) for _, made in self.chunks(name, self._tasks, write, told)])

    def labelled(
        self, name: str, tasks: Sequence[Task], label: Callable[[Sequence[Task], States], Tensor]
    ) -> tuple[States, Tensor]:
        """States along the tasks' references, and what `label` says of each."""

        def write(part: Sequence[Task]) -> dict[str, Tensor]:
            prompts, texts = [task.prompt for task in part], [task.reference for task in part]
            states = States.joined(list(states_along(self.pair, prompts, texts)))
            return {**as_tensors(states), "labels": label(part, states)}

        def told(made: dict[str, Tensor]) -> str:
            return f"{len(made['labels']):,} labels, {float(made['labels'].nanmean()):.1%} stand"

        parts, targets = [], []
        for part, made in self.chunks(name, tasks, write, told):
            targets.append(made.pop("labels"))
            numbers, states = torch.tensor([self._numbers[task.prompt] for task in part]), States(**made)
            parts.append(replace(states, text=numbers[states.text]))
        return States.joined(parts), torch.cat(targets)

    def outlooks(self) -> tuple[Observed, Tensor, Tensor]:
        """What the small model makes of each prompt, (N,) float32 whether its own text is right, (N,) which task."""
        small = self.pair.small

        def write(tasks: Sequence[Task]) -> dict[str, Tensor]:
            prompts = [task.prompt for task in tasks]
            texts = generate(small, prompts, self.sampling, num_rows=32)
            seen = before_texts(small, prompts, self.pair.vocab_size)
            return {**as_tensors(seen), "right": torch.tensor(labels.are_right(tasks, texts)).float()}

        def told(made: dict[str, Tensor]) -> str:
            return f"{made['right'].mean():.0%} right"

        made = [made for _, made in self.chunks("alone", self._tasks, write, told)]
        whole = {name: torch.cat([part[name] for part in made]) for name in made[0]}
        right = whole.pop("right")
        return Observed(**whole), right, torch.tensor([self._numbers[task.prompt] for task in self._tasks])

    def chunks(
        self,
        name: str,
        tasks: Sequence[Task],
        make: Callable[[Sequence[Task]], dict[str, Tensor]],
        told: Callable[[dict[str, Tensor]], str],
    ) -> Iterator[tuple[Sequence[Task], dict[str, Tensor]]]:
        """The tasks in parts, each with what `make` gives for it, from the store where it was made before."""
        self._progress.begin(name, len(tasks))
        for start in range(0, len(tasks), CHUNK_TASKS):
            part = tasks[start : start + CHUNK_TASKS]
            made = dict(self._store.chunk(f"{name}-{start:06}", lambda part=part: make(part)))  # type: ignore[misc]
            self._progress.advance(len(part), told(made))
            yield part, made


def stands_under(states: States, tolerance: float) -> Tensor:
    """(N,) float32: 1 where the proposal is what a judge of this tolerance lets stand."""
    if tolerance == 0:
        return (states.proposals == states.best).float()
    return (states.behind_nats <= -torch.log1p(torch.tensor(-tolerance))).float()


def as_tensors(states: States | Observed) -> dict[str, Tensor]:
    return {field.name: getattr(states, field.name) for field in fields(states)}
