"""``pointsman bench engine``: our engine beside ``transformers``, on the same weights, in one run.

    pointsman bench engine --quick

Two models: the embedded large one in float32, and a random Llama of half a billion parameters in bf16. Each engine is a
process of its own; both run in turn, and a figure is the median ratio of rounds that followed each other. Answers are
compared first. The ceiling of decoding is the machine's copy bandwidth, measured in the same run, over the bytes that a
token has to move.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pointsman.bench.report import Report, median_figure, sha256_of
from pointsman.bench.timing import Tick
from pointsman.core import InternalError, Unverified
from pointsman.embedded import model_folder
from pointsman.embedded.vocabulary import save_tokenizer
from pointsman.engine import Decoder, ModelConfig, save_weights
from pointsman.engine.config import read_config

__all__ = ["main", "run"]

ENGINES: Final = ("pointsman", "transformers")

HALF_BILLION: Final = ModelConfig(
    architecture="LlamaForCausalLM",
    vocab_size=32_000,
    hidden_size=1280,
    intermediate_size=3456,
    num_layers=24,
    num_heads=20,
    num_kv_heads=4,
    head_dim=64,
    context_tokens=1024,
)
_PROMPT_TOKENS: Final = 32
_COPY_BYTES: Final = 1 << 28
_LOGIT_TOLERANCE: Final = {"float32": 1e-3, "bfloat16": 0.05}  # of the largest logit; bf16 rounds in other places


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is measured. Rounds of both engines in turn, and tokens that a round writes."""

    rounds: int
    embedded_tokens: int
    random_tokens: int


_FULL, _QUICK = _Size(5, 200, 24), _Size(2, 60, 6)


class Side:
    """One engine's process."""

    def __init__(self, name: str, folder: Path, dtype: str) -> None:
        self.name = name
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "pointsman.bench.engine_side", name, str(folder), dtype],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def ask(self, **command: Any) -> tuple[float, Any]:
        """Seconds, and the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        said = self._read()
        return said["seconds"], said["answer"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise InternalError(f"the process of {self.name} ended; is transformers installed?", code="bench_side")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def _sides(folder: Path, dtype: str) -> Iterator[list[Side]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Side(name, folder, dtype))) for name in ENGINES]


def main(quick: bool = False, seed: int = 0) -> None:
    """Measures everything, with progress on stderr, and prints the report."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=1.0)

        def tick(done: float, what: str) -> None:
            progress.update(task, completed=done, description=what[:50].ljust(50))

        report = run(quick, seed, tick)
    sys.stdout.write(report.text())


def run(quick: bool, seed: int, tick: Tick) -> Report:
    """Raises Unverified where the two engines do not compute the same."""
    report, size, rng = Report("engine", seed, quick), _QUICK if quick else _FULL, random.Random(seed)  # noqa: S311
    folder = model_folder("large")
    report.data["embedded/large"] = sha256_of(folder / "model.safetensors")
    with _sides(folder, "float32") as sides:
        _embedded(report, sides, size, rng, tick)
    with tempfile.TemporaryDirectory() as temporary:
        tick(0.3, "a random Llama of half a billion parameters")
        save_random(Path(temporary), seed)
        with _sides(Path(temporary), "bfloat16") as sides:
            _half_billion(report, sides, size, rng, tick)
    return report


def _embedded(report: Report, sides: Sequence[Side], size: _Size, rng: random.Random, tick: Tick) -> None:
    config = read_config(model_folder("large") / "config.json")
    prompt = [rng.randrange(6, config.vocab_size) for _ in range(_PROMPT_TOKENS)]
    _check_texts(sides, [prompt], 100)
    _check_logits(sides, prompt, "float32")
    times = _in_turn(
        sides, size, lambda: {"generate": [prompt], "max_tokens": size.embedded_tokens}, tick, 0.05, "embedded"
    )
    _ratio(report, "embedded_decode_over_transformers", times, 2.0)
    _rates(report, "embedded large, float32, batch 1", times, size.embedded_tokens)
    _memory(report, sides)


def _half_billion(report: Report, sides: Sequence[Side], size: _Size, rng: random.Random, tick: Tick) -> None:
    prompts = [[rng.randrange(HALF_BILLION.vocab_size) for _ in range(_PROMPT_TOKENS)] for _ in range(8)]
    long = [rng.randrange(HALF_BILLION.vocab_size) for _ in range(512)]
    _check_logits(sides, prompts[0], "bfloat16")

    def written(num_prompts: int) -> Callable[[], dict[str, Any]]:
        return lambda: {"generate": prompts[:num_prompts], "max_tokens": size.random_tokens}

    copies: list[float] = []  # the machine's speed changes within minutes, so each round has a ceiling of its own
    times = _in_turn(sides, size, written(1), tick, 0.4, "0.5B, batch 1", lambda: copies.append(copy_bandwidth()))
    # One prompt read and one token less are subtracted, so that what remains is decoding alone.
    once = _in_turn(sides, size, lambda: {"generate": prompts[:1], "max_tokens": 1}, tick, 0.5, "0.5B, first token")
    decoded = [[whole - first for whole, first in zip(*rows, strict=True)] for rows in zip(times, once, strict=True)]
    _ratio(report, "decode_500m_over_transformers", decoded, 1.1)
    _rates(report, "0.5B, bf16, batch 1", decoded, size.random_tokens - 1)
    _share_of_ceiling(report, copies[1:], decoded[0], size.random_tokens)
    times = _in_turn(sides, size, written(8), tick, 0.6, "0.5B, batch 8")
    _ratio(report, "batch8_over_transformers", times, 1.0)
    _rates(report, "0.5B, bf16, batch 8", times, 8 * size.random_tokens)
    times = _in_turn(sides, size, lambda: {"read": long}, tick, 0.75, "0.5B, prompt of 512")
    _ratio(report, "prefill512_over_transformers", times, 1.0)
    _rates(report, "0.5B, bf16, prompt of 512", times, len(long))
    _memory(report, sides)


def _share_of_ceiling(report: Report, copies: Sequence[float], decoded: Sequence[float], num_tokens: int) -> None:
    """What our decoding reached, by round, of the copy bandwidth (bytes/s) that was measured before it."""
    moved_bytes = token_bytes(HALF_BILLION, _PROMPT_TOKENS + num_tokens // 2)
    shares = [
        (num_tokens - 1) * moved_bytes / seconds / bytes_per_s
        for bytes_per_s, seconds in zip(copies, decoded, strict=True)
    ]
    report.figures["decode_500m_share_of_ceiling"] = median_figure(shares, "share", seed=report.seed, at_least=0.7)
    middle = statistics.median(copies)
    report.details.append(f"copy bandwidth: {middle / 1e9:.1f} GB/s read and written")
    report.details.append(f"  {moved_bytes / 1e6:,.0f} MB a token of 0.5B: ceiling {middle / moved_bytes:.1f} tokens/s")


def _in_turn(
    sides: Sequence[Side],
    size: _Size,
    command: Callable[[], dict[str, Any]],
    tick: Tick,
    done: float,
    what: str,
    before_round: Callable[[], None] = lambda: None,
) -> list[list[float]]:
    """Seconds of every round by side; one round more goes before, to warm up."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(size.rounds + 1):
        tick(done, f"{what}, round {number} of {size.rounds}")
        before_round()
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            seconds, _ = sides[index].ask(**command())
            if number:
                times[index].append(seconds)
    return times


def _ratio(report: Report, name: str, times: Sequence[Sequence[float]], at_least: float) -> None:
    ratios = [theirs / ours for ours, theirs in zip(*times, strict=True)]
    report.figures[name] = median_figure(ratios, "ratio", seed=report.seed, at_least=at_least)


def _rates(report: Report, what: str, times: Sequence[Sequence[float]], num_tokens: int) -> None:
    rates = [
        f"{name} {num_tokens / statistics.median(seconds):,.1f}" for name, seconds in zip(ENGINES, times, strict=True)
    ]
    report.details.append(f"{what}: tokens/s: {', '.join(rates)}")


def _memory(report: Report, sides: Sequence[Side]) -> None:
    peaks = [f"{side.name} {side.ask(peak=True)[1] / 2**20:,.0f} MiB" for side in sides]
    report.details.append(f"  peak memory of the process: {', '.join(peaks)}")


def _check_texts(sides: Sequence[Side], prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    """Raises Unverified unless both write the same greedy tokens."""
    ours, theirs = (side.ask(generate=prompts, max_tokens=max_tokens)[1] for side in sides)
    if ours != theirs:
        raise Unverified("the engines write different greedy texts on the same weights", code="bench_mismatch")


def _check_logits(sides: Sequence[Side], prompt: Sequence[int], dtype: str) -> None:
    """Raises Unverified unless the logits after a prompt agree within the tolerance of the dtype."""
    ours, theirs = (side.ask(read=prompt)[1] for side in sides)
    worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / max(map(abs, theirs))
    if not worst <= _LOGIT_TOLERANCE[dtype]:
        problem = f"the engines' logits differ by {worst:.2g} of the largest; expected {_LOGIT_TOLERANCE[dtype]:g}"
        raise Unverified(problem, code="bench_mismatch")


def copy_bandwidth(rounds: int = 7) -> float:
    """Bytes per second, read and written, of a copy that no cache holds: the best round."""
    source = torch.ones(_COPY_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        target.copy_(source)
        best = min(best, time.perf_counter() - start)
    return 2 * _COPY_BYTES / best


def token_bytes(config: ModelConfig, num_tokens_before: int) -> int:
    """Bytes that one decoded token moves in bf16: weights once, keys and values of the tokens before."""
    weights = 2 * (config.num_parameters - config.vocab_size * config.hidden_size)
    return weights + (num_tokens_before + 1) * config.kv_token_bytes(2)


def save_random(folder: Path, seed: int) -> None:
    """Writes the random Llama in bf16, with a tokenizer, which nothing that is measured depends on."""
    decoder = Decoder(HALF_BILLION)
    decoder.initialise(torch.Generator().manual_seed(seed))
    save_weights(decoder.to(torch.bfloat16), folder)
    save_tokenizer(folder, "large")
