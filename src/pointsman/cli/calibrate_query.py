"""``pointsman calibrate query``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.extras import require_learning
from pointsman.cli.models import source_of
from pointsman.cli.progress import counted
from pointsman.core import BadRequest

if TYPE_CHECKING:  # numpy is loaded by the command, not by --help
    from pointsman.query.certifying import Setting
    from pointsman.query.learning import Calibration
    from pointsman.query.policy import Kind
    from pointsman.query.promise import Promise

__all__ = ["promised", "query", "setting_shown"]

_QUALITY = 0.99


def query(
    policy: Annotated[Path, typer.Argument(help="Folder of `fit query`; the certificate is written into it.")],
    outcomes: Annotated[
        list[Path], typer.Option("--outcomes", help="Tables of requests that the policy was not fitted on; repeatable.")
    ],
    quality: Annotated[
        float | None, typer.Option(help="Share of the reference arm's right answers to keep [default: 0.99].")
    ] = None,
    loss: Annotated[
        float | None, typer.Option(help="Instead: share of all answers that may be lost; no quality is promised then.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="With which that is promised.")] = 0.95,
    most_novel: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Requests more novel than this go to the reference arm [default: 1]."),
    ] = None,
    known_only: Annotated[
        bool,
        typer.Option("--known-only", help="Instead: the novelty that 99 % of the rows of left-out tasks lie above."),
    ] = False,
    embedding: Annotated[
        Path | None, typer.Option(help="The policy's embedding: its folder now, or a model [default: where it was].")
    ] = None,
    costs: Annotated[Path | None, typer.Option(help="JSON of prices by arm, as for `fit query`.")] = None,
) -> None:
    """Certify how much a policy saves while it keeps the reference arm's quality; exit 1 where nothing may be promised.

    pointsman calibrate query policy --outcomes kept.jsonl --quality 0.98

    pointsman calibrate query policy --outcomes kept.jsonl --loss 0.01 --known-only
    """
    require_learning()
    from pointsman.query.learning import best_reachable, calibrate_policy
    from pointsman.query.reading import read_outcomes, read_tariffs
    from pointsman.query.storing import load_stored, save_certificate

    if known_only and most_novel is not None:
        raise BadRequest("--most-novel and --known-only are given; expected one of them", code="conflicting_options")
    promise = _promise(quality, loss, confidence)
    stored = load_stored(policy, embedding, source_of)
    if known_only:
        most_novel = stored.policy.server.fitted.novelty.most_known
    most_novel = 1.0 if most_novel is None else most_novel
    with counted("reading, certifying", 2) as tick:
        tariffs = None if costs is None else read_tariffs(costs)
        read = read_outcomes(outcomes, stored.policy.arms, tariffs, kind=stored.policy.kind)
        tick(1)
        found = calibrate_policy(stored, read.outcomes, promise, most_novel)
        tick(1)
    reference = stored.policy.reference
    print("\n".join([*read.notes(), *_untold(found, len(read.outcomes)), f"promise: {promised(promise, reference)}"]))
    if found.certificate is None:
        print(_refused(found, len(read.outcomes), reference))
        print(_reachable(best_reachable(stored, read.outcomes, promise, most_novel), reference))
        if stored.policy.certificate is not None:
            print(f"{policy}: its former certificate stays: {promised(stored.policy.certificate.promise, reference)}")
        raise typer.Exit(1)
    save_certificate(found.certificate, policy)
    print(_certified(found, reference, stored.policy.kind))
    print(f"{policy}: certificate written; try: pointsman explain {policy} REQUEST")


def _promise(quality: float | None, loss: float | None, confidence: float) -> Promise:
    from pointsman.query.promise import Promise

    if quality is not None and loss is not None:
        raise BadRequest("--quality and --loss are given; expected one of them", code="conflicting_options")
    if loss is not None:
        return Promise(loss, confidence)
    return Promise.of_quality(_QUALITY if quality is None else quality, confidence)


def promised(promise: Promise, reference: str) -> str:
    """In words."""
    kept = f"at least {promise.kept:.4g} of the share that {reference} gets right"
    less = f", less {promise.loss:.4g}" if promise.loss else ""
    return f"right answers: {kept}{less}; confidence {promise.confidence:.4g}"


def setting_shown(setting: Setting, kind: Kind) -> str:
    """A price as what a right answer is worth, since that can be imagined."""
    value = math.inf if setting.price == 0 else 1 / setting.price
    amount = f"{value / 1e9:.4g} USD" if kind == "nano_usd" else f"{value:.4g} bytes moved"
    worth = "any cost" if setting.price == 0 else f"up to {amount}"
    looks = ", looks first where that is worth it" if setting.looks else ""
    return f"a right answer is worth {worth}, caution {setting.caution:g}{looks}"


def _untold(found: Calibration, num_rows: int) -> list[str]:
    if not found.num_untold:
        return []
    why = f"{found.num_untold:,} of {num_rows:,} rows do not tell whether answers agree (`ans`, `agreement`)"
    return [f"sequences: left out, since {why}"]


def _certified(found: Calibration, reference: str, kind: Kind) -> str:
    certified, certificate = found.certified, found.certificate
    assert certificate is not None
    lines = [
        f"certified on {certificate.num_rows:,} rows: saves {certificate.saving:.1%} of what {reference} costs on them",
        *([f"of these {certificate.num_taken:,} were taken ahead of the arms"] if certificate.num_taken else []),
        f"setting: {setting_shown(certificate.setting, kind)}",
        f"settings: {certified.num_tested} tested, in an order fixed before, {certified.num_passed} passed",
        f"novelty: on average {certificate.usual_novelty:.3g} or less; serve stops routing where requests have more",
        "covered: requests drawn like these rows, on average; not covered: other requests, and any single one",
    ]
    return "\n".join(lines)


def _refused(found: Calibration, num_rows: int, reference: str) -> str:
    told = f"nothing that saves is certified on {num_rows:,} rows, so {reference} answers all"
    return f"{told}; {found.certified.num_tested} settings tested, {found.certified.num_passed} passed"


def _reachable(quality: float | None, reference: str) -> str:
    if quality is None:
        return "best reachable on these rows: not even half of the quality"
    told = f"best reachable on these rows: {quality:.3f} of what {reference} gets right"
    return f"{told}; not promised, since it was looked for afterwards: to promise it, calibrate with other rows"
