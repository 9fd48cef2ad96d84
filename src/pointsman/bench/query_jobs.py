"""The splits of a table, measured side by side in worker processes; each gives plain numbers.

A worker reads the table once. Workers compute with one thread each: their number is what a machine is asked for.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from threadpoolctl import threadpool_limits

from pointsman.bench.query_entrants import OURS, UNCALIBRATED, entries
from pointsman.bench.query_splits import halves, task_halves, task_thirds, thirds
from pointsman.bench.query_traffic import Played, play
from pointsman.query.adopting import fit_sequences
from pointsman.query.certifying import certify
from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.serving import Server
from pointsman.query.embedding import load_embedder
from pointsman.query.features import features_of
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.frontier import Curve, apgr, cpt, gap_closed, saving
from pointsman.query.learning import certificate_of, told
from pointsman.query.outcomes import Floats, Outcomes
from pointsman.query.policy import Policy
from pointsman.query.promise import Promise
from pointsman.query.reading import Tariff, read_outcomes

__all__ = ["CertifiedSplit", "Job", "Measured", "Table", "read_sample", "run_jobs"]

GRID = 33
"""Points at which curves are compared, from the cost of the cheapest arm (0) to that of the most accurate one (1)."""

_BINS = 10


@dataclass(frozen=True, slots=True)
class Table:
    """What is read: files, the arms that are used, tariffs, how many samples vote, and the folder of an embedding."""

    paths: tuple[Path, ...]
    arms: tuple[str, ...] | None = None
    tariffs: Mapping[str, Tariff] | None = None
    votes: int | None = None
    embedding: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One split of one kind."""

    kind: Literal["iid", "tasks", "certified", "shifted"]
    seed: int
    with_rivals: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one split, by entrant: `gap`, `parity` and `minus_1` (savings), `ece`, those of two arms; curves on a grid."""

    job: Job
    numbers: dict[str, dict[str, float]]
    curves: dict[str, list[float]]
    best_single: float
    oracle: float


@dataclass(frozen=True, slots=True)
class CertifiedSplit:
    """Of one resplit: what became of the test rows under what was certified on others.

    `is_certified`: whether any setting that saves passed.
    """

    job: Job
    played: Played
    is_certified: bool


def read_sample(table: Table) -> tuple[Sample, list[str]]:
    """The table with features, and what was left out of it or added."""
    read = read_outcomes(table.paths, table.arms, table.tariffs, table.votes)
    texts, notes = read.outcomes.texts, read.notes()
    if table.embedding is None:
        return Sample(read.outcomes, features_of(texts)), notes
    embedder = load_embedder(table.embedding)
    told = f"embedding: {table.embedding}, {embedder.num_dims} dimensions, for all entrants"
    return Sample(read.outcomes, features_of(texts, embedder.embed(texts))), [*notes, told]


def run_jobs(table: Table, jobs: Sequence[Job], label: str) -> Iterator[Measured | CertifiedSplit]:
    """In the order in which they end, with a progress bar on stderr. Interrupting it ends the workers."""
    workers = max(min(len(os.sched_getaffinity(0)), len(jobs)), 1)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _prepare, (table,)) as pool, _progress(label, len(jobs)) as advance:
        try:
            for done in as_completed([pool.submit(_run, job) for job in jobs]):
                advance()
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


_PREPARED: dict[str, Any] = {}


def _prepare(table: Table) -> None:
    logging.getLogger("pointsman").setLevel(logging.CRITICAL)  # alarms are counted, not told
    _PREPARED["limits"] = threadpool_limits(1)
    _PREPARED["sample"] = read_sample(table)[0]


def _run(job: Job) -> Measured | CertifiedSplit:
    sample: Sample = _PREPARED["sample"]
    return measured(sample, job) if job.kind in ("iid", "tasks") else certified(sample, job)


def measured(sample: Sample, job: Job) -> Measured:
    """Everybody on one split."""
    outcomes = sample.outcomes
    parts = halves(len(sample), job.seed) if job.kind == "iid" else task_halves(outcomes.tasks, job.seed)
    train, test = (sample.rows(part) for part in parts)
    numbers, curves = {}, {}
    for entry in entries(train, test, job.seed, with_rivals=job.with_rivals):
        found = {"gap": gap_closed(entry.curve, test.outcomes), "parity": saving(entry.curve, test.outcomes)}
        found["minus_1"] = saving(entry.curve, test.outcomes, 0.01)
        if entry.forecasts is not None and len(outcomes.arms) == 2:
            found |= _of_two_arms(entry.forecasts, test.outcomes)
        if entry.name in (OURS, UNCALIBRATED) and entry.forecasts is not None:
            found["ece"] = _calibration_error(entry.forecasts, test.outcomes)
        numbers[entry.name] = found
        curves[entry.name] = _on_grid(entry.curve, test.outcomes)
    best = float(test.outcomes.right.mean(0).max())
    return Measured(job, numbers, curves, best, float(test.outcomes.right.max(1).mean()))


def certified(sample: Sample, job: Job) -> CertifiedSplit:
    """Learn, certify, and see what becomes of the promise in traffic of rows that neither has seen."""
    tasks = sample.outcomes.tasks
    parts = task_thirds(tasks, job.seed) if job.kind == "shifted" else thirds(len(sample), job.seed)
    train, kept, test = (sample.rows(part) for part in parts)
    fitted, held_out = Joint().fit_held_out(train, job.seed)
    reference, promise = train.outcomes.strongest, Promise()
    calibration = fitted.forecast(kept.features, kept.outcomes.prompt_tokens), kept.outcomes
    fitted_looks = fit_sequences(held_out, train.outcomes, job.seed)
    sequences, _ = told(fitted_looks if fitted_looks.looks else None, kept.outcomes)
    found = certify((held_out, train.outcomes), calibration, reference, promise, sequences=sequences)
    certificate, names = certificate_of(found, calibration, promise), train.outcomes.names
    policy = Policy(names, names[reference], "nano_usd", Server.of(fitted), certificate, "bench", sequences)
    forecasts = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    return CertifiedSplit(job, play(policy, test.outcomes, forecasts, job.seed), certificate is not None)


def _of_two_arms(forecasts: Forecasts, outcomes: Outcomes) -> dict[str, float]:
    """RouteLLM's figures."""
    strong = outcomes.strongest
    gain = forecasts.right[:, strong] - forecasts.right[:, 1 - strong]
    return {"apgr": apgr(gain, outcomes), "cpt50": cpt(gain, outcomes, 0.5), "cpt80": cpt(gain, outcomes, 0.8)}


def _calibration_error(forecasts: Forecasts, outcomes: Outcomes) -> float:
    """Expected calibration error over tenths, the mean of the arms."""
    right = np.clip(forecasts.right, 0, 1)
    tenth = np.minimum((right * _BINS).astype(np.int64), _BINS - 1)
    off = [
        abs(float((right[inside, arm] - outcomes.right[inside, arm]).sum()))
        for arm in range(right.shape[1])
        for inside in (tenth[:, arm] == part for part in range(_BINS))
    ]
    return sum(off) / right.size


def _on_grid(curve: Curve, outcomes: Outcomes) -> list[float]:
    cost = outcomes.nano_usd.mean(0)
    at = np.linspace(cost.min(), cost[outcomes.strongest], GRID)
    order = np.lexsort((curve.right, curve.nano_usd))
    found: Floats = np.interp(at, curve.nano_usd[order], curve.right[order])
    return [float(value) for value in found]
