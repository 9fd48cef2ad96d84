"""``compile_p50_s`` and ``compile_p95_s``: a function's compile time from nothing, differential test included.

Measured over a seeded sample of a corpus of real functions; without one, over ``examples/``, which says less. What
is outside the subset is counted apart (refusing is not compiling). One that takes longer than ``LIMIT_S`` enters
as that limit, and one that fails otherwise as what it took until then.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pointsman.bench.report import Report, absent, quantile_figure
from pointsman.bench.timing import Tick
from pointsman.bench.workloads import Example
from pointsman.program import Compiled, MismatchError, Refusal, compile_table
from pointsman.program.check.corpus import Case
from pointsman.program.check.sandbox import TimeUp, time_limit

__all__ = ["LIMIT_S", "Timed", "compile_cases", "compile_examples", "report_compile_times", "sample"]

LIMIT_S: Final = 60.0
"""Longest compilation that is waited for. Chosen: twenty times the target of the 95th percentile."""

P50_AT_MOST_S: Final = 0.3
P95_AT_MOST_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Timed:
    """One compilation. ``ending``: ``compiled``, ``refused``, ``mismatch``, ``too_slow``, or an exception's name."""

    key: str
    seconds: float
    ending: str
    compiled: Compiled | None = None
    stages: dict[str, float] = field(default_factory=dict)


def compile_examples(found: Sequence[Example], tick: Tick) -> dict[str, Timed]:
    """Compiles every example without a cache."""
    done: dict[str, Timed] = {}
    for number, example in enumerate(found):
        tick(number / len(found), example.key)
        done[example.key] = _timed(example.key, example.source, str(example.path), example.name)
    return done


def compile_cases(cases: Sequence[Case], tick: Tick) -> list[Timed]:
    """Compiles functions of a corpus without a cache. Runs them, in sandboxed children."""
    done = []
    for number, case in enumerate(cases):
        tick(number / len(cases), case.key)
        done.append(_timed(case.key, case.source, case.filename, case.entry))
    return done


def sample(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """So many cases, or all, chosen by the seed alone."""
    named = [case for case in cases if case.entry]
    rng = random.Random(f"{seed}:compile")  # noqa: S311  reproducible data, no secrets
    return rng.sample(named, min(count, len(named)))


def _timed(key: str, source: str, filename: str, entry: str) -> Timed:
    start = time.perf_counter()
    compiled = None
    try:
        with time_limit(LIMIT_S):
            compiled = compile_table(source, filename, entry)
        ending = "compiled"
    except Refusal:
        ending = "refused"
    except MismatchError:
        ending = "mismatch"
    except TimeUp:
        ending = "too_slow"
    except Exception as exc:  # noqa: BLE001  any defect of the compiler is counted, and told by its name
        ending = type(exc).__name__
    seconds = time.perf_counter() - start
    return Timed(key, seconds, ending, compiled, compiled.stage_seconds if compiled is not None else {})


def report_compile_times(report: Report, timed: Sequence[Timed], what: str) -> None:
    """Enters the two quantiles, how the compilations ended, and where the time goes."""
    endings = Counter(t.ending for t in timed)
    counted = [t for t in timed if t.ending != "refused"]
    report.details.append(f"compile: {what}: " + ", ".join(f"{n} {ending}" for ending, n in endings.most_common()))
    report.curves["compile_endings"] = [{"what": what, **endings}]
    if not counted:
        report.figures["compile_p50_s"] = absent("s", "no function compiled", P50_AT_MOST_S)
        report.figures["compile_p95_s"] = absent("s", "no function compiled", P95_AT_MOST_S)
        return
    seconds = [t.seconds for t in counted]
    report.figures["compile_p50_s"] = quantile_figure(seconds, 0.5, "s", seed=report.seed, at_most=P50_AT_MOST_S)
    report.figures["compile_p95_s"] = quantile_figure(seconds, 0.95, "s", seed=report.seed, at_most=P95_AT_MOST_S)
    _detail(report, counted)


def _detail(report: Report, counted: Sequence[Timed]) -> None:
    stages: Counter[str] = Counter()
    for one in counted:
        stages.update(one.stages)
    total = sum(stages.values()) or 1.0
    shares = ", ".join(f"{name} {share / total:.0%}" for name, share in stages.most_common())
    report.details.append(f"  where compile time goes: {shares}")
    slowest = sorted(counted, key=lambda t: -t.seconds)[:5]
    report.details += [f"  slow: {t.key} {t.seconds:.2f} s ({t.ending}; {_main_stage(t)})" for t in slowest]
    wrong = [t for t in counted if t.ending != "compiled"]
    report.details += [f"  NOT COMPILED: {t.key}: {t.ending} after {t.seconds:.2f} s" for t in wrong]
    report.curves["compile_seconds"] = [
        {"key": t.key, "seconds": round(t.seconds, 4), "ending": t.ending} for t in sorted(counted, key=lambda t: t.key)
    ]


def _main_stage(timed: Timed) -> str:
    if not timed.stages:
        return "no stage finished"
    name = max(timed.stages, key=lambda stage: timed.stages[stage])
    return f"{name} {timed.stages[name]:.2f} s"
