"""Problems, packed into rows of a fixed length for training.

A story takes its place once. Its questions follow, each with both its responses: `story question <direct> answer <end>
<steps> steps => answer <end>`. A question does not see the other questions, a response does not see the other response,
and positions continue from whatever a token follows. So the story, which is most of the tokens, is computed once for
many lessons. Rows are filled with whole stories, and no token sees another one. Only responses are learned; what a user
writes cannot be predicted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from pointsman.embedded.problems import MODES, Mode, Problem
from pointsman.embedded.vocabulary import DIRECT, END, STEPS, USER

IGNORED = -100
"""The target of a token that is not learned from."""

DIRECT_BRANCH, STEPS_BRANCH = 1, 2
"""Marks of the tokens of a response."""

BRANCHES: Mapping[Mode, int] = {"direct": DIRECT_BRANCH, "steps": STEPS_BRANCH}
_CONTROL = {"direct": DIRECT, "steps": STEPS}
_FILLERS = {"targets": IGNORED, "stories": -1}


@dataclass(frozen=True, slots=True)
class Question:
    """A problem's question and by mode its responses in tokens, each with its control token and end."""

    problem: Problem
    tokens: tuple[int, ...]
    responses: Mapping[Mode, tuple[int, ...]]

    @property
    def num_tokens(self) -> int:
        return len(self.tokens) + sum(map(len, self.responses.values()))


@dataclass(frozen=True, slots=True)
class Example:
    """A story in tokens and the questions about it."""

    story: tuple[int, ...]
    questions: tuple[Question, ...]

    @property
    def num_tokens(self) -> int:
        return len(self.story) + sum(question.num_tokens for question in self.questions)


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of rows. B rows of T tokens, int64.

    Attributes:
        tokens: (B, T).
        positions: (B, T); each question continues from its story and each response from its question.
        targets: (B, T); the next token, or `IGNORED`.
        stories: (B, T); a number for each story, -1 for padding.
        questions: (B, T); one more than the place in `problems`, 0 in a story.
        branches: (B, T); 0 in stories and questions, `DIRECT_BRANCH` or `STEPS_BRANCH` in responses.
        problems: every problem of the batch.
    """

    tokens: Tensor
    positions: Tensor
    targets: Tensor
    stories: Tensor
    questions: Tensor
    branches: Tensor
    problems: tuple[Problem, ...]


def encode(
    tokenizer: Tokenizer, problems: Sequence[Problem], most_tokens: int, modes: Sequence[Mode] = MODES
) -> Example:
    """Problems about one story in tokens, as `vocabulary.CHAT_TEMPLATE` writes them, answered in `modes`.

    Takes the first, and as many of the others in order as fit into `most_tokens`.
    """
    story = problems[0].story
    example = Example(tuple(tokenizer.encode(f"{USER} {story}" if story else USER).ids), ())
    for problem in problems:
        responses = {
            mode: tuple(tokenizer.encode(f"{_CONTROL[mode]}{problem.response(mode)}{END}").ids) for mode in modes
        }
        question = Question(problem, tuple(tokenizer.encode(f" {problem.question}").ids), responses)
        longer = Example(example.story, (*example.questions, question))
        if longer.num_tokens <= most_tokens or not example.questions:
            example = longer
    return example


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


class _Row:
    """One row that is being laid out, a list a column."""

    def __init__(self) -> None:
        names = ("tokens", "positions", "targets", "stories", "questions", "branches")
        self.columns: dict[str, list[int]] = {name: [] for name in names}

    def add(self, tokens: Sequence[int], first: int, story: int, question: int, branch: int) -> None:
        """Tokens that follow each other; `first` is the position of the first one."""
        count, is_learned = len(tokens), branch != 0
        columns = self.columns
        columns["tokens"] += tokens
        columns["positions"] += range(first, first + count)
        columns["targets"] += [*tokens[1:], IGNORED] if is_learned else [IGNORED] * count
        columns["stories"] += [story] * count
        columns["questions"] += [question] * count
        columns["branches"] += [branch] * count


def _lay_out(rows: Sequence[Sequence[Example]], row_tokens: int) -> Packed:
    problems: list[Problem] = []
    laid: list[_Row] = []
    num_stories = 0
    for examples in rows:
        row = _Row()
        for example in examples:
            row.add(example.story, 0, num_stories, 0, 0)
            start = len(example.story)
            for question in example.questions:
                problems.append(question.problem)
                row.add(question.tokens, start, num_stories, len(problems), 0)
                after = start + len(question.tokens)
                for mode, response in question.responses.items():
                    row.add(response, after, num_stories, len(problems), BRANCHES[mode])
            num_stories += 1
        laid.append(row)
    tensors = {}
    for name in laid[0].columns:
        values = [row.columns[name] for row in laid]
        filler = _FILLERS.get(name, 0)
        tensors[name] = torch.tensor([each + [filler] * (row_tokens - len(each)) for each in values])
    return Packed(**tensors, problems=tuple(problems))


def visibility(packed: Packed) -> Tensor:
    """(B, 1, T, T) bool, true where the token of the third axis may look at that of the fourth.

    A token sees itself, and before itself its story, its question and its own response. Padding sees padding.
    """

    def pairs(values: Tensor) -> tuple[Tensor, Tensor]:
        return values[:, None, :, None], values[:, None, None, :]

    num_tokens = packed.tokens.shape[1]
    is_before = torch.ones(num_tokens, num_tokens, dtype=torch.bool, device=packed.tokens.device).tril()
    (story, key_story), (question, key_question) = pairs(packed.stories), pairs(packed.questions)
    branch, key_branch = pairs(packed.branches)
    is_shared = (key_question == 0) | ((question == key_question) & ((key_branch == 0) | (branch == key_branch)))
    return is_before & (story == key_story) & is_shared
