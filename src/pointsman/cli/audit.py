"""``pointsman audit TRACE ARTEFACT``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import TrustOpaque
from pointsman.program import load_table

if TYPE_CHECKING:
    from pointsman.program.trace import Audit

__all__ = ["audit_command"]


def audit_command(
    trace: Annotated[Path, typer.Argument(help="A record of a run, by `pointsman run --trace`.")],
    artefact: Annotated[Path, typer.Argument(help="The *.route.json file that was run.")],
    trust_opaque: TrustOpaque = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check a run again, without any model: every step, and what it came to. Exit 1 where something is not right.

    What was answered to questions about texts is taken from the trace; that the answers are true is not checked.

    pointsman run refund.route.json '[12, false, 80]' --trace run.json

    pointsman audit run.json refund.route.json
    """
    from pointsman.program.trace import audit, load_trace  # the interpreter, which other commands do not need

    recorded = load_trace(trace)
    found = audit(recorded, load_table(artefact, trust_opaque=trust_opaque))
    print(_as_json(found) if as_json else _as_text(found, len(recorded.replies)))
    if not found.is_exact:
        raise typer.Exit(1)


def _as_json(found: Audit) -> str:
    return json.dumps(
        {
            "steps": found.num_steps,
            "wrong_steps": [number + 1 for number in found.wrong_steps],
            "findings": found.findings,
        }
    )


def _as_text(found: Audit, num_replies: int) -> str:
    lines = [f"not as recorded: {finding}" for finding in found.findings]
    lines += [f"step {number + 1}: another exit than the guards say was taken" for number in found.wrong_steps]
    if not lines:
        lines = [f"exact: {found.num_steps} step(s), each as the guards say, with {num_replies} recorded answer(s)"]
    return "\n".join(lines)
