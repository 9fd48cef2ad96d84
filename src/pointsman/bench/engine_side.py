"""One engine in a process of its own, told what to do by lines of JSON on stdin; answers with a line each.

    python -m pointsman.bench.engine_side pointsman FOLDER float32

Commands: ``{"generate": [[ids], ...], "max_tokens": n}`` writes greedily and never stops early, ``{"read": [ids]}``
reads a prompt and gives the logits of its last token, ``{"peak": true}`` gives the process's peak memory. Each answer
holds the seconds that the engine took.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from pointsman.core import Unsupported

__all__ = ["main"]


class _Engine(Protocol):
    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
        """``max_tokens`` greedy tokens for every prompt; all prompts have one length."""

    def read(self, prompt: Sequence[int]) -> list[float]:
        """The logits after a prompt."""


class _Ours:
    def __init__(self, folder: Path, dtype: str) -> None:
        from dataclasses import replace

        from pointsman.engine import load_model

        model = load_model(str(folder), dtype="bfloat16" if dtype == "bfloat16" else "float32")
        self._model = replace(model, config=replace(model.config, eos_tokens=()))

    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
        from pointsman.engine import Sampling, generate

        texts = generate(self._model, prompts, Sampling(max_tokens=max_tokens))
        return [list(text.tokens) for text in texts]

    def read(self, prompt: Sequence[int]) -> list[float]:
        from pointsman.engine import Session

        session = Session(self._model.decoder, 1, len(prompt))
        logits: list[float] = session.extend([0], [prompt]).logits[0, 0].float().tolist()
        return logits


class _Transformers:
    def __init__(self, folder: Path, dtype: str) -> None:
        try:
            from transformers import AutoModelForCausalLM
        except ModuleNotFoundError as exc:
            problem = "the bench compares with transformers, which is not installed: pip install 'pointsman[dev]'"
            raise Unsupported(problem, code="extra_missing") from exc
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))

    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
        tokens = torch.tensor(prompts)
        with torch.inference_mode():
            written = self._model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=max_tokens,
                min_new_tokens=max_tokens,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
        found: list[list[int]] = written[:, tokens.shape[1] :].tolist()
        return found

    def read(self, prompt: Sequence[int]) -> list[float]:
        with torch.inference_mode():
            logits: list[float] = self._model(torch.tensor([prompt]), logits_to_keep=1).logits[0, -1].float().tolist()
        return logits


_ENGINES: dict[str, Callable[[Path, str], _Engine]] = {"pointsman": _Ours, "transformers": _Transformers}


def main(name: str, folder: Path, dtype: str) -> None:
    """Loads the model, says so, and obeys until stdin ends."""
    engine = _ENGINES[name](folder, dtype)
    _say({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        start = time.perf_counter()
        answer = _obey(engine, command)
        _say({"seconds": time.perf_counter() - start, "answer": answer})


def _obey(engine: _Engine, command: dict[str, Any]) -> Any:
    if "generate" in command:
        return engine.generate(command["generate"], command["max_tokens"])
    if "read" in command:
        return engine.read(command["read"])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
