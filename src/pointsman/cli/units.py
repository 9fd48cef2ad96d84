"""Models and texts of the unit level, as its commands name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.models import source_of
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from pointsman.embedded.problems import Split
    from pointsman.engine import LoadedModel
    from pointsman.unit import Texts

__all__ = ["fitting_texts", "load_for_fit", "parted", "unit_texts"]

WINDOW_TOKENS = 256
"""Of a text that is no answer to a prompt: long enough that most tokens have something before them. Chosen."""

_KEPT_ONE_IN = 8


def load_for_fit(name: str) -> LoadedModel:
    """The model in float32, whose weights ask for no gradient. Raises as `load_model`."""
    from pointsman.engine import load_model

    model = load_model(source_of(name), dtype="float32")
    model.decoder.requires_grad_(False)
    return model


def unit_texts(model: LoadedModel, data: str, count: int, split: Split, seed: int) -> Texts:
    """At most `count` texts: `embedded` problems of a split, `generated` by the model, or windows of a file.

    Raises:
        BadRequest: `too_little_data`, `invalid_text` for a file that is none, or as `generated`.
    """
    from pointsman.embedded.tasks import draw_tasks
    from pointsman.unit import generated, of_answers, of_stream

    width = min(WINDOW_TOKENS, model.config.context_tokens)
    if data == "embedded":
        if not model.config.eos_tokens:
            problem = f"{model.name} has no token that ends a text; expected one"
            raise BadRequest(problem, code="invalid_model")
        tasks = draw_tasks(model, count, split, seed)
        return of_answers([task.prompt for task in tasks], [task.reference for task in tasks], width)
    if data == "generated":
        return generated(model, count, width, seed)
    try:
        text = Path(data).read_text(encoding="utf-8")
    except OSError as exc:
        problem = f"cannot read {data!r}: {exc.strerror}; expected a text file, embedded or generated"
        raise BadRequest(problem, code="invalid_text") from exc
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{data} is not text (UTF-8): {exc.reason}", code="invalid_text") from exc
    return of_stream(model.tokenizer.encode(text, special=True), width).chosen(slice(0, count))


def fitting_texts(model: LoadedModel, data: str, count: int, seed: int) -> tuple[Texts, Texts]:
    """What is learned from, and what is kept for the dial. Of the embedded problems these are the two splits."""
    found = unit_texts(model, data, count, "train", seed)
    if data == "embedded":
        return found, unit_texts(model, data, max(count // 10, 40), "test", seed + 1)
    return parted(found, _KEPT_ONE_IN)


def parted(texts: Texts, one_in: int) -> tuple[Texts, Texts]:
    """Learned and kept: every so-manieth block of texts is kept, whole blocks since neighbours are alike."""
    import torch

    block = max(1, len(texts) // (one_in * 8))
    is_kept = (torch.arange(len(texts)) // block) % one_in == one_in - 1
    return texts.chosen(~is_kept), texts.chosen(is_kept)
