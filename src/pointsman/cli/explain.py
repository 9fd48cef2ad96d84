"""``pointsman explain POLICY REQUEST``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.calibrate_query import promised, setting_shown
from pointsman.cli.extras import require_learning
from pointsman.cli.models import source_of
from pointsman.core import BadRequest

if TYPE_CHECKING:  # numpy is loaded by the command, not by --help
    from pointsman.query.explaining import ArmForecast, Explanation, Move
    from pointsman.query.policy import Kind
    from pointsman.query.storing import StoredPolicy

__all__ = ["explain_command"]

_NANO = 1e9


def explain_command(
    policy: Annotated[Path, typer.Argument(help="Folder of `fit query`.")],
    request: Annotated[str, typer.Argument(help="The request's text, @FILE, or - for standard input.")],
    quality: Annotated[float | None, typer.Option(help="Share of the reference arm's right answers to keep.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Most that the answer may be forecast to cost, USD.")] = None,
    price: Annotated[float | None, typer.Option(help="What a right answer is worth, USD.")] = None,
    embedding: Annotated[
        Path | None, typer.Option(help="The policy's embedding: its folder now, or a model [default: where it was].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say which arm a request goes to, and why: what is unusual in it, how hard it is, and what each arm would do.

    pointsman explain policy "What is 3 + 4 + 5 ?"

    pointsman explain policy @request.txt --max-cost 0.002 --json
    """
    require_learning()
    from pointsman.query.explaining import explain
    from pointsman.query.policy import Wish
    from pointsman.query.storing import load_stored

    text, stored = _text_of(request), load_stored(policy, embedding, source_of)
    unit = _NANO if stored.policy.kind == "nano_usd" else 1.0
    wish = Wish(quality, *(None if each is None else each * unit for each in (max_cost, price)))
    found = explain(stored, text, wish)
    print(json.dumps(_record(found, stored), ensure_ascii=False) if as_json else _told(found, stored))


def _text_of(given: str) -> str:
    """Raises BadRequest: `not_text`, `no_request`."""
    try:
        if given == "-":
            text = sys.stdin.buffer.read().decode("utf-8")
        else:
            text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{given} is not text (UTF-8): {exc.reason}", code="not_text") from exc
    if not text.strip():
        raise BadRequest("the request is empty; expected a text, @FILE or -", code="no_request")
    return text


def _record(found: Explanation, stored: StoredPolicy) -> dict[str, object]:
    """All of it; a price that is infinite cannot be, since certificates have none."""
    return {
        "arm": found.choice.arm,
        "reason": found.choice.reason,
        "sentence": found.sentence,
        "sequence": None if found.choice.steps is None else asdict(found.choice.steps),
        "novelty": found.choice.novelty,
        "reference": stored.policy.reference,
        "cost_kind": stored.policy.kind,
        "arms": [asdict(each) for each in found.arms],
        "unusual": [asdict(each) for each in found.unusual],
        "difficulty": [asdict(each) for each in found.moves],
        "prompt_tokens_estimated": found.prompt_tokens,
        "prompt_tokens_error": None if stored.prompts is None else stored.prompts.error,
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "version": found.version,
    }


def _told(found: Explanation, stored: StoredPolicy) -> str:
    reference, certificate = stored.policy.reference, found.certificate
    steps = found.choice.steps
    lines = [f"{found.choice.arm} [{found.choice.reason}]: {found.sentence}"]
    if steps is not None:
        cost = _cost_shown(steps.quote.cost, stored.policy.kind)
        lines.append(f"sequence: right {steps.quote.right:.3f}, cost {cost} on average")
    lines.append("")
    width = max(len("arm"), *(len(each.arm) for each in found.arms))
    lines.append(f"{'arm'.ljust(width)}  right  similar rows  cost")
    lines += [_arm_shown(each, width, stored.policy.kind) for each in found.arms]
    lines.append(
        "similar rows: 90 % interval of the share right among fitted rows with the most similar held-out forecasts"
    )
    lines += ["", "unusual in the text, in standard deviations from the fitted requests:"]
    lines += [f"  {each.deviations:+.1f}  {each.what}" for each in found.unusual] or ["  nothing"]
    lines.append("difficulty, along the directions that the arms share:")
    lines += [_move_shown(each) for each in found.moves] or ["  that of an average request"]
    lines += [f"novelty: {found.choice.novelty:.2f} (0: like the fitted requests, 1: unlike)", _prompts_shown(stored)]
    if certificate is None:
        lines.append("certificate: none")
    else:
        setting = setting_shown(certificate.setting, stored.policy.kind)
        lines.append(f"certificate: {promised(certificate.promise, reference)}; {setting}")
        lines.append(f"  from {certificate.num_rows:,} rows, on which it saves {certificate.saving:.1%}")
    return "\n".join([*lines, f"policy: {found.version}"])


def _arm_shown(each: ArmForecast, width: int, kind: Kind) -> str:
    between = "not known   " if each.low is None or each.high is None else f"{each.low:.2f} to {each.high:.2f}"
    return f"{each.arm.ljust(width)}  {each.right:.3f}  {between}  {_cost_shown(each.cost, kind)}"


def _cost_shown(cost: float, kind: Kind) -> str:
    return f"{cost / _NANO:.3g} USD" if kind == "nano_usd" else f"{cost:.3g} bytes moved"


def _move_shown(move: Move) -> str:
    moved = f"raises {move.raised:.0%} of the arms, lowers {move.lowered:.0%}"
    return (
        f"  direction {move.direction} at {move.coordinate:+.2f}: {moved}; most of all {move.most}, by {move.by:+.2f}"
    )


def _prompts_shown(stored: StoredPolicy) -> str:
    if stored.prompts is None:
        return "prompt tokens: not known, and not needed: whole bills are forecast"
    worst = max(stored.prompts.error)
    return f"prompt tokens: estimated from the text's length; off by {worst:.0%} or less on average, on held-out rows"
