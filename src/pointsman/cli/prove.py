"""``pointsman prove ARTEFACT``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.options import TrustOpaque
from pointsman.program import load_table
from pointsman.program.proof.report import Proof, prove

__all__ = ["prove_command"]


def prove_command(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file.")],
    never_raises: Annotated[
        bool, typer.Option("--never-raises", help="Exit 1 unless it is proved that nothing can raise.")
    ] = False,
    trust_opaque: TrustOpaque = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """What is proved of a table, what is only tested, and an input for each way to raise.

    pointsman prove refund.route.json

    pointsman prove refund.route.json --never-raises
    """
    table = load_table(artefact, trust_opaque=trust_opaque)
    found = prove(table)
    print(json.dumps(_as_json(found)) if as_json else _as_text(found))
    wrong = any(s.unique_complete is False or s.equivalent is False for s in found.states)
    raising = bool(found.steps_that_may_raise) or any(claim.status != "not reached" for claim in found.claims)
    if wrong or (never_raises and raising):
        raise typer.Exit(1)


def _as_json(proof: Proof) -> dict[str, object]:
    return {
        "inputs_tested": proof.inputs_tested,
        "domain_size": proof.domain_size,
        "domain_bound": proof.domain_bound,
        "steps_that_may_raise": [list(s) for s in proof.steps_that_may_raise],
        "states": [
            {"function": s.function, "state": s.state, "level": s.level, "rows": s.rows,
             "unique_complete": s.unique_complete, "equivalent": s.equivalent, "judged_rows": s.judged_rows}
            for s in proof.states
        ],
        "raises": [
            {"function": c.function, "state": c.state, "outcome": c.outcome, "when": c.when,
             "status": c.status, "inputs": c.inputs}
            for c in proof.claims
        ],
    }  # fmt: skip


def _level(level: str, proof: Proof) -> str:
    if level == "exhaustive" and proof.domain_bound is not None:
        return (
            f"exhaustive: all {proof.domain_size} inputs with ints from {-proof.domain_bound} to {proof.domain_bound}"
        )
    if level == "exhaustive":
        return f"exhaustive: all {proof.domain_size} inputs"
    return f"tested on {proof.inputs_tested} inputs" if level == "tested" else level


def _as_text(proof: Proof) -> str:
    words = {True: "proved", False: "REFUTED", None: "not settled"}
    lines = [f"{'function':24} {'state':>5} {'rows':>6}  {'exactly one row applies':24} {'same as explored':17} level"]
    for s in proof.states:
        level = _level(s.level, proof) + (f"; {s.judged_rows} of its rows depend on an answer" if s.judged_rows else "")
        lines.append(
            f"{s.function:24} {s.state:>5} {s.rows:>6}  {words[s.unique_complete]:24} {words[s.equivalent]:17} {level}"
        )
    lines.append("")
    if not proof.claims:
        lines.append("no row raises an exception of its own")
    for c in proof.claims:
        shown = "" if c.inputs is None else f" e.g. {json.dumps(c.inputs)}"
        lines.append(f"{c.function} state {c.state}: {c.outcome} when {c.when or 'always'}: {c.status}{shown}")
    for function, state, count in proof.steps_that_may_raise:
        lines.append(f"{function} state {state}: {count} step(s) may raise what their operations raise")
    lines.append("('same as explored' and the level are as compile recorded them; the rows were proved again now)")
    return "\n".join(lines)
