"""``pointsman bench arms``: what every embedded arm answers to mixed requests, as a table for `query/reading.py`.

    pointsman bench arms -o calibration.jsonl --split calibration --requests 2000

One row for each different text of `embedded/traffic.py`, and for each question that `query/parts.py` finds in a request
of several. Costs are bytes moved, and seconds. Texts are written one at a time: in a batch weights are read once for
all, so that an answer's bytes would depend on its neighbours, and a unit is left out for all or for none. In float32
that is 5 to 18 ms a text and arm on a free core of a Zen 4 (2026-11-26), 4 minutes for 2,000 requests and 13 arms.

Rows are appended as they come; whoever is interrupted goes on where they were, and gets the same table but for seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman.core import BadRequest, Cost
from pointsman.embedded.pair import model_folder, router_folder, units_folder
from pointsman.embedded.problems import ARROW, Mode
from pointsman.embedded.traffic import Asked, Part, draw_traffic
from pointsman.engine import LoadedModel, Sampling, Text, generate, load_model
from pointsman.query.comparing import final_answer
from pointsman.query.parts import split
from pointsman.query.resuming import lines_done
from pointsman.query.voting import count_votes, wave, winner
from pointsman.token import Pair, chosen_method, generate_pair
from pointsman.token.method import Method
from pointsman.unit import load_router, routed

__all__ = [
    "MODEL_LEVELS",
    "REFERENCE",
    "Answered",
    "Arm",
    "Question",
    "collect",
    "embedded_arms",
    "main",
    "questions_of",
]

REFERENCE: Final = "embedded/large?mode=steps"
_MODES: Final[tuple[Mode, ...]] = ("direct", "steps")
DTYPE: Final = "float32"
"""Everywhere alike, so that a table is the same on a processor that multiplies bfloat16 and on one that does not. Bytes
are twice those of bfloat16 but for the gates of the pair, which are float32 in any case."""
MAX_TOKENS: Final = 256
"""Of an answer; worked steps of the hardest problems are shorter."""

_RISKS: Final = (0.0, 0.005, 0.05)
_BUDGETS: Final = (0.8, 0.6, 0.45)
_VOTES: Final = 3
_TEMPERATURE: Final = 0.7
_CHUNK: Final = 32


@dataclass(frozen=True, slots=True)
class Answered:
    """What an arm wrote, and what that took. `cost.seconds` is its latency; `agreement` of votes, see `Outcomes`."""

    text: str
    cost: Cost
    agreement: float | None = None

    @property
    def final(self) -> str:
        """What stands behind the worked steps."""
        return self.text.rpartition(ARROW)[2].strip()


Arm = Callable[[Sequence[str]], list[Answered]]

MODEL_LEVELS: Final[Mapping[str, str]] = {"embedded/pair": "token", "budget=": "unit"}
"""By what stands in an arm's name, the level that it belongs to. All others are whole models."""


@dataclass(frozen=True, slots=True)
class Question:
    """A row of the table: a text, what it is about, and whether an output answers it."""

    text: str
    task: str
    is_right: Callable[[str], bool]


Write = Callable[[Sequence[Sequence[int]]], Sequence[Text]]


def embedded_arms(names: Sequence[str] | None = None) -> dict[str, Arm]:
    """Every arm of the embedded models by name, or those that are named. Loads the models.

    Raises:
        BadRequest: `unknown_arm`.
    """
    small, large = (load_model(str(model_folder(size)), dtype=DTYPE) for size in ("small", "large"))
    pair = Pair(small, large)
    router, card = load_router(units_folder(), large.decoder)
    alone = {"small": small, "large": large}
    found: dict[str, Arm] = {}
    for size, model in alone.items():
        for mode in _MODES:
            found[f"embedded/{size}?mode={mode}"] = _arm(model, mode, partial(_alone, model))
    found[f"embedded/small?mode=direct&n={_VOTES}"] = partial(_voted, small)
    for risk in _RISKS:
        found[f"embedded/pair?risk={risk:g}"] = _arm(large, "steps", partial(_together, pair, _method(pair, risk)))
    direct = _method(pair, _RISKS[1])
    found[f"embedded/pair?mode=direct&risk={_RISKS[1]:g}"] = _arm(large, "direct", partial(_together, pair, direct))
    for budget in _BUDGETS:
        part = routed(large, router, card.curve.rate_for_budget(budget))
        found[f"embedded/large?budget={budget:g}"] = _arm(large, "steps", partial(_alone, part))
    part = routed(large, router, card.curve.rate_for_budget(_BUDGETS[1]))
    found[f"embedded/large?mode=direct&budget={_BUDGETS[1]:g}"] = _arm(large, "direct", partial(_alone, part))
    for name in names or ():
        if name not in found:
            problem = f"there is no embedded arm {name!r}; there is {', '.join(found)}"
            raise BadRequest(problem, code="unknown_arm", param="arms")
    return found if names is None else {name: found[name] for name in names}


def _method(pair: Pair, risk: float) -> Method:
    """Ours at a risk; without any the text is the large model's, token for token."""
    dials = {"risk": risk} if risk else {"risk": 0.0, "tolerance": 0.0}
    return chosen_method(pair, router_folder(), None, dials)


def _alone(model: LoadedModel, prompts: Sequence[Sequence[int]]) -> list[Text]:
    return generate(model, prompts, Sampling(max_tokens=MAX_TOKENS), num_rows=1)


def _sampled(model: LoadedModel, seed: int, prompts: Sequence[Sequence[int]]) -> list[Text]:
    sampling = Sampling(max_tokens=MAX_TOKENS, temperature=_TEMPERATURE, seed=seed)
    return generate(model, prompts, sampling, num_rows=1)


def _together(pair: Pair, method: Method, prompts: Sequence[Sequence[int]]) -> Sequence[Text]:
    return generate_pair(pair, method, prompts, Sampling(max_tokens=MAX_TOKENS), num_rows=1)


def _arm(model: LoadedModel, mode: Mode, write: Write) -> Arm:
    return partial(_answered, model, mode, write)


def _answered(model: LoadedModel, mode: Mode, write: Write, texts: Sequence[str]) -> list[Answered]:
    prompts = [_prompt(model, text, mode) for text in texts]
    fits = [prompt for prompt in prompts if len(prompt) < model.config.context_tokens]
    written = iter(write(fits) if fits else ())
    found = []
    for prompt in prompts:
        if len(prompt) >= model.config.context_tokens:  # refused; a cost of nothing could not be forecast
            found.append(Answered("", Cost(len(prompt), 0, 0, 1, 0.0)))
            continue
        text = next(written)
        found.append(
            Answered(text.text, Cost(len(prompt), len(text.tokens), 0, text.traffic.moved_bytes, text.seconds))
        )
    return found


def _voted(model: LoadedModel, texts: Sequence[str]) -> list[Answered]:
    """What several samples elect."""
    drawn = [_answered(model, "direct", partial(_sampled, model, vote), texts) for vote in range(_VOTES)]
    return [_winner(samples) for samples in zip(*drawn, strict=True)]


def _winner(samples: Sequence[Answered]) -> Answered:
    """As the server's votes go: samples that it would not ask for are neither counted nor paid."""
    finals = [final_answer(one.text) or None for one in samples]
    asked = 0
    while number := wave(finals[:asked], len(samples)):
        asked += number
    votes = count_votes(finals[:asked], len(samples))
    cost = sum((one.cost for one in samples[:asked]), Cost.zero())
    return Answered(samples[winner(finals[:asked])].text, cost, votes.agreed / votes.asked)


def _prompt(model: LoadedModel, text: str, mode: Mode) -> list[int]:
    messages = [{"role": "user", "content": text}]
    rendered = model.tokenizer.render_chat(messages, add_generation_prompt=True, mode=mode)
    return model.tokenizer.encode(rendered, special=False)


def questions_of(traffic: Sequence[Asked]) -> list[Question]:
    """The rows of a table: every different text in its order, behind it the questions that it splits into."""
    found: dict[str, Question] = {}
    for asked in traffic:
        found.setdefault(asked.text, Question(asked.text, asked.task, asked.is_right))
        texts = split(asked.text).texts
        if len(texts) < 2:
            continue
        for number, text in enumerate(texts):
            found.setdefault(text, Question(text, "question", _one_of(asked, number, len(texts))))
    return list(found.values())


def _one_of(asked: Asked, number: int, count: int) -> Callable[[str], bool]:
    """Of a split that is not into the questions that were asked, no answer is right."""
    return partial(asked.question_is_right, number) if count == len(asked.answers) else lambda _: False


def collect(
    path: Path,
    questions: Sequence[Question],
    arms: Mapping[str, Arm],
    prefix: str,
    on_done: Callable[[int], None] = lambda _: None,
) -> None:
    """Appends the rows that `path` lacks. A last line that a kill has cut off is written anew.

    Raises:
        BadRequest: `other_table` where the file has other rows than these, or other arms.
    """
    done = _done(path, questions, arms, prefix)
    on_done(done)
    with path.open("a", encoding="utf-8") as file:
        for start in range(done, len(questions), _CHUNK):
            chunk = questions[start : start + _CHUNK]
            answers = {name: arm([one.text for one in chunk]) for name, arm in arms.items()}
            for place, question in enumerate(chunk):
                row = _row(f"{prefix}/{start + place}", question, {name: its[place] for name, its in answers.items()})
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            on_done(len(chunk))


def _row(name: str, question: Question, answers: Mapping[str, Answered]) -> dict[str, Any]:
    outcomes: dict[str, dict[str, Any]] = {}
    for arm, found in answers.items():
        outcomes[arm] = {
            "correct": float(question.is_right(found.text)),
            "input_tokens": found.cost.prompt_tokens,
            "output_tokens": found.cost.completion_tokens,
            "moved_bytes": found.cost.moved_bytes,
            "seconds": round(found.cost.seconds, 6),
            "ans": found.final,
        }
        if found.agreement is not None:
            outcomes[arm]["agreement"] = found.agreement
    return {"id": name, "task": question.task, "prompt": question.text, "outcomes": outcomes}


def _done(path: Path, questions: Sequence[Question], arms: Mapping[str, Arm], prefix: str) -> int:
    """How many rows are there."""
    rows = lines_done(path)
    for number, row in enumerate(rows[: len(questions)]):
        wanted = f"{prefix}/{number}", questions[number].text, list(arms)
        if (row["id"], row["prompt"], list(row["outcomes"])) != wanted:
            problem = f"{path} has a table of other requests or arms, from row {number} on; expected {wanted[0]}"
            raise BadRequest(f"{problem} of this traffic. Remove it, or name another file", code="other_table")
    return min(len(rows), len(questions))


def main(path: Path, num_requests: int, part: Part, seed: int) -> None:
    """Collects a table with progress on stderr."""
    questions = questions_of(draw_traffic(num_requests, part, seed))
    with progress(f"{part} arms", len(questions)) as tick:
        collect(path, questions, embedded_arms(), f"{part}-{seed}", tick)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label.ljust(20), total=total)
        yield lambda done: bar.advance(task, done)
