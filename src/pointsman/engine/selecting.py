"""A model that selects rows of compiled tables: implements `core.selecting.Selector`.

The rows of a table are read once. For each state only what follows them is read, some dozens of tokens, and the answer
is the best of the rows' letters: no token is written.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pointsman.core import Cost
from pointsman.core.asking import LETTERS
from pointsman.core.selecting import MOST_ROWS, Row, Selection
from pointsman.engine.forms import Form, LetteredForm, answer_tokens, selection_tokens
from pointsman.engine.load import LoadedModel
from pointsman.engine.session import Session

__all__ = ["RowSelector"]

_TABLES_KEPT = 256
_STATE_TOKENS = 384
"""Longest state that is shown; chosen. Values are cut to a few characters each, so real ones are far shorter."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows that were read: the session that holds them, how many tokens, and the text around a state."""

    session: Session
    num_tokens: int
    before: str
    after: str


class RowSelector:
    """Selects with a model of the engine.

    Args:
        model: it.
        name: by which traces name it.
        form: how rows are put to it.

    Threads may share one; they take turns.
    """

    def __init__(self, model: LoadedModel, name: str, form: Form | None = None) -> None:
        self.name = name
        self._model, self._form = model, form or LetteredForm()
        self._read: OrderedDict[tuple[Row, ...], _Read] = OrderedDict()
        self._turn = threading.Lock()

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        """See `Selector.select`. The first state of a table pays for reading its rows.

        Raises:
            Unsupported: `no_letters` where letters are no single tokens of the model.
            OverBudget: `context_exceeded` for rows or a state that are too long for the model.
        """
        with self._turn:
            return self._select(tuple(rows), state)

    @cached_property
    def _letters(self) -> list[int]:
        return answer_tokens(self._model, self._form, LETTERS[:MOST_ROWS])

    @torch.inference_mode()
    def _select(self, rows: tuple[Row, ...], state: str) -> Selection:
        begun = time.perf_counter()
        read = self._rows_read(rows)
        tokens = self._model.tokenizer.encode_plain(read.before + state + read.after)
        logits, moved_bytes = self._scores(read, tokens)
        chances = logits[self._letters[: len(rows)]].softmax(0)
        row = int(chances.argmax())
        cost = Cost(len(tokens), 0, 0, moved_bytes, time.perf_counter() - begun)
        return Selection(row, float(chances[row]), cost)

    def _scores(self, read: _Read, tokens: Sequence[int]) -> tuple[torch.Tensor, int]:
        """Scores of all tokens behind a state, read in pieces that the compiled loops take, and the bytes moved."""
        few, moved_bytes = read.session.few_tokens, 0
        step = len(tokens) if few is None or len(tokens) > 4 * few.most_lines else few.most_lines
        try:
            for start in range(0, len(tokens), step):
                seen = read.session.extend([0], [tokens[start : start + step]])
                moved_bytes += seen.traffic.moved_bytes
        finally:  # a state that is too long leaves nothing behind
            read.session.truncate(0, read.num_tokens)
        return seen.logits[0, 0].float(), moved_bytes

    def _rows_read(self, rows: tuple[Row, ...]) -> _Read:
        if rows in self._read:
            self._read.move_to_end(rows)
            return self._read[rows]
        head, before, after = selection_tokens(self._model, self._form, rows)
        capacity = min(len(head) + _STATE_TOKENS, self._model.config.context_tokens)
        read = _Read(self._model.session(1, capacity), len(head), before, after)
        read.session.extend([0], [head])
        self._read[rows] = read
        if len(self._read) > _TABLES_KEPT:
            self._read.popitem(last=False)
        return read
