"""What `evaluate query` and `bench query` have measured, kept in a file so that an interrupted run goes on.

The first line says of which table and version the others are; each of those is a split with its plain numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from pointsman import __version__
from pointsman.bench.query_jobs import CertifiedSplit, Job, Measured, Table, run_jobs
from pointsman.bench.report import sha256_of
from pointsman.core import BadRequest
from pointsman.query.embedding import load_embedder
from pointsman.query.resuming import lines_done

__all__ = ["run_kept"]

_KINDS: dict[str, type[Measured] | type[CertifiedSplit]] = {"split": Measured, "resplit": CertifiedSplit}


def run_kept(table: Table, jobs: Sequence[Job], label: str, folder: Path | None) -> Iterator[Measured | CertifiedSplit]:
    """As `run_jobs`, with what `folder` has of these jobs first. What is found is kept there at once.

    Raises:
        BadRequest: `other_table` where the file there is of another table, other options or another version;
            `bad_lines` where it cannot be read.
    """
    if folder is None:
        yield from run_jobs(table, jobs, label)
        return
    path, what = folder / f"{label}.jsonl", _what(table)
    known = {found.job: found for found in _known(path, what)}
    yield from (known[job] for job in jobs if job in known)
    missing = [job for job in jobs if job not in known]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if not path.stat().st_size:
            file.write(json.dumps(what) + "\n")
        for found in run_jobs(table, missing, label):
            kind = next(name for name, one in _KINDS.items() if isinstance(found, one))
            file.write(json.dumps({"kind": kind, "found": asdict(found)}) + "\n")
            file.flush()
            yield found


def _what(table: Table) -> dict[str, Any]:
    tariffs = {name: asdict(tariff) for name, tariff in (table.tariffs or {}).items()}
    files = [sha256_of(path) for path in table.paths]
    arms = None if table.arms is None else list(table.arms)
    found = {"version": __version__, "files": files, "arms": arms, "tariffs": tariffs, "votes": table.votes}
    return found if table.embedding is None else found | {"embedding": load_embedder(table.embedding).digest}


def _known(path: Path, what: dict[str, Any]) -> Iterator[Measured | CertifiedSplit]:
    lines = lines_done(path)
    if lines and lines[0] != what:
        problem = f"{path} has splits of another table, of other options or of another version"
        raise BadRequest(f"{problem}. Remove it, or name another folder", code="other_table", param="resume")
    for number, line in enumerate(lines[1:], 2):
        try:
            yield msgspec.convert(line["found"], _KINDS[line["kind"]])
        except (TypeError, KeyError, msgspec.ValidationError) as exc:
            problem = f"{path}, line {number}: {exc!r}; expected a split that was measured before"
            raise BadRequest(f"{problem}. Remove the file", code="bad_lines", param="resume") from exc
