"""A training run: steps until the time is over, a log, checkpoints, and the model at the end."""

import json
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch

from pointsman.embedded.checkpoint import Identity, resume, save_checkpoint
from pointsman.embedded.recipes import recipe_for
from pointsman.embedded.training import Trainer
from pointsman.embedded.vocabulary import build_tokenizer, save_tokenizer
from pointsman.engine import save_weights

CHECKPOINT_S = 120.0
LOG_S = 10.0
LOG_FILE = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is; also one line of its log file.

    Attributes:
        step: steps done.
        elapsed_s: seconds trained, all sittings together.
        total_s: seconds in all.
        loss: mean of a learned token since the last report, nats.
        tokens_per_s: computed since the last report, padding included.
        scores: by family, share of recent training problems whose steps the model would have written, by difficulty.
    """

    step: int
    elapsed_s: float
    total_s: float
    loss: float
    tokens_per_s: float
    scores: dict[str, list[float]]


def train(
    model: str,
    seconds: float,
    folder: Path,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    compiles: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Trains `model` for `seconds` and writes the model to `folder`, which is returned.

    A run that was interrupted goes on from the checkpoint in `folder`. `KeyboardInterrupt` passes through, after a
    checkpoint was written.

    Raises:
        BadRequest: see `checkpoint.resume`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(model)
    recipe = recipe_for(model, tokenizer.get_vocab_size())
    trainer = Trainer(recipe, tokenizer, seed, device or torch.device("cpu"), compiles=compiles)
    identity = Identity(model, seed, seconds, repr(recipe))
    _Run(trainer, identity, folder, on_progress).go(resume(folder, trainer, identity))
    save_weights(trainer.model.to(torch.bfloat16), folder)
    save_tokenizer(folder, model)
    return folder


class _Run:
    """The loop: how long it has been, what was reported, what was saved."""

    def __init__(
        self, trainer: Trainer, identity: Identity, folder: Path, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._trainer, self._identity, self._folder = trainer, identity, folder
        self._on_progress = on_progress

    def go(self, elapsed_s: float) -> None:
        """Steps until the time is over or an interruption is asked for, then a last checkpoint."""
        start = time.perf_counter() - elapsed_s
        saved_s = logged_s = elapsed_s
        losses: list[float] = []
        num_tokens = 0
        with _Interruption() as interruption:
            while elapsed_s < self._identity.seconds and not interruption.is_asked:
                report = self._trainer.step(elapsed_s / self._identity.seconds)
                losses.append(report.loss)
                num_tokens += report.num_tokens
                elapsed_s = time.perf_counter() - start
                if elapsed_s - logged_s >= LOG_S:
                    self._log(elapsed_s, sum(losses) / len(losses), num_tokens / (elapsed_s - logged_s))
                    losses, num_tokens, logged_s = [], 0, elapsed_s
                if elapsed_s - saved_s >= CHECKPOINT_S:
                    save_checkpoint(self._folder, self._trainer, self._identity, elapsed_s)
                    saved_s = elapsed_s
            save_checkpoint(self._folder, self._trainer, self._identity, elapsed_s)
        if interruption.is_asked:
            raise KeyboardInterrupt

    def _log(self, elapsed_s: float, loss: float, tokens_per_s: float) -> None:
        scores = {name: [round(score, 3) for score in row] for name, row in self._trainer.curriculum.scores.items()}
        progress = Progress(self._trainer.num_steps, elapsed_s, self._identity.seconds, loss, tokens_per_s, scores)
        with (self._folder / LOG_FILE).open("a") as file:
            file.write(json.dumps(asdict(progress)) + "\n")
        if self._on_progress is not None:
            self._on_progress(progress)


class _Interruption:
    """Ctrl-C waits for the end of a step, so that what is saved is whole. A second one does not wait, nor save."""

    def __init__(self) -> None:
        self.is_asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python has no signals
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, *_: object) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
