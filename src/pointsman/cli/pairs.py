"""Two models and their tasks, as the commands of the token level name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.models import source_of
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.embedded.problems import Split
    from pointsman.token import Pair, Task

__all__ = ["load_pair", "pair_tasks"]


def load_pair(small: str, large: str) -> Pair:
    """The models of these names. Raises as `load_model` and `Pair`."""
    from pointsman.engine import load_model
    from pointsman.token import Pair

    return Pair(load_model(source_of(small)), load_model(source_of(large)))


def pair_tasks(pair: Pair, data: str, count: int, split: Split, delimiter: str, seed: int) -> Sequence[Task]:
    """Tasks of the embedded families (`data` is `embedded`), or of a file; at most `count`.

    Raises:
        BadRequest: `invalid_model` where no token ends the large model's texts, so that no reference could end, or as
            `read_tasks`.
    """
    from pointsman.embedded.tasks import draw_tasks
    from pointsman.token import read_tasks

    if not pair.large.config.eos_tokens:
        problem = f"{pair.large.name} has no token that ends a text; expected one"
        raise BadRequest(problem, code="invalid_model")
    if data == "embedded":
        return draw_tasks(pair.large, count, split, seed)
    return read_tasks(Path(data), pair.large.tokenizer, pair.large.config.eos_tokens[0], delimiter)[:count]
