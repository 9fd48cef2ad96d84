"""``pointsman generate PROMPT``."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer
from rich.console import Console

from pointsman.cli.extras import require_local
from pointsman.cli.writers import (
    PAIR,
    PairChoice,
    UnitChoice,
    coloured,
    one_model,
    pair_facts_of,
    part_of_a_model,
    shared_work,
    two_models,
)
from pointsman.core import BadRequest, Unsupported

if TYPE_CHECKING:  # torch is loaded by the command, not by --help
    from collections.abc import Callable, Mapping

    from pointsman.engine import LoadedModel, Sampling, Text

__all__ = ["generate_command"]

_FIRST_TIME = "its first start on a machine compiles for some seconds"
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def generate_command(
    prompt: Annotated[str, typer.Argument(help="What the model answers or continues, or - to read it from stdin.")],
    model: Annotated[
        str, typer.Option(help="embedded/large, /small or /pair, a folder, a llama2.c .bin file or a Hub id.")
    ] = "embedded/large",
    raw: Annotated[bool, typer.Option("--raw", help="Continue the prompt, without the chat template.")] = False,
    mode: Annotated[
        Literal["direct", "steps"] | None, typer.Option(help="Answer at once, or after worked steps [default: steps].")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens to write [default: all that fit].")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [default: 0].")] = None,
    top_k: Annotated[int | None, typer.Option(help="Draw from so many most likely tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the fewest tokens with this probability.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Leave out tokens below this share of the likeliest.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes a draw repeatable.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="A string that ends the text; repeatable.")] = None,
    logprobs: Annotated[int | None, typer.Option(help="With --json: so many alternatives to every token.")] = None,
    dtype: Annotated[Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the weights.")] = "auto",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto",
    compiles: Annotated[
        bool, typer.Option("--compile", help="Use torch.compile; worth it for long texts only.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    small: Annotated[str | None, typer.Option(help="Two models write: the small one.")] = None,
    large: Annotated[str | None, typer.Option(help="Two models write: the large one.")] = None,
    router: Annotated[Path | None, typer.Option(help="Folder of `fit token` for the two.")] = None,
    method: Annotated[str | None, typer.Option(help="How the two share the work [default: pointsman].")] = None,
    dial: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER of the method [default: the certified]")] = None,
    unit: Annotated[
        Path | None, typer.Option(help="Folder of `fit unit`: execute only what a budget pays for.")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Share of the model's bytes to move [default: 0.75].")] = None,
    prices: Annotated[
        Literal["bytes", "ms"] | None, typer.Option(help="What the budget is a share of [default: bytes].")
    ] = None,
    prompt_budget: Annotated[
        float | None, typer.Option(help="Share of a long prompt's multiplications to make [default: 1].")
    ] = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="What a budget pays for only drafts; the whole model verifies.")
    ] = False,
    color: Annotated[bool, typer.Option("--color", help="Show who wrote what, and what was rolled back.")] = False,
) -> None:
    """Let a model, or two, answer or continue a text. The text appears as it is written, and a summary on stderr.

    pointsman generate "Mina has 8 coins now. Bena has 5 more coins than Mina. How many coins does Bena have?"

    pointsman generate --model embedded/small --mode direct --json "What is the pet of Suna?"

    pointsman generate --model Qwen/Qwen3-0.6B --raw --temperature 0.8 --seed 1 --max-tokens 50 "Once upon a time"

    pointsman generate --model embedded/pair --color "What is the pet of Suna?"

    pointsman generate --model embedded/pair --method citer --dial threshold=0.9 "What is the pet of Suna?"

    pointsman generate --budget 0.6 "What is the pet of Suna?"

    pointsman generate --model stories260K.bin --unit units --budget 0.75 --raw "Once upon a time"

    pointsman generate - < question.txt
    """
    choice = PairChoice(small, large, router, method, tuple(dial or ()))
    is_pair = model == PAIR or choice.is_given
    part = UnitChoice(unit, budget, prices, prompt_budget, lossless)
    conflicts = {
        "--logprobs needs --json": logprobs is not None and not as_json,
        "--raw does not go together with --mode": raw and mode is not None,
        "--color does not go together with --json": color and as_json,
        "--color is for a text of two models; give --model embedded/pair, or --small, --large and --router": color
        and not is_pair,
        "--lossless reads prompts with all of the model; leave --prompt-budget out": lossless
        and prompt_budget is not None,
        "--unit and its budgets are for one model, not for a pair": part.is_given and is_pair,
        "--compile does not go together with --unit and its budgets": part.is_given and compiles,
    }
    _refuse(conflicts)
    require_local()
    limits = {"max_tokens": max_tokens, "seed": seed, "stop": tuple(stop) if stop else None, "logprobs": logprobs}
    sampling = _sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, **limits)
    text = _read_stdin() if prompt == "-" else prompt
    with Console(stderr=True).status(f"loading {PAIR if is_pair else model}; {_FIRST_TIME}") as status:
        if is_pair:
            writer = two_models(choice, dtype, device)
        elif part.is_given:
            writer = part_of_a_model(part, model, dtype, device)
        else:
            writer = one_model(model, dtype, device, compiles=compiles)
        tokens = _tokens(writer.model, text, raw=raw, mode=mode)
        with _Line(status.stop) as line:
            written = writer.write(tokens, sampling, None if as_json or color else line.add)
    if as_json:
        print(_as_json(model, writer.model, written))
        return
    if color:
        print(coloured(written, writer.model.tokenizer, tokens[-1]))  # type: ignore[arg-type]  # it is a pair's
    sys.stderr.write(_summary(written) + "\n")


def _refuse(conflicts: Mapping[str, bool]) -> None:
    """Raises `BadRequest` (`conflicting_options`) for the first that is so."""
    for problem, is_so in conflicts.items():
        if is_so:
            raise BadRequest(problem, code="conflicting_options")


def _sampling(**given: Any) -> Sampling:
    """What is given; the engine's defaults for the rest."""
    from pointsman.engine import Sampling

    return Sampling(**{name: value for name, value in given.items() if value is not None})


class _Line:
    """Text on stdout as it comes; what was begun is ended with a line feed, also by an interruption.

    `before` is called before each piece, to take away whatever else the terminal shows.
    """

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before
        self._last = "\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._last.endswith("\n"):
            print(flush=True)

    def add(self, _: int, piece: str) -> None:
        """Shows a piece, which is not empty."""
        self._before()
        print(piece, end="", flush=True)
        self._last = piece


def _read_stdin() -> str:
    if sys.stdin is None:
        raise BadRequest("standard input is closed", code="no_input")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"the prompt is not text (UTF-8): {exc.reason}", code="bad_inputs") from exc


def _tokens(loaded: LoadedModel, text: str, *, raw: bool, mode: str | None) -> list[int]:
    """The prompt for the model: a chat with one message, or `text` as it is where the model was not made for chats."""
    tokenizer = loaded.tokenizer
    if not raw:
        message = {"role": "user", "content": text}
        try:
            chat = tokenizer.render_chat([message], add_generation_prompt=True, mode=mode or "steps")
        except Unsupported as error:
            if error.code != "no_chat_template" or mode is not None:
                raise
        else:
            return tokenizer.encode(chat, special=False)
    return tokenizer.encode(text, special=True)


def _as_json(model: str, loaded: LoadedModel, written: Text) -> str:
    from msgspec import to_builtins

    from pointsman.gateway.local import cost_of, logprobs_of

    answer: dict[str, object] = {
        "model": model,
        "text": written.text,
        "finish_reason": written.finish_reason,
        "tokens": list(written.tokens),
        "cost": asdict(cost_of(written)),
        **pair_facts_of(written),
    }
    if written.logprobs is not None:
        answer["logprobs"] = to_builtins(logprobs_of(written, loaded))
    return json.dumps(answer)


def _summary(written: Text) -> str:
    count, seconds = len(written.tokens), written.seconds
    shared = f", {told}" if (told := shared_work(written)) else ""
    return (
        f"{count} tokens in {seconds:.2f} s, {count / seconds:,.0f} tokens/s, {_in_bytes(written.traffic.moved_bytes)} "
        f"moved, prompt of {written.prompt_tokens} tokens, ended by {written.finish_reason}{shared}"
    )


def _in_bytes(count: float) -> str:
    power = min(int(math.log10(max(count, 1))) // 3, len(_UNITS) - 1)
    return f"{count / 1000**power:.3g} {_UNITS[power]}"
