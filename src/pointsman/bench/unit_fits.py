"""What the unit level's bench fits: ours and the published routers of a case, kept in a folder and not fitted twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

from pointsman.bench.unit_cases import Case
from pointsman.unit import Card, Fit, Router, Settings, Shape, default_shape, load_router
from pointsman.unit.rivals.fitted import fit_published
from pointsman.unit.rivals.published import Kind

__all__ = ["ours", "rival"]

Say = Callable[[str], None]


class _Quiet:
    """A fit's progress as one line of the bench's."""

    def __init__(self, tell: Say) -> None:
        self._tell, self._stage, self._done, self._total = tell, "", 0, 0

    def begin(self, what: str, total: int) -> None:
        self._stage, self._done, self._total = what, 0, total

    def advance(self, done: int, told: str) -> None:
        self._done += done
        self._tell(f"{self._stage} {self._done} of {self._total}")


def ours(
    case: Case, folder: Path, say: Say, *, shape: Shape | None = None, begun_from: Path | None = None, **lessons: object
) -> tuple[Router, Card]:
    """Our router of a case, in `folder`.

    Args:
        case: the model and its texts.
        folder: for what is fitted.
        say: is told how far it is.
        shape: of forecasters, where it is not the default.
        begun_from: folder of a fit with the same closed forms, which count with their seconds.
        lessons: what differs from the case's.
    """
    if begun_from is not None and not (folder / "work").exists():
        (folder / "work").mkdir(parents=True)
        copyfile(begun_from / "work" / "closed.safetensors", folder / "work" / "closed.safetensors")
    shape = shape or default_shape(case.model.config)
    settings = Settings(f"bench, {case.name}", shape, replace(case.lessons, **lessons))  # type: ignore[arg-type]
    shown = _Quiet(lambda what: say(f"{folder.name}, {what}"))
    Fit(case.model.decoder, case.learned, case.kept, settings, folder, shown).run()
    return load_router(folder, case.model.decoder)


def rival(case: Case, kind: Kind, budget: float, folder: Path, say: Say, *, lora: bool = False) -> float:
    """Trains a published router, and returns the seconds that it took, which are kept beside what was trained.

    What was trained otherwise, or on other texts, is trained anew.
    """
    path = folder / "rivals" / f"{kind}{'+lora' * lora}-{budget:g}.seconds"
    told = f"{case.recipe} {case.learned.fingerprint}"
    if path.exists() and path.read_text().partition("\n")[2] == told:
        return float(path.read_text().partition("\n")[0])
    begun = time.perf_counter()
    fit_published(
        kind,
        case.model.decoder,
        case.learned,
        case.kept,
        budget,
        folder,
        case.recipe,
        lambda step: say(f"{kind}{' + LoRA' * lora} for {budget:g}, step {step}"),
        lora=lora,
    )
    seconds = time.perf_counter() - begun
    path.write_text(f"{seconds}\n{told}")
    return seconds
