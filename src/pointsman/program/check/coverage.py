"""How many functions of a corpus compile, and how many of those do what CPython does.

Each function is compiled without opaque calls first and, when that is refused, with them; then its own tests, doctests
and generated inputs are compared (see `differential`). A function is pure by `purity`, whether it compiles or not.
``wrong`` counts compiled functions with a mismatch: it must be zero, and each is listed with its input.

Everything happens in sandboxed children, at most two at a time, so a function that hangs costs its own limit only.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pointsman.core import BadRequest
from pointsman.program import frontend
from pointsman.program.check.corpus import Case, cases
from pointsman.program.check.differential import Differential, differential_test
from pointsman.program.check.purity import impurity
from pointsman.program.check.sandbox import Limits, Outcome, Send, run_many
from pointsman.program.compiler import compile_source
from pointsman.program.table.machine import Program

__all__ = ["CoverageReport", "Verdict", "coverage", "main"]

MAX_JOBS = 2
_KILL_SECONDS = 8.0  # above a case's own limit, which the differential test keeps by itself
Compiled: TypeAlias = Literal["plain", "opaque", "no"]


@dataclass(slots=True)
class Verdict:
    """One function. ``status``: of the differential test, ``refused``, or ``failed`` when the compiler itself did."""

    key: str
    pure: bool = False
    compiled: Compiled = "no"
    refusal: str | None = None
    reason: str = ""
    status: str = "failed"
    compile_s: float | None = None
    tested: int = 0
    mismatch: dict[str, str] | None = None
    tests_passed: list[int] | None = None


@dataclass
class CoverageReport:
    """The counts of a corpus, from its functions' verdicts."""

    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def mismatches(self) -> list[tuple[str, dict[str, str]]]:
        """The wrong functions: key, and the call with what both sides give."""
        return [(v.key, v.mismatch) for v in self.verdicts if v.mismatch is not None]

    def to_json(self) -> dict[str, Any]:
        """Counts of functions; ``refused_by_reason`` counts the refusal without opaque calls, by its code."""
        verdicts = self.verdicts
        plain = [v for v in verdicts if v.compiled == "plain"]
        times = sorted(v.compile_s for v in verdicts if v.compile_s is not None and v.compiled != "no")
        return {
            "functions": len(verdicts),
            "pure": sum(v.pure for v in verdicts),
            "compiled": sum(v.compiled != "no" for v in verdicts),
            "compiled_without_opaque": len(plain),
            "equal": sum(v.status == "equal" for v in verdicts),
            "equal_without_opaque": sum(v.status == "equal" for v in plain),
            "wrong": sum(v.status == "mismatch" for v in verdicts),
            "refused_by_reason": dict(Counter(v.refusal for v in verdicts if v.refusal).most_common()),
            "pure_compiled_without_opaque": sum(v.pure for v in plain),
            "pure_equal_without_opaque": sum(v.pure and v.status == "equal" for v in plain),
            "undecided": sum(v.status == "undecided" for v in verdicts),
            "not_runnable": sum(v.status == "not_runnable" for v in verdicts),
            "failed": sum(v.status == "failed" for v in verdicts),
            "compile_p50_s": _quantile(times, 0.5),
            "compile_p95_s": _quantile(times, 0.95),
        }


def _quantile(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 4) if values else None


def coverage(
    path: Path,
    *,
    allow_opaque_too: bool = True,
    progress: Callable[[int, int], None] | None = None,
    resume: Path | None = None,
    jobs: int = MAX_JOBS,
    limit: int | None = None,
) -> CoverageReport:
    """Judges every function of a corpus, or the first ``limit``.

    ``resume``: a file of JSON lines, one for each verdict; functions that it holds are not judged again.
    ``progress(done, total)`` is called after each function. Raises NotFound or BadRequest for the corpus itself, and
    BadRequest ``bad_resume`` for a file of verdicts that cannot be read or written.
    """
    report_progress = progress or _no_progress
    wanted = cases(path)[:limit]
    known = _known(resume)
    if resume is not None:
        _append(resume, "")  # a file that cannot be written is an error before the work, not after
    done = {case.key: known[case.key] for case in wanted if case.key in known}
    report_progress(len(done), len(wanted))
    for verdict in _judged([case for case in wanted if case.key not in done], allow_opaque_too, jobs):
        done[verdict.key] = verdict
        if resume is not None:
            _append(resume, json.dumps(asdict(verdict)) + "\n")
        report_progress(len(done), len(wanted))
    return CoverageReport([done[case.key] for case in wanted])


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""


def _known(resume: Path | None) -> dict[str, Verdict]:
    if resume is None or not resume.exists():
        return {}
    try:
        lines = resume.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read {resume}: {exc}", code="bad_resume") from exc
    verdicts = [_kept(line, f"{resume}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    return {verdict.key: verdict for verdict in verdicts}


def _kept(line: str, where: str) -> Verdict:
    try:
        return Verdict(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as exc:
        raise BadRequest(f"{where}: not a verdict that coverage has written: {exc}", code="bad_resume") from exc


def _append(resume: Path, text: str) -> None:
    try:
        with resume.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise BadRequest(f"cannot write {resume}: {exc.strerror}", code="bad_resume") from exc


def _judged(wanted: list[Case], allow_opaque_too: bool, jobs: int) -> Iterator[Verdict]:
    """In the order in which they end; long and short limits are kept apart, since a pool has one."""
    for seconds in sorted({case.seconds for case in wanted}):
        group = [case for case in wanted if case.seconds == seconds]
        works = [_work(case, allow_opaque_too) for case in group]
        for position, outcome in run_many(works, jobs=min(jobs, MAX_JOBS), limits=Limits(seconds + _KILL_SECONDS)):
            yield _verdict(group[position], outcome)


def _work(case: Case, allow_opaque_too: bool) -> Callable[[Send], None]:
    return lambda send: _judge(case, allow_opaque_too, send)


def _judge(case: Case, allow_opaque_too: bool, send: Send) -> None:
    """In the child: sends the verdict, more complete each time."""
    start = time.perf_counter()
    verdict = Verdict(case.key)
    program = _compiled(case, allow_opaque_too, verdict, send)
    if program is None:
        return
    verdict.compile_s = round(time.perf_counter() - start, 4)
    verdict.status = "undecided"
    send(asdict(verdict))
    seconds = max(1.0, case.seconds - verdict.compile_s) / 2
    source, tests = case.runnable, case.tests
    _add(verdict, differential_test(source, case.filename, program, seconds=seconds, tests=tests, paths=case.paths))
    send(asdict(verdict))


def _compiled(case: Case, allow_opaque_too: bool, verdict: Verdict, send: Send) -> Program | None:
    for allow_opaque in (False, True)[: 1 + allow_opaque_too]:
        try:
            if not allow_opaque:
                verdict.pure = impurity(frontend.Module.parse(case.source, case.filename), case.entry) is None
                send(asdict(verdict))
            program = compile_source(case.source, case.entry, case.filename, allow_opaque=allow_opaque)
        except frontend.Refusal as refusal:
            if not allow_opaque:
                verdict.refusal, verdict.reason, verdict.status = refusal.code, refusal.reason, "refused"
            send(asdict(verdict))
            continue
        if case.entry not in program.opaque:  # else nothing of it is compiled
            verdict.compiled = "opaque" if allow_opaque else "plain"
            return program
    return None


def _add(verdict: Verdict, found: Differential) -> None:
    verdict.status, verdict.tested = found.status, found.tested
    verdict.reason = verdict.reason or found.detail
    verdict.mismatch = None if found.mismatch is None else asdict(found.mismatch)
    verdict.tests_passed = None if found.tests_passed is None else list(found.tests_passed)


def _verdict(case: Case, outcome: Outcome) -> Verdict:
    """The last that the child sent; what it did not get to is a failure of the compiler."""
    verdict = Verdict(**outcome.lines[-1]) if outcome.lines else Verdict(case.key)
    if outcome.status != "ok":
        verdict.reason = f"{outcome.status}: {outcome.detail}"
    return verdict


def main(path: Path, resume: Path | None = None, jobs: int = MAX_JOBS, limit: int | None = None) -> CoverageReport:
    """`coverage` with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    start = time.monotonic()
    first: list[int] = []  # how many were known at the start: they say nothing of the rate
    # no refreshing thread: the process forks
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("functions", total=None, rate="")

        def show(done: int, total: int) -> None:
            first.append(done)
            rate = (done - first[0]) / max(1e-9, time.monotonic() - start)
            bar.update(task, completed=done, total=total, rate=f"{rate:.1f}/s")
            bar.refresh()

        return coverage(path, progress=show, resume=resume, jobs=jobs, limit=limit)
