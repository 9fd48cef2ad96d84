"""The demo's policy: every arm is asked over HTTP, a policy is fitted to what it answers, and certified on others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from pointsman.demo.progress import bar
from pointsman.embedded.traffic import Part, draw_traffic
from pointsman.gateway import UpstreamConfig
from pointsman.gateway.collecting import Asking, Collecting, collect

__all__ = ["CONFIDENCE", "QUALITY", "REFERENCE", "learn_policy", "table_of"]

QUALITY, CONFIDENCE = 0.99, 0.95
REFERENCE: Final = "embedded/large?mode=steps"
_ARMS: Final = (
    "embedded/small?mode=direct",
    "embedded/small?mode=steps",
    "embedded/large?mode=direct",
    "embedded/pair?mode=steps",
    "embedded/large?budget=0.6",
    REFERENCE,
)
_NUM_ROWS: Final[dict[Part, int]] = {"fit": 600, "calibration": 1_200}
_SEED = 0


def table_of(part: Part) -> list[Asking]:
    """Different requests of that part of the traffic, with what judges an answer."""
    drawn = {asked.text: asked for asked in draw_traffic(2 * _NUM_ROWS[part], part, _SEED)}
    some = list(drawn.values())[: _NUM_ROWS[part]]
    return [Asking(f"{part}/{number}", asked.text, asked.task, asked.is_right) for number, asked in enumerate(some)]


def learn_policy(console: Console, url: str, build: Path, arms: Sequence[str] = _ARMS) -> Path:
    """Collects both tables from the server, fits and certifies; returns the policy's folder."""
    from pointsman.query.learning import calibrate_policy, fit_policy
    from pointsman.query.promise import Promise
    from pointsman.query.reading import read_outcomes
    from pointsman.query.storing import save_certificate, save_policy

    server = UpstreamConfig("demo", f"{url}/v1", ())
    paths: dict[str, Path] = {}
    for part in _NUM_ROWS:
        paths[part] = build / f"{part}.jsonl"
        paths[part].unlink(missing_ok=True)
        what = Collecting(server, tuple(arms), tracks=True, skips_taken=part == "fit")
        _collected(paths[part], table_of(part), what, f"asking {len(arms)} arms: {part}")
    fit = read_outcomes([paths["fit"]], arms, kind="moved_bytes").outcomes
    stored = fit_policy(fit, REFERENCE, _SEED, "moved_bytes")
    folder = build / "policy"
    save_policy(stored, folder)
    kept = read_outcomes([paths["calibration"]], arms, kind="moved_bytes").outcomes
    found = calibrate_policy(stored, kept, Promise.of_quality(QUALITY, CONFIDENCE))
    told = f"a policy over {len(arms)} arms, learned from {len(fit)} requests; on {len(kept)} others"
    if found.certificate is None:
        console.print(f"{told} no setting that saves could be certified: {REFERENCE} answers what reaches it")
    else:
        save_certificate(found.certificate, folder)
        console.print(
            f"{told} certified: at least {QUALITY:.0%} of the right answers of {REFERENCE}, "
            f"with {CONFIDENCE:.0%} confidence, at {1 - found.certificate.saving:.1%} of its bytes"
        )
    return folder


def _collected(path: Path, asked: Sequence[Asking], what: Collecting, label: str) -> None:
    with bar(label, len(asked)) as advance:
        asyncio.run(collect(path, asked, what, advance))
