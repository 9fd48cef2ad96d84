"""Problems, packed into rows of a fixed length for training.

A problem takes its place once and both its responses follow: `prompt <direct> answer <end> <steps> steps => answer
<end>`. The second response does not see the first; positions of both continue from the prompt. So a prompt, which is
most of the tokens, is computed once for two lessons. Rows are filled with whole problems, and no token sees another
problem. Only responses are learned; what a user writes cannot be predicted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from pointsman.embedded.problems import MODES, Problem
from pointsman.embedded.vocabulary import DIRECT, END, STEPS, USER

IGNORED = -100
"""The target of a token that is not learned from."""

_CONTROL = {"direct": DIRECT, "steps": STEPS}


@dataclass(frozen=True, slots=True)
class Example:
    """A problem in tokens: the prompt, then each response with its control token and end."""

    problem: Problem
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]

    @property
    def num_tokens(self) -> int:
        return len(self.prompt) + sum(len(response) for response in self.responses)


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of rows. B rows of T tokens, int64.

    Attributes:
        tokens: (B, T).
        positions: (B, T); each response continues from its prompt.
        targets: (B, T); the next token, or `IGNORED`.
        documents: (B, T); which example of `examples` a token belongs to, -1 for padding.
        branches: (B, T); 0 in a prompt, 1 and 2 in the responses.
        examples: in the order of their numbers.
    """

    tokens: Tensor
    positions: Tensor
    targets: Tensor
    documents: Tensor
    branches: Tensor
    examples: tuple[Example, ...]


def encode(tokenizer: Tokenizer, problem: Problem) -> Example:
    """`problem` in tokens, as `vocabulary.CHAT_TEMPLATE` writes it."""
    prompt = tokenizer.encode(f"{USER} {problem.prompt}").ids
    responses = [tokenizer.encode(f"{_CONTROL[mode]}{problem.response(mode)}{END}").ids for mode in MODES]
    return Example(problem, tuple(prompt), tuple(tuple(response) for response in responses))


def pack(draw: Callable[[], Example], num_rows: int, row_tokens: int) -> Packed:
    """Fills `num_rows` rows with what `draw` gives; an example goes into the first row that has room.

    Stops at the first example that fits nowhere, which is left out. One longer than a row raises `ValueError`.
    """
    rows: list[list[Example]] = [[] for _ in range(num_rows)]
    room = [row_tokens] * num_rows
    while True:
        example = draw()
        if example.num_tokens > row_tokens:
            raise ValueError(f"an example has {example.num_tokens} tokens; a row has {row_tokens}")
        row = next((index for index, free in enumerate(room) if free >= example.num_tokens), None)
        if row is None:
            return _lay_out(rows, row_tokens)
        rows[row].append(example)
        room[row] -= example.num_tokens


def _lay_out(rows: Sequence[Sequence[Example]], row_tokens: int) -> Packed:
    columns: dict[str, list[list[int]]] = {
        name: [] for name in ("tokens", "positions", "targets", "documents", "branches")
    }
    examples: list[Example] = []
    for row in rows:
        laid: dict[str, list[int]] = {name: [] for name in columns}
        for example in row:
            start = len(example.prompt)
            for branch, piece in enumerate((example.prompt, *example.responses)):
                first = 0 if branch == 0 else start
                laid["tokens"] += piece
                laid["positions"] += range(first, first + len(piece))
                laid["targets"] += [IGNORED] * len(piece) if branch == 0 else [*piece[1:], IGNORED]
                laid["documents"] += [len(examples)] * len(piece)
                laid["branches"] += [branch] * len(piece)
            examples.append(example)
        for name, values in laid.items():
            filler = {"targets": IGNORED, "documents": -1}.get(name, 0)
            columns[name].append(values + [filler] * (row_tokens - len(values)))
    tensors = {name: torch.tensor(values) for name, values in columns.items()}
    return Packed(**tensors, examples=tuple(examples))


def visibility(packed: Packed) -> Tensor:
    """(B, 1, T, T) bool, true where the token of the third axis may look at that of the fourth.

    A token sees itself, and before itself its own response and its problem's prompt. Padding sees padding.
    """
    query_doc, key_doc = packed.documents[:, None, :, None], packed.documents[:, None, None, :]
    query_branch, key_branch = packed.branches[:, None, :, None], packed.branches[:, None, None, :]
    num_tokens = packed.tokens.shape[1]
    is_before = torch.ones(num_tokens, num_tokens, dtype=torch.bool, device=packed.tokens.device).tril()
    return is_before & (query_doc == key_doc) & ((key_branch == 0) | (query_branch == key_branch))
