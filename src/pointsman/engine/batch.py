"""A batch that texts join and leave.

A step computes one token for every text in one forward, and reads the prompts of texts that join in another. A text
that ends leaves at once, the last row moves into its place, and whoever waits joins at the next step. Every text has
its own sampler, so its neighbours change it through rounding only.

Not done here: sharing the cache of equal prefixes, splitting long prompts, pre-emption.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine.load import LoadedModel
from pointsman.engine.sampling import Sampling
from pointsman.engine.session import TextRows
from pointsman.engine.writing import Text, Writing


class Batch:
    """Texts that are written together. Not safe for threads.

    Args:
        model: what writes.
        num_rows: how many texts at once.
        capacity_tokens: longest prompt and text together, or None for the model's context.
        session: where the tokens live, or None for a new cached session.
    """

    def __init__(
        self,
        model: LoadedModel,
        num_rows: int,
        capacity_tokens: int | None = None,
        session: TextRows | None = None,
    ) -> None:
        self._model = model
        self._num_rows = num_rows
        self.capacity_tokens = capacity_tokens or model.config.context_tokens
        self._rows = session or model.session(num_rows, self.capacity_tokens)
        self._waiting: deque[Writing] = deque()
        self._busy: list[Writing] = []

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    @property
    def vocab_size(self) -> int:
        """Ids that the model knows."""
        return self._model.config.vocab_size

    @property
    def is_idle(self) -> bool:
        """Whether a step would do nothing."""
        return not self._busy and not self._waiting

    def submit(
        self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None = None
    ) -> Writing:
        """Lets a text wait for a place.

        Raises:
            BadRequest: `prompt_too_long` where no token would fit after the prompt, `invalid_tokens` for ids that are
                not in the vocabulary or none at all, `invalid_parameter` for choices that cannot be told apart.
        """
        require_prompt(prompt, self._model.config.vocab_size, self.capacity_tokens)
        writing = self.new_writing(tuple(prompt), sampling, on_text)
        self._waiting.append(writing)
        return writing

    def step(self) -> list[Writing]:
        """One token for every text; returns those that ended."""
        left = self._leave()
        if self._busy:
            self._extend(range(len(self._busy)), [[writing.tokens[-1]] for writing in self._busy])
        self._admit()
        return left + self._leave()

    def new_writing(
        self, prompt: tuple[int, ...], sampling: Sampling, on_text: Callable[[str], None] | None
    ) -> Writing:
        """A text that begins. For batches built on this, as the next two."""
        return Writing(prompt, sampling, self._model.tokenizer, self._model.config.eos_tokens, on_text)

    def before_forward(self, writings: Sequence[Writing]) -> None:
        """Called with the texts of each forward, in the order of its rows. Nothing here."""

    def after_forward(self, writings: Sequence[Writing]) -> None:
        """Called with the same texts after it, before they take their next token. Nothing here."""

    def renewed(self) -> Self:
        """An empty batch of the same size, for when a step failed and left this one undefined."""
        return type(self)(self._model, self._num_rows, self.capacity_tokens)

    def _admit(self) -> None:
        first = len(self._busy)
        while self._waiting and len(self._busy) < self._num_rows:
            writing = self._waiting.popleft()
            if writing.finish_reason is None:
                self._busy.append(writing)
        if len(self._busy) > first:
            self._extend(range(first, len(self._busy)), [writing.prompt for writing in self._busy[first:]])

    def _extend(self, rows: range, tokens: Sequence[Sequence[int]]) -> None:
        """One forward, and the next token of every row."""
        writings = self._busy[rows.start : rows.stop]
        self.before_forward(writings)
        extension = self._rows.extend(rows, tokens)
        self.after_forward(writings)
        for writing, share in zip(writings, extension.shares, strict=True):
            writing.traffic += share
        _draw_all(writings, extension.logits[:, 0])
        for row, writing in zip(rows, writings, strict=True):
            if writing.finish_reason is None and self._rows.lengths[row] >= self.capacity_tokens:
                writing.finish("length")

    def _leave(self) -> list[Writing]:
        left = [writing for writing in self._waiting if writing.finish_reason is not None]
        self._waiting = deque(writing for writing in self._waiting if writing.finish_reason is None)
        for row in reversed(range(len(self._busy))):
            if self._busy[row].finish_reason is not None:
                left.append(self._busy[row])
                self._rows.truncate(row, 0)
                last = self._busy.pop()
                if row < len(self._busy):
                    self._rows.move(len(self._busy), row)
                    self._busy[row] = last
        return left


def require_prompt(prompt: Sequence[int], vocab_size: int, capacity_tokens: int) -> None:
    """Raises `BadRequest` unless `prompt` is one or more known ids that leave room for a token."""
    if not prompt:
        raise BadRequest("the prompt is empty; expected at least one token", code="invalid_tokens", param="prompt")
    if not 0 <= min(prompt) <= max(prompt) < vocab_size:
        problem = f"the prompt's token ids must be 0 to {vocab_size - 1}; found {min(prompt)} to {max(prompt)}"
        raise BadRequest(problem, code="invalid_tokens", param="prompt")
    if len(prompt) >= capacity_tokens:
        problem = f"the prompt has {len(prompt)} tokens; at most {capacity_tokens - 1} leave room for an answer"
        raise BadRequest(problem, code="prompt_too_long", param="prompt")


def _draw_all(writings: Sequence[Writing], logits: Tensor) -> None:
    """The next token of each text from its row of (B, V) logits. One argmax serves all texts that want no more."""
    likeliest: list[int] = logits.argmax(-1).tolist()
    for index, writing in enumerate(writings):
        if writing.finish_reason is not None:
            continue
        if writing.is_plain:
            writing.take(likeliest[index])
        else:
            writing.draw(logits[index])


W_co = TypeVar("W_co", bound=Writing, covariant=True)


class Submits(Protocol[W_co]):
    """Whatever texts are submitted to and written by, step after step; see `Batch`."""

    @property
    def is_idle(self) -> bool:
        """Whether a step would do nothing."""

    def submit(self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None = None) -> W_co:
        """See `Batch.submit`."""

    def step(self) -> Sequence[Writing]:
        """See `Batch.step`."""


def write_all(
    batch: Submits[W_co],
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    on_text: Callable[[int, str], None] | None,
) -> list[W_co]:
    """Submits every prompt and steps until all have ended; `on_text` gets the prompt's index and a piece."""

    def listener(index: int) -> Callable[[str], None] | None:
        return None if on_text is None else lambda piece: on_text(index, piece)

    writings = [batch.submit(prompt, sampling, listener(index)) for index, prompt in enumerate(prompts)]
    while not batch.is_idle:
        batch.step()
    return writings


def generate(
    model: LoadedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling | None = None,
    *,
    num_rows: int = 8,
    on_text: Callable[[int, str], None] | None = None,
    compiles: bool = False,
) -> list[Text]:
    """Writes a text for every prompt, at most `num_rows` at once, in the order of the prompts.

    Args:
        model: what writes.
        prompts: ids, one or more each.
        sampling: for all of them; greedy to the end token where None.
        num_rows: texts computed together.
        on_text: called with the prompt's index and each piece of its text.
        compiles: see `Session`.

    Raises:
        BadRequest: see `Batch.submit`; nothing has been computed then.
    """
    sampling = sampling or Sampling()
    longest = max(len(prompt) for prompt in prompts)
    wanted = model.config.context_tokens if sampling.max_tokens is None else longest + sampling.max_tokens
    capacity_tokens = min(model.config.context_tokens, wanted)
    num_rows = min(num_rows, len(prompts))
    session = model.session(num_rows, capacity_tokens, compiles=compiles)
    batch = Batch(model, num_rows, capacity_tokens, session)
    return [writing.result() for writing in write_all(batch, prompts, sampling, on_text)]
