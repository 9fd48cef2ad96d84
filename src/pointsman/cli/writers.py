"""Who writes for ``generate``: one model, or two that share the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pointsman.cli.models import shipped_units, source_of
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from pointsman.engine import LoadedModel, Sampling, Text
    from pointsman.engine.tokenizer import TextTokenizer
    from pointsman.token import PairText
    from pointsman.unit import Currency

__all__ = [
    "DEFAULT_BUDGET",
    "PAIR",
    "PairChoice",
    "UnitChoice",
    "Writer",
    "coloured",
    "one_model",
    "pair_facts_of",
    "part_of_a_model",
    "shared_work",
    "two_models",
]

PAIR = "embedded/pair"
DEFAULT_BUDGET = 0.75
_COLOURS = {"large": "\x1b[1;36m", "lookup": "\x1b[33m", "small": ""}
_DROPPED, _PLAIN = "\x1b[9;31m", "\x1b[0m"

Dtype = Literal["auto", "float32", "bfloat16"]
Device = Literal["auto", "cpu", "cuda"]
Write = Callable[["Sequence[int]", "Sampling", "Callable[[int, str], None] | None"], "Text"]


@dataclass(frozen=True, slots=True)
class Writer:
    """What writes a text.

    Attributes:
        model: whose tokenizer and chat template are used.
        write: ids, sampling and a listener to a text.
    """

    model: LoadedModel
    write: Write


@dataclass(frozen=True, slots=True)
class PairChoice:
    """Two models by name, and how they share the work; None: those that ship in the package.

    Attributes:
        small: the small model.
        large: the large model.
        router: folder of `fit token`.
        method: one of `token.lineup.METHODS`.
        dials: `name=value` each; the certified ones where none is given.
    """

    small: str | None = None
    large: str | None = None
    router: Path | None = None
    method: str | None = None
    dials: Sequence[str] = ()

    @property
    def is_given(self) -> bool:
        """Whether anything of it is."""
        return any((self.small, self.large, self.router, self.method, self.dials))


def one_model(name: str, dtype: Dtype, device: Device, *, compiles: bool) -> Writer:
    """One model. Raises as `load_model`."""
    from pointsman.engine import generate, load_model

    model = load_model(source_of(name), dtype=dtype, device=device)

    def write(tokens: Sequence[int], sampling: Sampling, on_text: Callable[[int, str], None] | None) -> Text:
        return generate(model, [tokens], sampling, on_text=on_text, compiles=compiles)[0]

    return Writer(model, write)


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """How much of one model is executed.

    Attributes:
        folder: of `fit unit`, or None for the one that ships with the embedded large model.
        budget: share of the bytes that decoding may move, or of the milliseconds that it may take.
        prices: which of the two; None for bytes.
        prompt_budget: share of the multiplications that a prompt may take.
        lossless: the approximated model only drafts.
    """

    folder: Path | None = None
    budget: float | None = None
    prices: Currency | None = None
    prompt_budget: float | None = None
    lossless: bool = False

    @property
    def is_given(self) -> bool:
        """Whether anything of it is."""
        given = (self.folder, self.budget, self.prices, self.prompt_budget)
        return self.lossless or any(option is not None for option in given)


def part_of_a_model(choice: UnitChoice, name: str, dtype: Dtype, device: Device) -> Writer:
    """One model, whose units are executed or forecast.

    Raises:
        BadRequest: `missing_option` for a model of one's own without a folder, `invalid_budget`, or as `load_model` and
            `load_router`.
        NotFound: as `Card.dial` and `Card.prompt_rate`.
    """
    from pointsman.engine import generate, load_model
    from pointsman.unit import generate_drafted, load_router, routed

    folder = choice.folder or shipped_units(name)
    if folder is None:
        problem = f"--budget, --prices and --lossless need --unit, the folder of a `fit unit` for {name}"
        raise BadRequest(problem, code="missing_option")
    model = load_model(source_of(name), dtype=dtype, device=device)
    router, card = load_router(folder, model.decoder)
    dial = card.dial(choice.prices or "bytes")
    rate = dial.curve.rate_for_budget(DEFAULT_BUDGET if choice.budget is None else choice.budget)
    prompt_rate = card.prompt_rate(1.0 if choice.prompt_budget is None else choice.prompt_budget)

    def write(tokens: Sequence[int], sampling: Sampling, on_text: Callable[[int, str], None] | None) -> Text:
        if choice.lossless:
            return generate_drafted(model, router, rate, [tokens], sampling, prices=dial.prices, on_text=on_text)[0]
        return generate(routed(model, router, rate, dial.prices, prompt_rate), [tokens], sampling, on_text=on_text)[0]

    return Writer(model, write)


def two_models(choice: PairChoice, dtype: Dtype, device: Device) -> Writer:
    """Two models.

    Raises:
        BadRequest: `missing_option` where only a part of a pair of one's own is named, or as `Pair`, `load_gates` and
            `lineup.make`.
    """
    from pointsman.embedded.pair import router_folder
    from pointsman.engine import load_model
    from pointsman.token import Pair, chosen_method, generate_pair

    named = (choice.small, choice.large, choice.router)
    if any(named) and not all(named):
        problem = "--small, --large and --router go together; leave all three out for the pair that ships here"
        raise BadRequest(problem, code="missing_option")
    small, large = choice.small or "embedded/small", choice.large or "embedded/large"
    pair = Pair(*(load_model(source_of(name), dtype=dtype, device=device) for name in (small, large)))
    method = chosen_method(pair, choice.router or router_folder(), choice.method, _dials(choice.dials))

    def write(tokens: Sequence[int], sampling: Sampling, on_text: Callable[[int, str], None] | None) -> Text:
        return generate_pair(pair, method, [tokens], sampling, on_text=on_text)[0]

    return Writer(pair.large, write)


def _dials(given: Sequence[str]) -> dict[str, float]:
    dials = {}
    for one in given:
        name, separator, value = one.partition("=")
        try:
            dials[name] = float(value)
        except ValueError:
            separator = ""
        if not separator:
            raise BadRequest(f"--dial {one!r}: expected NAME=NUMBER, such as threshold=0.9", code="invalid_dial")
    return dials


def pair_facts_of(text: Text) -> dict[str, object]:
    """What only a text of two models has, for JSON; nothing for another."""
    from pointsman.token import PairText

    if not isinstance(text, PairText):
        return {}
    return {
        "method": text.method,
        "writers": list(text.writers),
        "large_tokens": text.num_large_tokens,
        "small_tokens": text.num_small_tokens,
        "lookup_tokens": text.num_lookup_tokens,
        "rolled_back": text.num_rolled_back,
        "calls": text.num_calls,
        "traffic": {name: asdict(getattr(text, name)) for name in ("small", "large", "gate")},
    }


def shared_work(text: Text) -> str:
    """Who wrote how much of a text of two models, for people; nothing for another."""
    from pointsman.token import PairText

    if not isinstance(text, PairText):
        return ""
    return (
        f"{text.method}: {text.num_large_tokens} tokens by the large model in {text.num_calls} calls, "
        f"{text.num_lookup_tokens} looked up, {text.num_rolled_back} rolled back"
    )


def coloured(text: PairText, tokenizer: TextTokenizer, after: int) -> str:
    """The text for a terminal: bold cyan is the large model's, yellow was looked up, red and struck out did not stand.

    `after` is the last token of the prompt.
    """
    stream, shown = tokenizer.stream(after=after), 0
    dropped = dict(text.rolled_back)
    parts = []
    for place, (token, writer) in enumerate(zip(text.tokens, text.writers, strict=True)):
        parts.append(_struck(dropped.get(place, ()), tokenizer))
        piece = stream.push(token)[: len(text.text) - shown]  # a stop string is not part of the text
        shown += len(piece)
        colour = _COLOURS[writer]
        parts.append(f"{colour}{piece}{_PLAIN}" if colour and piece else piece)
    parts.append(_struck(dropped.get(len(text.tokens), ()), tokenizer))
    return "".join(parts)


def _struck(tokens: Sequence[int], tokenizer: TextTokenizer) -> str:
    gone = b"".join(map(tokenizer.token_bytes, tokens)).decode(errors="replace")
    return f"{_DROPPED}{gone}{_PLAIN}" if gone else ""
