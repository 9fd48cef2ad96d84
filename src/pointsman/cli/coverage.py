"""``pointsman coverage DIR_OR_JSONL``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointsman.core import NotFound

__all__ = ["coverage_command"]


def coverage_command(
    path: Annotated[
        Path, typer.Argument(help="A folder of .py files, or a HumanEval or MBPP file (.jsonl, .jsonl.gz).")
    ],
    resume: Annotated[Path | None, typer.Option(help="Keep finished functions here, and go on from it.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, at most two.")] = 2,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many functions.")] = None,
) -> None:
    """Compile every function found and compare it with CPython. The last line is one JSON.

    pointsman coverage examples/

    pointsman coverage humaneval.jsonl.gz --resume humaneval.done.jsonl
    """
    from pointsman.program.check.coverage import main

    if not path.exists():
        raise NotFound(f"no file or folder {str(path)!r}", code="no_path")
    report = main(path, resume, jobs, limit)
    for line in report.mismatches:
        sys.stderr.write(f"MISMATCH {line}\n")
    print(json.dumps(report.to_json()))
    if report.mismatches:
        raise typer.Exit(1)
