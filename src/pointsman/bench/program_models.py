"""``pointsman bench program-models``: the program level with a model that selects, reads, or stands back."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from pointsman.bench import clrs, promises, routing, select_runs, text_problems
from pointsman.bench.report import Figure, Report, absent, sha256_of
from pointsman.bench.token import watched
from pointsman.core import BadRequest
from pointsman.embedded.pair import READER, model_folder
from pointsman.embedded.reading.form import ReaderForm
from pointsman.engine import LoadedModel, Sampling, generate, load_model
from pointsman.engine.reading import Reader
from pointsman.engine.selecting import RowSelector

__all__ = ["main"]

_NUM_TICKS: Final = {False: 115_000, True: 7_000}  # about: what each part ticks off
_NAME: Final = f"embedded/{READER}"
_QUESTION_KEYS: Final = ("question", "prompt", "request")


def main(
    quick: bool, seed: int, examples: Path, data: Path | None, questions: Sequence[Path], plot: Path | None
) -> None:
    """Measures everything with progress on stderr, and prints the report.

    Args:
        quick: few cases, under a minute.
        seed: of cases and intervals.
        examples: the folder of programs.
        data: CLRS as text, or None.
        questions: JSON Lines of questions that no program covers.
        plot: where accuracy over size is drawn, or None.

    Raises:
        BadRequest: `bad_corpus` for files that hold no questions.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one core is what a selection is measured on
    report = Report("program-models", seed, quick)
    model, large = load_model(str(model_folder(READER))), load_model(str(model_folder("large")))
    reader, selector = Reader(model, _NAME, form=ReaderForm()), RowSelector(model, _NAME, ReaderForm())
    tables = select_runs.compile_programs(examples, {**routing.FILES, "assist": "airline"})
    sizes, num_each = ((2, 5, 10), 2) if quick else (select_runs.SIZES, 17)
    others = [text for path in questions for text in _questions(path)]
    report.data |= {path.name: sha256_of(path) for path in (*questions, *([data] if data else []))}
    with watched(_NUM_TICKS[quick]) as tick:
        select_runs.add_selections(report, tables, selector, num_each, sizes, tick)
        text_problems.add_texts(report, tables, reader, large, 2 if quick else 63, tick)
        counts = (150, 100, 30) if quick else (4_000, 400, 300)
        promises.add_promises(report, tables["assist"], reader, *counts, tick)
        covered = {name: tables[name] for name in routing.FILES}
        routing.add_routes(report, covered, reader, 300 if quick else 1_200, others, tick)
        _add_clrs(report, examples / "clrs", data, large, quick, plot, tick)
    torch.set_num_threads(threads)
    sys.stdout.write(report.text())


def _questions(path: Path) -> list[str]:
    """The questions of a file of a public data set, one JSON object a line."""
    packed = path.read_bytes()
    lines = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode().splitlines()
    records = [json.loads(line) for line in lines if line.strip()]
    found = [text for record in records if (text := _question(record)) is not None]
    if not found:
        raise BadRequest(f"{path} holds no questions; expected a field {_QUESTION_KEYS[0]!r}", code="bad_corpus")
    return found


def _question(record: dict[str, Any]) -> str | None:
    return next((record[key] for key in _QUESTION_KEYS if isinstance(record.get(key), str)), None)


# -- CLRS --------------------------------------------------------------------------------------------------------------


def _add_clrs(
    report: Report,
    folder: Path,
    data: Path | None,
    large: LoadedModel,
    quick: bool,
    plot: Path | None,
    tick: routing.Tick,
) -> None:
    if data is None:
        reason = "needs --clrs, a file of CLRS as text"
        report.figures["clrs_algorithms"] = absent("algorithms", reason)
        report.figures["clrs_exact_share"] = absent("share", reason)
        return
    limit = 5 if quick else None
    programs = clrs.measure(data, folder, limit=limit, seed=report.seed, tick=lambda _, what: tick(what, 0))
    counts = clrs.by_size(programs).values()
    num_right, total = sum(one.num_exact for one in counts), sum(one.num_rows for one in counts)
    exact = sum(all(one.share == 1 for one in sizes.values()) for sizes in programs.values())
    report.figures["clrs_algorithms"] = Figure(exact, "algorithms", len(programs), at_least=20)
    report.figures["clrs_exact_share"] = Figure(num_right / total, "share", total, at_least=1.0)
    rows = clrs.rows(data, 1 if quick else 3, report.seed)
    other = clrs.exactness(rows, lambda prompt: _by_model(large, prompt), lambda _, what: tick(what, 0))
    curves = {"compiled programs": programs, "embedded/large": other}
    report.curves |= {f"clrs.{name}": clrs.points(found) for name, found in curves.items()}
    if plot is not None:
        clrs.draw(curves, plot)


def _by_model(model: LoadedModel, prompt: str) -> str:
    """What a model that was never taught these says; nothing where the problem is longer than it can read."""
    text = model.tokenizer.render_chat([{"role": "user", "content": prompt}], add_generation_prompt=True, mode="steps")
    tokens = model.tokenizer.encode(text, special=False)
    room = model.config.context_tokens - len(tokens)
    if room < 1:
        return ""
    return generate(model, [tokens], Sampling(max_tokens=min(room, 64)), num_rows=1)[0].text.rpartition("=>")[2].strip()
