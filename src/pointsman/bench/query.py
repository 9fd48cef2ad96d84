"""`pointsman evaluate query` for any outcome table, and `pointsman bench query` for the tables that targets name.

Answers are checked before anything is timed: what is chosen comes from forecasts made before an answer is known, and
tests hold that outcomes of test rows change no choice. Splits and seeds are in `query_splits.py`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pointsman.bench.query_figures import (
    OF_TWO_ARMS,
    ahead_of,
    certified_figures,
    curves_of,
    gain_figures,
    ranking,
    split_figures,
)
from pointsman.bench.query_jobs import CertifiedSplit, Job, Measured, Table, read_sample
from pointsman.bench.query_kept import run_kept
from pointsman.bench.query_latency import latency_figures
from pointsman.bench.query_picture import draw
from pointsman.bench.report import Figure, Report, absent, sha256_of
from pointsman.core import BadRequest
from pointsman.query.embedding import load_embedder
from pointsman.query.promise import Promise
from pointsman.query.reading import Tariff

__all__ = ["Effort", "bench", "evaluate"]

_MIN_TASKS = 2


@dataclass(frozen=True, slots=True)
class Effort:
    """How many splits of each kind. `kept`: folder from which an interrupted run goes on; None for none."""

    splits: int
    resplits: int
    leaves_tasks_out: bool = True
    with_rivals: bool = True
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    iid: list[Measured]
    tasks: list[Measured]
    certified: list[CertifiedSplit]
    shifted: list[CertifiedSplit]


def evaluate(table: Table, effort: Effort, *, seed: int, quick: bool, plot: Path | None) -> None:
    """Measures one table, prints everybody, and ends in the JSON line."""
    report = Report("evaluate query", seed, quick, data=_hashes(table.paths))
    if table.embedding is not None:
        report.data |= {"embedding": load_embedder(table.embedding).digest}
    sample, notes = read_sample(table)
    outcomes = sample.outcomes
    report.details += [*notes, f"{len(outcomes):,} requests, {len(outcomes.arms)} arms: {', '.join(outcomes.names)}"]
    found = _measure(table, outcomes.tasks, effort, seed, "splits")
    _describe(report, found)
    report.figures |= {_kind(name, "iid"): figure for name, figure in split_figures(found.iid, seed).items()}
    if found.tasks:
        report.figures["gap_closed.tasks_left_out"] = split_figures(found.tasks, seed)["gap_closed"]
    else:
        reason = "the table has one task only" if effort.leaves_tasks_out else "not asked for"
        report.figures["gap_closed.tasks_left_out"] = absent("share", reason)
    report.figures |= gain_figures(found.iid, seed)
    if found.certified:
        report.figures |= certified_figures(found.certified, Promise().loss, seed)
    elif effort.resplits:
        reason = f"a promise needs {4 * Promise().fewest_rows} requests, and the table has {len(outcomes)}"
        report.figures |= {name: absent("share", reason) for name in ("certified_saving", "violation_rate")}
    if found.shifted:
        report.figures["shift_violation_rate"] = certified_figures(found.shifted, Promise().loss, seed)[
            "violation_rate"
        ]
    report.curves["iid"] = curves_of(found.iid)
    if found.tasks:
        report.curves["tasks_left_out"] = curves_of(found.tasks)
    if plot is not None:
        draw(found.iid, outcomes, plot)
    sys.stdout.write(report.text())


@dataclass(frozen=True, slots=True)
class _Target:
    """A table that targets name. Minima by figure; prices in US dollars for a million tokens, read and written."""

    name: str
    file: str
    minima: dict[str, float]
    is_certified: bool = False
    votes: int | None = None
    tariffs: Mapping[str, Tariff] | None = None

    def table(self, folder: Path) -> Table:
        """With only the arms that have a tariff, where there are tariffs."""
        arms = None if self.tariffs is None else tuple(self.tariffs)
        return Table((folder / self.file,), arms, self.tariffs, self.votes)


_TARGETS = (
    _Target(
        "bbh",
        "routing/bbh_codedavinci002_direct_vs_cot.jsonl.gz",
        {"gap_closed.bbh.iid": 0.43, "gap_closed.bbh.tasks_left_out": 0.22, "certified_saving.bbh": 0.20},
        is_certified=True,
    ),
    _Target(
        "reasoning_gym",
        "routing/reasoning_gym_easy.jsonl.gz",
        {
            "gap_closed.reasoning_gym.iid": 0.33,
            "gap_closed.reasoning_gym.tasks_left_out": 0.03,
            "certified_saving.reasoning_gym": 0.27,
        },
        is_certified=True,
    ),
    _Target("reasoning_gym_votes", "routing/reasoning_gym_easy.jsonl.gz", {}, votes=3),
    _Target("routellm_gsm8k", "routing/routellm_gsm8k.jsonl.gz", {"apgr.routellm_gsm8k": 0.65}),
    _Target(
        "routellm_mmlu",
        "routing/routellm_mmlu.jsonl.gz",
        {"apgr.routellm_mmlu": 0.68, "apgr.routellm_mmlu.unseen": 0.64},
    ),
    _Target("zeroeval_gsm", "routing/zeroeval_gsm.jsonl.gz", {}),
    _Target("zeroeval_crux", "routing/zeroeval_crux.jsonl.gz", {}),
    _Target(
        "pot_aqua",
        "budgets/pot_codex.jsonl.gz",
        {},
        tariffs={name: Tariff(0.0, 2.0) for name in ("codex_pot_greedy", "codex_pot_sc30")},  # prompts are not counted
    ),
)
_MAXIMA = {"violation_rate": 0.05, "shift_violation_rate": 0.10, "router_p99_ms": 1.0}


def bench(folder: Path, effort: Effort, *, seed: int, quick: bool, only: Sequence[str] = ()) -> None:
    """Measures every table of `folder` that is there, or only those named, and the router's latency.

    Raises BadRequest `unknown_table`.
    """
    names = [target.name for target in _TARGETS]
    if unknown := set(only) - set(names):
        problem = f"there is no table {', '.join(sorted(unknown))}; there is {', '.join(names)}"
        raise BadRequest(problem, code="unknown_table", param="only")
    report = Report("query", seed, quick)
    for target in _TARGETS:
        if only and target.name not in only:
            continue
        table = target.table(folder)
        if not table.paths[0].is_file():
            report.figures |= {
                name: absent("share", f"{target.file} is not in {folder.name}") for name in target.minima
            }
            continue
        report.data |= _hashes(table.paths)
        resplits = effort.resplits if target.is_certified else 0
        _add(report, target, table, replace(effort, resplits=resplits), seed)
    report.figures |= {name: replace(each, at_most=_MAXIMA.get(name)) for name, each in latency_figures(seed).items()}
    sys.stdout.write(report.text())


def _add(report: Report, target: _Target, table: Table, effort: Effort, seed: int) -> None:
    sample, _ = read_sample(table)
    found = _measure(table, sample.outcomes.tasks, effort, seed, target.name)
    report.details += [f"{target.name}: {len(sample):,} requests, {len(sample.outcomes.arms)} arms"]
    _describe(report, found)
    report.curves[f"gap_closed.{target.name}.iid"] = curves_of(found.iid)
    iid = split_figures(found.iid, seed)
    figures = {f"gap_closed.{target.name}.iid": iid["gap_closed"]}
    figures |= {f"{name}.{target.name}": iid[name] for name in ("ece", "ece_before")}
    figures |= {f"{name}.{target.name}": figure for name, figure in gain_figures(found.iid, seed).items()}
    if found.tasks:
        report.curves[f"gap_closed.{target.name}.tasks_left_out"] = curves_of(found.tasks)
        left_out = split_figures(found.tasks, seed)
        figures[f"gap_closed.{target.name}.tasks_left_out"] = left_out["gap_closed"]
        figures |= {f"{name}.{target.name}.unseen": left_out[name] for name in OF_TWO_ARMS if name in left_out}
    figures |= {f"{name}.{target.name}": iid[name] for name in OF_TWO_ARMS if name in iid}
    for prefix, splits in (("", found.certified), ("shift_", found.shifted)):
        if splits:
            report.details.append(_alarms(splits, target.name, "tasks left out" if prefix else "at random"))
            certified = certified_figures(splits, Promise().loss, seed)
            figures |= {f"{prefix}{name}.{target.name}": figure for name, figure in certified.items()}
    report.figures |= {name: _with_target(name, figure, target) for name, figure in figures.items()}


def _with_target(name: str, figure: Figure, target: _Target) -> Figure:
    least = target.minima.get(name, -0.01 if name.endswith(".tasks_left_out") else None)
    most = _MAXIMA.get(name.split(".")[0])
    return replace(figure, at_least=least, at_most=most)


def _measure(table: Table, tasks: Sequence[str], effort: Effort, seed: int, label: str) -> _Found:
    has_tasks = len(set(tasks)) >= _MIN_TASKS
    jobs = [Job("iid", seed + split, effort.with_rivals) for split in range(effort.splits)]
    if has_tasks and effort.leaves_tasks_out:
        jobs += [Job("tasks", seed + split, effort.with_rivals) for split in range(effort.splits)]
    if len(tasks) // 4 >= Promise().fewest_rows:  # a third, and half of about half where tasks are left out
        jobs += [Job("certified", seed + split) for split in range(effort.resplits)]
        jobs += [Job("shifted", seed + split) for split in range(effort.resplits if has_tasks else 0)]
    found = sorted(run_kept(table, jobs, label, effort.kept), key=lambda each: each.job.seed)
    splits = [each for each in found if isinstance(each, Measured)]
    resplits = [each for each in found if isinstance(each, CertifiedSplit)]
    return _Found(
        [each for each in splits if each.job.kind == "iid"],
        [each for each in splits if each.job.kind == "tasks"],
        [each for each in resplits if each.job.kind == "certified"],
        [each for each in resplits if each.job.kind == "shifted"],
    )


def _describe(report: Report, found: _Found) -> None:
    for splits, label in ((found.iid, "at random"), (found.tasks, "tasks left out")):
        if not splits:
            continue
        report.details += ["", *ranking(splits, f"{len(splits)} splits, {label}")]
        if len(splits[0].numbers) > _ALONE:
            lead, best = ahead_of(splits)
            report.details.append(f"ahead of the best rival, {best}, by {lead:.3f}")
    report.details.append("")


def _alarms(splits: Sequence[CertifiedSplit], name: str, label: str) -> str:
    """Why routing was switched off, and how often."""
    reasons = Counter(split.played.reason for split in splits if split.played.reason is not None)
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
    return f"{name}, {label}: alarms in {len(splits)} resplits: {told}"


_ALONE = 4
"""Entrants without rivals: ours, ours without sequences and without recalibration, the oracle."""


def _kind(name: str, kind: str) -> str:
    return f"{name}.{kind}" if name == "gap_closed" else name


def _hashes(paths: Sequence[Path]) -> dict[str, str]:
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        problem = f"there is no file {', '.join(missing)}; expected an outcome table, JSON Lines"
        raise BadRequest(problem, code="bad_outcomes", param="files")
    return {path.name: sha256_of(path) for path in paths}
