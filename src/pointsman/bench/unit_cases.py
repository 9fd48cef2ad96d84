"""The models that the unit level is measured on, each with texts to learn from, to choose on and to measure on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman.bench.books import TRAINING_S, book_texts, trained
from pointsman.embedded.pair import model_folder
from pointsman.embedded.tasks import draw_tasks
from pointsman.engine import LoadedModel, load_model
from pointsman.unit import Lessons, Texts, generated, of_answers
from pointsman.unit.rivals.training import Recipe

__all__ = ["Case", "books_case", "embedded_case", "stories_case"]

_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Case:
    """A model with texts, and how long everything is trained for on it.

    Attributes:
        name: in the figures.
        model: float32.
        learned: what is fitted to.
        kept: what dials are found on.
        texts: what is measured on.
        lessons: of ours.
        recipe: of published routers.
    """

    name: str
    model: LoadedModel
    learned: Texts
    kept: Texts
    texts: Texts
    lessons: Lessons
    recipe: Recipe

    def key(self, figure: str) -> str:
        """A figure's name, which is plain for the embedded model."""
        return figure if self.name == "embedded" else f"{figure}.{self.name}"


def embedded_case(quick: bool, seed: int) -> Case:
    model = load_model(str(model_folder("large")), dtype="float32")

    def texts(count: int, split: str, seed: int) -> Texts:
        tasks = draw_tasks(model, count, split, seed)  # type: ignore[arg-type]  # one of two
        return of_answers([task.prompt for task in tasks], [task.reference for task in tasks], _WIDTH)

    sizes = (320, 16, 32) if quick else (4000, 400, 800)
    lessons = Lessons(steps=8) if quick else Lessons()
    recipe = Recipe(steps=6, forecaster_steps=6) if quick else Recipe()
    parts = (texts(sizes[0], "train", seed), texts(sizes[1], "test", seed + 1), texts(sizes[2], "test", seed + 2))
    return Case("embedded", model, *parts, lessons, recipe)


def stories_case(path: Path, seed: int) -> Case:
    model = load_model(str(path), dtype="float32")
    learned, kept, texts = (
        generated(model, count, _WIDTH, seed + 10_000 * index) for index, count in enumerate((1000, 60, 200))
    )
    return Case("stories", model, learned, kept, texts, Lessons(steps=400, num_rows=16), Recipe())


def books_case(paths: Sequence[Path], folder: Path, tell: Callable[[str], None]) -> Case:
    def progress(share: float, told: str) -> None:
        tell(f"training a model of books: {share:.0%}, {told}")

    model = trained(paths, folder, TRAINING_S, progress)
    learned, kept, texts = book_texts(model, paths)
    recipe = Recipe(steps=300, forecaster_steps=300, num_rows=8)
    lessons = Lessons(steps=300, num_rows=8)
    return Case("books", model, learned, kept.chosen(slice(0, 40)), texts.chosen(slice(0, 96)), lessons, recipe)
